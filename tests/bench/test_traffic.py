"""The generator: the same bytes for the same seed, and frames that are what they claim to be."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench.profiles import churn, imix, small
from bench.traffic import Facts, first_packets, write

RARE = {"qinq": 0x88A8, "vlan": 0x8100}


@dataclass
class Parsed:
    """What an independent, plain reading of a file finds."""

    protocols: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    flows: set[tuple[object, ...]] = field(default_factory=set)
    tcp: dict[tuple[object, ...], list[tuple[int, int, int, int]]] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)
    frame_bytes: int = 0


def _internet_sum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _network(frame: bytes, parsed: Parsed) -> tuple[int, bytes, bytes, bytes, bool] | None:
    """(protocol, source, destination, layer-4 bytes, later fragment) of an Ethernet frame; None for ARP."""
    position, ether_type = 14, int.from_bytes(frame[12:14], "big")
    if ether_type in RARE.values():
        parsed.protocols["vlan"] += 1
    while ether_type in RARE.values():
        ether_type = int.from_bytes(frame[position + 2 : position + 4], "big")
        position += 4
    parsed.protocols["qinq"] += position == 22
    if ether_type == 0x0806:
        parsed.protocols["arp"] += 1
        return None
    if ether_type == 0x0800:
        parsed.protocols["ip"] += 1
        header = (frame[position] & 15) * 4
        total, _, fragment = struct.unpack_from("!HHH", frame, position + 2)
        parsed.protocols["ip_options"] += header > 20
        parsed.protocols["fragments"] += (fragment & 0x3FFF) != 0
        assert _internet_sum(frame[position : position + header]) == 0xFFFF
        assert position + total <= len(frame)
        assert position + total == len(frame) or (total < 60 and len(frame) == 64), "only short frames are padded"
        body = frame[position + header : position + total]
        source, target = frame[position + 12 : position + 16], frame[position + 16 : position + 20]
        return frame[position + 9], source, target, body, (fragment & 0x1FFF) != 0
    assert ether_type == 0x86DD
    parsed.protocols["ipv6"] += 1
    length, following = struct.unpack_from("!HB", frame, position + 4)
    start = position + 40
    if following == 0:
        parsed.protocols["hop_by_hop"] += 1
        following = frame[start]
        start += 8
    assert position + 40 + length == len(frame)
    return following, frame[position + 8 : position + 24], frame[position + 24 : position + 40], frame[start:], False


def parse(path: Path) -> Parsed:
    """Reads a pcap the slow way, checking lengths and checksums as it goes."""
    data = path.read_bytes()
    assert struct.unpack_from("<IHH", data) == (0xA1B2C3D4, 2, 4)
    parsed = Parsed()
    position = 24
    while position < len(data):
        sec, usec, captured, wire = struct.unpack_from("<IIII", data, position)
        frame = data[position + 16 : position + 16 + captured]
        position += 16 + captured
        assert captured == wire == len(frame)
        parsed.times.append(sec * 1_000_000 + usec)
        parsed.frame_bytes += wire
        parsed.sizes[wire] += 1
        network = _network(frame, parsed)
        if network is None:
            continue
        protocol, source, target, body, later = network
        _transport(parsed, protocol, source, target, body, later)
    return parsed


def _transport(parsed: Parsed, protocol: int, source: bytes, target: bytes, body: bytes, later: bool) -> None:
    name = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}[protocol]
    if later:
        return
    parsed.protocols[name] += 1
    pseudo = source + target + struct.pack("!HH", protocol, len(body)) if protocol != 1 else b""
    no_sum = protocol == 17 and body[6:8] == b"\0\0"
    assert no_sum or _internet_sum(pseudo + body) == 0xFFFF
    if protocol in (1, 58):
        ports = (int.from_bytes(body[4:6], "big"), 0)
        parsed.flows.add((protocol, frozenset((source, target)), ports))
        return
    ports = struct.unpack_from("!HH", body)
    if protocol == 17:
        parsed.protocols["dns"] += 53 in ports
        assert no_sum or int.from_bytes(body[4:6], "big") == len(body)
    ends = ((source, ports[0]), (target, ports[1]))
    key = (protocol, frozenset(ends))
    parsed.flows.add(key)
    if protocol == 6:
        seq, ack = struct.unpack_from("!II", body, 4)
        payload = len(body) - (body[12] >> 4) * 4
        parsed.tcp.setdefault((protocol, *ends), []).append((seq, ack, body[13] & 63, payload))


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts, Parsed]:
    path = tmp_path_factory.mktemp("mix") / "imix.pcap"
    facts = write(replace(imix(40_000), flows=2_000), path)  # more flows than usual, for the rare forms
    return path, facts, parse(path)


def test_the_same_profile_makes_the_same_bytes(tmp_path: Path) -> None:
    digests = {}
    for make in (imix, small, churn):
        write(make(5_000), tmp_path / "file.pcap")
        digests[make.__name__] = hashlib.sha256((tmp_path / "file.pcap").read_bytes()).hexdigest()[:16]
    # A change of these values means that results before and after it cannot be compared: raise traffic.FORMAT with it.
    assert digests == {"imix": "3d56288be568e692", "small": "f624ba792db66999", "churn": "6a11a8454fedce05"}


def test_another_seed_makes_other_bytes(tmp_path: Path) -> None:
    write(imix(1_000), tmp_path / "a.pcap")
    write(replace(imix(1_000), seed=7), tmp_path / "b.pcap")
    assert (tmp_path / "a.pcap").read_bytes() != (tmp_path / "b.pcap").read_bytes()


def test_facts_are_what_the_file_holds(mix: tuple[Path, Facts, Parsed]) -> None:
    _, facts, parsed = mix
    assert len(parsed.times) == facts.packets == 40_000
    assert parsed.frame_bytes == facts.frame_bytes
    assert len(parsed.flows) == facts.flows
    assert {name: parsed.protocols[name] for name in facts.protocols} == facts.protocols
    assert parsed.times == sorted(parsed.times)


def test_the_mix_is_the_one_promised() -> None:
    """On the columns alone: shares of sizes, versions, tags and payload in a file of a million packets."""
    import numpy as np

    from bench.draws import Draws
    from bench.flows import make_flows

    profile = imix(10_000_000)
    flows = make_flows(profile, Draws(profile.seed))
    assert int(flows.packets.sum()) == 10_000_000
    assert int((flows.version > 0).sum()) == pytest.approx(50_000, rel=0.01)
    assert float(np.mean(flows.version == 6)) == pytest.approx(0.20, abs=0.015)
    assert float(np.mean(flows.tags > 0)) == pytest.approx(0.12, abs=0.01)
    assert float(np.mean(flows.tags == 2)) == pytest.approx(0.01, abs=0.003)


def test_sizes_are_seven_to_four_to_one(tmp_path: Path) -> None:
    facts = write(imix(100_000), tmp_path / "imix.pcap")
    data = (tmp_path / "imix.pcap").read_bytes()
    sizes: Counter[int | str] = Counter()
    position = 24
    while position < len(data):
        size = int.from_bytes(data[position + 8 : position + 12], "little")
        sizes["small" if size < 90 else size] += 1
        position += 16 + size
    shares = [sizes[size] / facts.packets for size in ("small", 594, 1514)]
    assert shares == pytest.approx([7 / 12, 4 / 12, 1 / 12], abs=0.02)
    payload = facts.payload_bytes
    text = payload["HTTP"] + payload["TEXT_UDP"]
    flat = payload["FLAT_TCP"] + payload["FLAT_UDP"]
    assert text / sum(payload.values()) == pytest.approx(0.30, abs=0.08)
    assert flat / sum(payload.values()) == pytest.approx(0.15, abs=0.08)


def test_rare_forms_are_there(mix: tuple[Path, Facts, Parsed]) -> None:
    _, _, parsed = mix
    for name in ("ip_options", "hop_by_hop", "fragments", "vlan", "dns", "arp", "qinq"):
        assert parsed.protocols[name] > 0, name


def test_tcp_numbers_are_consistent(mix: tuple[Path, Facts, Parsed]) -> None:
    """Handshake first; each direction's data is contiguous but for rare retransmissions; nothing unsent is acknowledged."""
    _, _, parsed = mix
    again = segments = 0
    for (_, source, target), packets in parsed.tcp.items():
        first_seq, _, flags, _ = packets[0]
        assert flags in (2, 18), "a direction begins with SYN or SYN+ACK"
        expected = first_seq + 1
        for seq, _, flags, payload in packets[1:]:
            segments += 1
            if (seq - expected) % 2**32 == 0:
                expected += payload + (flags & 1)
            else:
                again += 1
                assert (seq + payload - expected) % 2**32 == 0, "a retransmission repeats the last bytes"
        other = parsed.tcp.get((6, target, source))
        if other:
            highest = max((seq + payload + 1 - other[0][0]) % 2**32 for seq, _, _, payload in other)
            assert all((ack - other[0][0]) % 2**32 <= highest for _, ack, flags, _ in packets if flags & 16)
    assert 0 < again / segments < 0.01


def test_churn_has_two_packets_a_flow(tmp_path: Path) -> None:
    facts = write(churn(40_000), tmp_path / "churn.pcap")
    parsed = parse(tmp_path / "churn.pcap")
    assert facts.flows == len(parsed.flows) == 18_000
    assert set(parsed.sizes) == {64}


def test_a_slice_is_the_beginning(mix: tuple[Path, Facts, Parsed], tmp_path: Path) -> None:
    path, _, _ = mix
    part = first_packets(path, 500)
    assert len(parse(part).times) == 500
    assert path.read_bytes().startswith(part.read_bytes())


def test_addresses_are_of_the_networks_for_benchmarks(mix: tuple[Path, Facts, Parsed]) -> None:
    _, _, parsed = mix
    allowed = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "198.18.0.0/15", "2001:2::/48")]
    for _, (source, _), _ in parsed.tcp:
        address = ipaddress.ip_address(source)
        assert any(address in net for net in allowed if net.version == address.version)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_nothing_malformed(mix: tuple[Path, Facts, Parsed]) -> None:
    """Checksums, headers and the first messages hold for a dissector that nobody here wrote."""
    path, facts, _ = mix
    checks = [part for name in ("ip", "tcp", "udp") for part in ("-o", f"{name}.check_checksum:TRUE")]
    bad = 'ip.checksum.status=="Bad" || tcp.checksum.status=="Bad" || udp.checksum.status=="Bad"'
    filters = {
        bad: 0,
        "_ws.malformed && !(udp && !dns)": 0,  # random bytes in UDP look like some protocol now and then
        "tls.handshake.type==1 && tls.handshake.extensions_server_name": None,
        'http.request.method=="GET"': None,
        "dns": facts.protocols["dns"],
        "arp": facts.protocols["arp"],
        "icmpv6": facts.protocols["icmpv6"],
    }
    for text, expected in filters.items():
        command = ["tshark", "-n", "-r", str(path), *checks, "-Y", text, "-T", "fields", "-e", "frame.number"]
        found = len(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        assert found == expected if expected is not None else found > 20, text
