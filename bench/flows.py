"""The flows of a generated file: who talks to whom, in what form, how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.draws import Draws
from bench.payload import VARIANTS
from bench.profiles import TWO_PACKETS, Kind, Profile

I64 = NDArray[np.int64]

EPOCH_NS = 1_772_323_200_000_000_000  # 2026-03-01T00:00:00Z, the first instant of every file
_CLIENT_PORTS = (50_000, 15_000)  # first, how many: no dissector of note listens there
_SERVER_PORTS = (49_300, 600)
_FORGED = 1 << 20  # host numbers of forged sources start here


@dataclass(frozen=True)
class Flows:
    """One element a flow. Times in ns from the first instant of the file."""

    kind: I64
    version: I64  # 4 or 6; 0 for ARP
    tags: I64  # number of VLAN tags, 0 to 2
    vlan: I64
    option: I64  # 1 = IPv4 options or an IPv6 hop-by-hop header
    client: I64  # host numbers
    server: I64
    client_port: I64
    server_port: I64
    variant: I64  # which first messages
    packets: I64
    start: I64
    life: I64
    rtt: I64
    manner: I64  # 0..9: how a TCP flow ends, how a scanned port answers


def _packet_counts(profile: Profile, draws: Draws, kind: I64, index: I64) -> I64:
    """How many packets each flow has; they add up to `profile.packets` exactly."""
    fixed = np.isin(kind, TWO_PACKETS)
    lengths = np.array([length for length, _ in profile.weights], np.int64)
    weight = lengths[draws.chosen("weight", index, [share for _, share in profile.weights])]
    weight[fixed] = 0
    edges = np.cumsum(weight)
    rest = profile.packets - 2 * int(fixed.sum())
    # Far from 2**63: 10**5 flows of weight 2**9 times 10**8 packets are 5 * 10**15.
    edges = edges * rest // int(edges[-1])
    counts = np.diff(edges, prepend=0)
    counts[fixed] = 2
    return counts


def _ports(profile: Profile, draws: Draws, kind: I64, index: I64) -> tuple[I64, I64]:
    """Client and server ports. (client, client port) names a flow: no two flows share both."""
    first, count = _CLIENT_PORTS
    client = first + (index // profile.clients + draws.below("port", index % profile.clients, count)) % count
    first, count = _SERVER_PORTS
    server = first + draws.below("service", index, count)
    for well_known, number in ((Kind.TLS, 443), (Kind.HTTP, 80), (Kind.DNS, 53), (Kind.FLOOD, 443)):
        server[kind == well_known] = number
    scanned = 1 + draws.below("scanned", index, 65_000)
    return client, np.where(kind == Kind.SCAN, scanned, server)


def make_flows(profile: Profile, draws: Draws) -> Flows:
    """All flows of the file."""
    index = np.arange(profile.flows, dtype=np.int64)
    kind = np.array([kind for kind, _ in profile.kinds], np.int64)[
        draws.chosen("kind", index, [share for _, share in profile.kinds])
    ]
    is_arp, is_fragments = kind == Kind.ARP, kind == Kind.FRAGMENTS
    version = np.where(draws.below("version", index, 1000) < profile.ipv6, 6, 4)
    version[is_fragments] = 4
    version[is_arp] = 0
    tag_draw = draws.below("tags", index, 1000)
    tags = (tag_draw < profile.vlan + profile.qinq).astype(np.int64) + (tag_draw < profile.qinq)
    option = (draws.below("option", index, 1000) < profile.options) & ~is_arp & ~is_fragments
    client_port, server_port = _ports(profile, draws, kind, index)
    duration = profile.packets * 1_000_000_000 // profile.pps
    if profile.brief:
        life = 50_000_000 + draws.below("life", index, 2_000_000_000)
        life = np.minimum(life, duration // 4)
        start = draws.below("start", index, 1 << 20) * (duration - life) >> 20
    else:
        start = draws.below("start", index, 1 << 20) * (duration // 5) >> 20
        life = duration * 3 // 5 + (draws.below("life", index, 1 << 20) * (duration // 6) >> 20)
    return Flows(
        kind=kind,
        version=version,
        tags=tags,
        vlan=np.where(tags > 0, 100 + draws.below("vlan", index, 40), 0),
        option=option.astype(np.int64),
        client=np.where(kind == Kind.FLOOD, _FORGED + index, index % profile.clients),
        server=draws.below("server", index, profile.servers),
        client_port=client_port,
        server_port=server_port,
        variant=draws.below("variant", index, VARIANTS),
        packets=_packet_counts(profile, draws, kind, index),
        start=start,
        life=life,
        rtt=np.minimum(2_000_000 + draws.below("rtt", index, 80_000_000), duration // 50),
        manner=draws.below("manner", index, 10),
    )
