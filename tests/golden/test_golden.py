"""What we count in real captures is what tshark counts: frames by protocol, conversations per direction, originators, RTT, Community IDs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from app.sensor.analyze import analyze

HERE = Path(__file__).parent
CAPTURES = HERE.parent / "data" / "captures"
GOLDEN = sorted(HERE.glob("*.json"))
TRUTH = {path: json.loads(path.read_text()) for path in GOLDEN}
# Which fragment belongs to a conversation is a matter of definition.
WHOLE = [path for path in GOLDEN if not TRUTH[path]["fragments"]]
# tshark hashes the headers quoted in ICMP errors, and in tunnels the outer header.
HASHED = [path for path in WHOLE if not TRUTH[path]["quotes_in_icmp"] and not path.stem.startswith("encap-")]
PROTOCOLS = (
    "eth",
    "arp",
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "gre",
    "vxlan",
    "geneve",
    "mpls",
    "vlan",
    "sctp",
)


@pytest.fixture(scope="module")
def documents() -> dict[str, dict]:
    return {path.stem: json.loads(analyze(str(CAPTURES / path.stem))) for path in GOLDEN}


def both(path: Path, documents: dict) -> tuple[dict, dict]:
    return TRUTH[path], documents[path.stem]


def by_name(paths: list[Path]):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_there_are_golden_captures():
    assert len(GOLDEN) > 50


@by_name(GOLDEN)
def test_packets_bytes_and_times(path, documents):
    truth, ours = both(path, documents)
    assert ours["capture"]["packets"] == truth["packets"]
    assert ours["capture"]["bytes"] == truth["bytes"]
    assert (ours["capture"]["first"] is None) == (truth["first"] is None or float(truth["first"]) == 0)


@by_name(GOLDEN)
def test_frames_by_protocol(path, documents):
    truth, ours = both(path, documents)
    if truth["fragments"] or truth["quotes_in_icmp"]:
        # tshark counts TCP and UDP where a datagram is complete, and inside ICMP errors; the network layers stay comparable.
        compared = ("eth", "arp", "ip", "ipv6", "vlan")
        if truth["quotes_in_icmp"]:
            compared = ("eth", "arp", "vlan")
    else:
        compared = PROTOCOLS
    counted = {name: ours["protocols"].get(name, 0) for name in compared}
    expected = {name: truth["frames"].get(name, 0) for name in compared}
    assert counted == expected


def conversation(kind: str, a: str, a_port: int, b: str, b_port: int, counts: tuple[int, ...]) -> tuple:
    """Both ways round give the same key; counts: packets and bytes a → b, then b → a."""
    if (a, a_port) > (b, b_port):
        a, a_port, b, b_port = b, b_port, a, a_port
        counts = counts[2:] + counts[:2]
    return (kind, a, a_port, b, b_port), counts


def sums(rows: list[tuple]) -> dict[tuple, tuple[int, ...]]:
    total: dict[tuple, tuple[int, ...]] = {}
    for key, counts in rows:
        total[key] = tuple(x + y for x, y in zip(total.get(key, (0, 0, 0, 0)), counts, strict=True))
    return total


@by_name(WHOLE)
def test_conversations(path, documents):
    truth, ours = both(path, documents)
    expected = sums(
        [
            conversation(
                kind,
                row["a"],
                row["a_port"],
                row["b"],
                row["b_port"],
                (row["pkts_ab"], row["bytes_ab"], row["pkts_ba"], row["bytes_ba"]),
            )
            for kind, rows in truth["conversations"].items()
            for row in rows
        ]
    )
    counted = sums(
        [
            conversation(
                flow["protocol"],
                flow["src_ip"],
                flow["src_port"],
                flow["dst_ip"],
                flow["dst_port"],
                (flow["src_packets"], flow["src_bytes"], flow["dst_packets"], flow["dst_bytes"]),
            )
            for flow in ours["flows"]
            if flow["protocol"] in ("tcp", "udp") and not (flow["carries_tunnel"])
        ]
    )
    carriers = {
        conversation("udp", f["src_ip"], f["src_port"], f["dst_ip"], f["dst_port"], (0, 0, 0, 0))[0]
        for f in ours["flows"]
        if f["carries_tunnel"]
    }
    for key in carriers:  # an outer datagram counts for tshark only where nothing with ports is inside
        expected.pop(key, None)
        counted.pop(key, None)
    assert counted == expected


@by_name(GOLDEN)
def test_the_sender_of_the_syn_is_the_originator(path, documents):
    truth, ours = both(path, documents)
    senders: dict[tuple, set] = {}
    for row in truth["conversations"]["tcp"]:
        if row["syn_from"]:
            side = ("a", "a_port") if row["syn_from"] == "a" else ("b", "b_port")
            key = frozenset({(row["a"], row["a_port"]), (row["b"], row["b_port"])})
            senders.setdefault(key, set()).add((row[side[0]], row[side[1]]))
    for flow in ours["flows"]:
        if flow["protocol"] != "tcp":
            continue
        key = frozenset({(flow["src_ip"], flow["src_port"]), (flow["dst_ip"], flow["dst_port"])})
        if len(senders.get(key, ())) == 1:
            assert (flow["src_ip"], flow["src_port"]) in senders[key]


@by_name([path for path in GOLDEN if not path.stem.startswith(("link-nflog", "fmt-"))])
def test_handshake_rtt(path, documents):
    """SYN to the ACK that ends the handshake. Left out: a capture whose clock did not advance during the handshake."""
    truth, ours = both(path, documents)
    flows: dict[frozenset, list] = {}
    for flow in ours["flows"]:
        if flow["protocol"] == "tcp":
            key = frozenset({(flow["src_ip"], flow["src_port"]), (flow["dst_ip"], flow["dst_port"])})
            flows.setdefault(key, []).append(flow["rtt_ms"])
    streams = Counter(
        frozenset({(row["a"], row["a_port"]), (row["b"], row["b_port"])}) for row in truth["conversations"]["tcp"]
    )
    for row in truth["conversations"]["tcp"]:
        key = frozenset({(row["a"], row["a_port"]), (row["b"], row["b_port"])})
        if not row["initial_rtt"] or streams[key] > 1 or len(flows.get(key, ())) != 1:
            continue
        if row["pkts_ab"] < 2 or row["pkts_ba"] < 1 or row["syn_from"] != "a" or flows[key][0] is None:
            continue
        expected = float(row["initial_rtt"]) * 1000
        assert flows[key][0] == pytest.approx(expected, abs=max(0.1, expected * 0.05))


@by_name(HASHED)
def test_community_ids(path, documents):
    """Every id that tshark computes is one of ours."""
    truth, ours = both(path, documents)
    counted = {flow["community_id"] for flow in ours["flows"]}
    assert set(truth["community_ids"]) - counted == set()
