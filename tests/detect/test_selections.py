"""Selections of packets: the kernel against each selection's meaning, packet by packet."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.detect.batch import SELECTIONS, Columns
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT, LAYER_BIT
from app.wire.records import PACKET_DTYPE
from app.wire.selection_layout import EVERY, NAMES, NARROW

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


def meaning(i: int, p: Any, data: np.ndarray) -> set[str]:
    """The selections that one packet belongs to, said anew."""
    found = set()
    protocol, flags, layers = int(p["protocol"]), int(p["tcp_flags"]), int(p["layers"])
    first, fragment, later = (bool(p["kind"] & bit) for bit in (KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT))
    arp = bool(layers & LAYER_BIT["arp"])
    middle = protocol == 17 or (protocol == 6 and flags & (FIN | SYN | RST | ACK) == ACK)
    rare = not middle or first or fragment or arp
    found |= {"undecoded"} if p["reason"] else set()
    found |= {"dns"} if layers & LAYER_BIT["dns"] else set()
    if protocol == 17 and not later:
        found |= {"udp"} | ({"dhcp"} if {int(p["src_port"]), int(p["dst_port"])} & {67, 68, 546, 547} else set())
    begin = {1: 18 if p["vlan"] else 14, 101: 0, 228: 0, 229: 0}.get(int(p["link_type"]))
    if (rare or i % EVERY == 0) and begin is not None and p["ip_version"] and p["cap_len"] >= begin + 20:
        header = data[int(p["offset"]) + begin :][:20].tolist()
        if 0x45 < header[0] < 0x50 or (header[0] >> 4 == 6 and header[6] in (0, 43, 60)):
            found.add("ip_options")
    if not rare:
        return found | ({"tcp_narrow"} if protocol == 6 and p["window"] < NARROW and not p["payload_len"] else set())
    found |= {"rare"} | ({"arp"} if arp else set()) | ({"igmp"} if layers & LAYER_BIT["igmp"] else set())
    found |= {"fragments"} if fragment else set()
    if first:
        found |= {"first"} | ({"first_tcp"} if protocol == 6 else {"first_udp"} if protocol == 17 else set())
    if protocol == 6 and not later and (flags & (FIN | SYN | RST) or not flags & ACK):
        found.add("tcp_marked")
        four = flags & (SYN | ACK | RST | FIN)
        found |= {"syn"} if four == SYN else {"syn_ack"} if four == SYN | ACK else set()
        found |= {"rst"} if flags & RST and not flags & SYN else set()
        odd = four in (0, FIN) or (flags & SYN and flags & (FIN | RST | URG))
        odd = odd or (flags & FIN and flags & PSH and flags & URG and not flags & ACK)
        found |= {"tcp_odd"} if odd else set()
    if protocol in (1, 58) and not later:
        found |= {"icmp"} | ({"icmpv6"} if protocol == 58 else set())
    if protocol not in (1, 6, 17, 58) and p["ip_version"]:
        found.add("other_ip")
    return found


def test_each_packet_is_in_the_selections_of_its_kind() -> None:
    chance = np.random.default_rng(7)
    n = 4000
    data = chance.integers(0, 256, n * 40, np.uint8)
    heads = chance.choice(np.array([0x45, 0x46, 0x4F, 0x50, 0x60, 0x6F], np.uint8), (n, 3))
    rows = np.zeros(n, PACKET_DTYPE)
    rows["offset"] = np.arange(n) * 40
    for k, place in enumerate((0, 14, 18)):
        data[rows["offset"] + place] = heads[:, k]
        data[rows["offset"] + place + 6] = chance.choice(np.array([0, 6, 43, 60], np.uint8), n)
    rows["cap_len"] = chance.choice([19, 20, 33, 34, 37, 38, 40], n)
    rows["link_type"] = chance.choice([1, 1, 1, 101, 228, 229, 113], n)
    rows["vlan"] = chance.choice([0, 0, 7], n)
    rows["ip_version"] = chance.choice([0, 4, 6], n)
    rows["protocol"] = chance.choice([0, 1, 2, 6, 6, 6, 17, 17, 58, 132], n)
    rows["tcp_flags"] = chance.integers(0, 256, n)
    rows["tcp_flags"][: n // 3] = ACK
    for bit in (KIND_FIRST_OF_FLOW, KIND_FRAGMENT, KIND_LATER_FRAGMENT):
        rows["kind"] |= np.where(chance.random(n) < 0.15, bit, 0).astype(rows["kind"].dtype)
    for layer in ("arp", "dns", "igmp"):
        rows["layers"] |= np.where(chance.random(n) < 0.1, LAYER_BIT[layer], 0).astype(rows["layers"].dtype)
    rows["src_port"] = chance.choice([67, 546, 1000], n)
    rows["dst_port"] = chance.choice([68, 547, 53], n)
    rows["window"] = chance.choice([0, NARROW - 1, NARROW, 64_240], n)
    rows["payload_len"] = chance.choice([0, 0, 1], n)
    rows["reason"] = chance.choice([0, 0, 3], n)
    columns = Columns(data, rows, np.zeros(n, np.uint64))
    meant = [meaning(i, rows[i], data) for i in range(n)]
    for name in NAMES:
        assert columns.selection(name).tolist() == [i for i in range(n) if name in meant[i]], name
        assert len(columns.selection(name)), f"no packet tests {name}"


def test_all_that_detectors_may_ask_for() -> None:
    assert {*NAMES, "all", "bursts"} == SELECTIONS
