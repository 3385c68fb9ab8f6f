"""What tshark and FoxIO's JA4 script see in captures of other projects."""

import json
from pathlib import Path

import pytest

from app.dpi.cipher_suites import cipher_name
from app.dpi.dtls import recognize_dtls
from app.dpi.facts import Recognized, TlsClientHello, TlsServerHello
from app.dpi.quic import recognize_quic
from app.dpi.tls import recognize_tls
from tests.dpi.capture_streams import conversations
from tests.dpi.flows import Play

GOLDEN = json.loads((Path(__file__).parent / "tls_golden.json").read_text())


def inspect(capture):
    """ "address port" of the client → its flow."""
    flows = {}
    for (protocol, src, src_port, *_), lines in conversations(capture):
        flow = Play((recognize_tls, recognize_dtls, recognize_quic), protocol)
        for direction, data, ts in lines:
            flow.ts = ts - 1_000_000
            flow.say(direction, data)
        flows[f"{src} {src_port}"] = flow.close()
    return flows


@pytest.mark.parametrize("capture", GOLDEN)
def test_hellos(capture):
    flows = inspect(capture)
    for client, expected in GOLDEN[capture].items():
        found = flows[client].of(TlsClientHello)
        assert {hello.transport for hello in found} == {expected["transport"]}
        assert sorted({hello.server_name for hello in found} - {None}) == expected["sni"]
        assert sorted({hello.ja3 for hello in found} - {""}) == expected["ja3"]
        if expected["ja4"]:
            assert {hello.ja4 for hello in found} == set(expected["ja4"])
        if "cipher" in expected:
            last = flows[client].of(TlsServerHello)[-1]
            assert last.cipher in {cipher_name(int(number, 16)) for number in expected["cipher"]}
            assert last.latency_ns >= 0
    others = [client for client, flow in flows.items() if client not in GOLDEN[capture] and flow.of(TlsClientHello)]
    assert not others


def test_certificates_of_an_answer():
    flow = inspect("tls-expired-cert.pcap")
    chains = [answer.certificates for one in flow.values() for answer in one.of(TlsServerHello)]
    assert [len(chain) for chain in chains] == [2, 3]
    site = chains[0][0]
    assert site.subject == "CN=www.spidh.org,OU=COMODO SSL,OU=Domain Control Validated"
    assert site.issuer == chains[0][1].subject
    assert site.names == ["www.spidh.org", "spidh.org"]
    assert (site.key, site.signature, site.self_signed) == ("RSA 2048", "sha1WithRSAEncryption", False)
    assert site.not_after == 1393977599 * 10**9


def test_a_retry_is_told_and_its_hello_once():
    (flow,) = inspect("quic-retry.pcap").values()
    assert [fact.details for fact in flow.of(Recognized)] == [{"version": "1", "retry": "yes"}]
    assert len(flow.of(TlsClientHello)) == 1
    assert flow.of(TlsServerHello)[0].latency_ns == 36_579_000
