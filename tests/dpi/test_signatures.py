"""Signatures promise that a recogniser takes nothing that they do not fit."""

import random

import numpy as np
import pytest

from app.dpi import signatures
from app.dpi.cleartext_protocols import TCP_RECOGNIZERS, UDP_RECOGNIZERS
from app.dpi.dns import DnsRecognizer
from app.dpi.dtls import recognize_dtls
from app.dpi.quic import recognize_quic
from app.dpi.signatures import TCP, UDP, Signature, begins, exactly, on_ports, pattern, signatures_of, table, words
from app.dpi.tls import recognize_tls
from tests.dpi.capture_flows import batches
from tests.dpi.flows import Play
from tests.dpi.samples import SAMPLES

DNS = DnsRecognizer()
RECOGNIZERS = {
    TCP: (recognize_tls, *TCP_RECOGNIZERS, DNS),
    UDP: (DNS, recognize_quic, recognize_dtls, *UDP_RECOGNIZERS),
}
CAPTURES = ["tls-dtls12.pcap", "app-mqtt.pcap", "app-ssh-on-port-80.pcap", "dns-llmnr-tcp.pcap", "app-ftp-ipv4.pcap"]


def fits(one: Signature, data: bytes, ports: tuple[int, int]) -> bool:
    begin = data[: signatures.LENGTH]
    same = all((a ^ b) & m == 0 for a, b, m in zip(begin, one.value, one.mask, strict=False))
    spaced = len(data) < signatures.SPACED_WITHIN or b" " in data[: signatures.SPACED_WITHIN]
    return same and (spaced or not one.spaced) and one.port in (0, *ports)


def check(protocol: int, ports: tuple[int, int], direction: int, data: bytes) -> int:
    """How many recognisers take the bytes; each of them has to have said so."""
    taken = 0
    for recognizer in RECOGNIZERS[protocol]:
        flow = Play((), protocol=protocol, src_port=ports[0], dst_port=ports[1]).flow
        if recognizer(flow, direction, data) is not None:
            taken += 1
            assert any(fits(one, data, ports) for one in signatures_of(recognizer, protocol)), (recognizer, data[:40])
    return taken


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{s[0]}-{i}" for i, s in enumerate(SAMPLES)])
def test_what_is_taken_fits(sample):
    """First messages, their beginnings, and damaged ones."""
    _, protocol, port, lines = sample
    chance = random.Random(repr(sample[0]))
    for direction, data in lines[:2]:
        check(protocol, (40_000, port), direction, data)
        for _ in range(60):
            damaged = bytearray(data[: chance.choice((len(data), chance.randint(1, len(data))))])
            for _ in range(chance.randint(0, 2)):
                damaged[chance.randrange(min(len(damaged), 20))] = chance.randrange(256)
            check(protocol, (40_000, chance.choice((port, 9999))), direction, bytes(damaged))


@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_taken_of_a_capture_fits(name):
    taken = 0
    for packets, _, _, data, _ in batches(name):
        for p in packets[np.isin(packets["protocol"], (TCP, UDP)) & (packets["payload_len"] > 0)]:
            start = int(p["offset"]) + int(p["payload_offset"])
            payload = data[start : start + int(p["payload_len"])].tobytes()
            for direction in (0, 1):
                taken += check(int(p["protocol"]), (int(p["src_port"]), int(p["dst_port"])), direction, payload)
    assert taken


def test_ways_to_say_it():
    assert exactly(TCP, b"SSH-") == [Signature(TCP, b"SSH-", b"\xff" * 4)]
    assert pattern(TCP, "16 03 0?", port=5) == [Signature(TCP, b"\x16\x03\0", b"\xff\xff\xf0", 5)]
    (quit_word,) = words(TCP, b"QUIT ")
    assert fits(quit_word, b"qUit now", (1, 2))
    assert not fits(quit_word, b"quiet", (1, 2))
    assert fits(on_ports(UDP, 53)[0], b"anything", (53, 9))
    assert not fits(on_ports(UDP, 53)[0], b"anything", (54, 9))


def test_the_table_has_a_bit_for_each_recogniser():
    @begins(exactly(TCP, b"ab"), exactly(UDP, b"cd"))
    def both(flow, direction, data):
        return None

    def undeclared(flow, direction, data):
        return None

    rows = table([undeclared, both], [both])
    assert rows[:, signatures.BIT].tolist() == [1, 2, 1]
    assert rows[:, signatures.TRANSPORT].tolist() == [TCP, TCP, UDP]
    assert rows[:, signatures.FIRST_MASK].tolist() == [0, 0xFFFF << 48, 0xFFFF << 48]
    with pytest.raises(ValueError, match="63 recognisers"):
        table([both] * 63, [])
