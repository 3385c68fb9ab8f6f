"""The kinds of traffic the benchmarks use, as numbers: how many packets and flows, of what, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

SIZES: Final = (64, 594, 1514)  # frame bytes without the check sequence; headers that need more get more


class Kind(IntEnum):
    """What a flow carries. Values are indices into tables."""

    TLS = 0
    HTTP = 1
    FLAT_TCP = 2  # low entropy
    RANDOM_UDP = 3
    TEXT_UDP = 4
    FLAT_UDP = 5
    FRAGMENTS = 6  # UDP datagrams in two fragments
    DNS = 7  # one query, one answer
    ICMP = 8  # echo
    ARP = 9  # one request, one reply
    SCAN = 10  # few sources, many targets and ports; some answer, some refuse
    FLOOD = 11  # SYN only, every source forged


TCP_KINDS: Final = (Kind.TLS, Kind.HTTP, Kind.FLAT_TCP, Kind.SCAN, Kind.FLOOD)
UDP_KINDS: Final = (Kind.RANDOM_UDP, Kind.TEXT_UDP, Kind.FLAT_UDP, Kind.FRAGMENTS, Kind.DNS)
TWO_PACKETS: Final = (Kind.DNS, Kind.ARP)


@dataclass(frozen=True)
class Profile:
    """One file. Shares are per thousand."""

    name: str
    packets: int
    flows: int  # ARP exchanges count as flows here, though a flow table has none for them
    kinds: tuple[tuple[Kind, int], ...]
    size_shares: tuple[int, int, int]  # of SIZES
    weights: tuple[tuple[int, int], ...]  # (how long a flow is beside the others, share of the flows)
    ipv6: int = 0
    vlan: int = 0
    qinq: int = 0
    options: int = 0  # IPv4 options, IPv6 hop-by-hop header
    clients: int = 2000
    servers: int = 4000
    small_data: bool = False  # 64-byte TCP segments carry data instead of being bare acknowledgements
    brief: bool = False  # flows last milliseconds instead of most of the file
    pps: int = 100_000  # of the time stamps
    seed: int = 20260301

    def key(self) -> str:
        """File name without ending; equal parameters give equal names."""
        return f"{self.name}-{self.packets}-{self.flows}-{self.seed:x}"


# Shares 64 : 32 : 16 : … of flows that are 1 : 2 : 4 : … long: a heavy tail, a few flows carry most packets.
_HEAVY_TAIL: Final = tuple((1 << level, 512 >> level) for level in range(10))

_MIX: Final = (
    (Kind.TLS, 420),
    (Kind.HTTP, 225),
    (Kind.FLAT_TCP, 90),
    (Kind.RANDOM_UDP, 60),
    (Kind.TEXT_UDP, 40),
    (Kind.FLAT_UDP, 20),
    (Kind.FRAGMENTS, 5),
    (Kind.DNS, 80),
    (Kind.ICMP, 20),
    (Kind.ARP, 40),
)


def imix(packets: int = 10_000_000) -> Profile:
    """7 : 4 : 1 of 64, 594 and 1514 bytes, 200 packets a flow: 50,000 flows in 10 M packets."""
    return Profile(
        "imix", packets, max(50, packets // 192), _MIX, (7, 4, 1), _HEAVY_TAIL, ipv6=200, vlan=110, qinq=10, options=10
    )


def small(packets: int = 10_000_000) -> Profile:
    """64-byte frames only, 200 packets a flow."""
    kinds = ((Kind.FLAT_TCP, 600), (Kind.FLAT_UDP, 400))
    return Profile("small", packets, max(50, packets // 200), kinds, (1, 0, 0), _HEAVY_TAIL, small_data=True)


def churn(packets: int = 4_000_000) -> Profile:
    """Scan and SYN flood: 1.8 M flows in 4 M packets."""
    kinds = ((Kind.SCAN, 600), (Kind.FLOOD, 200), (Kind.FLAT_UDP, 200))
    weights = ((1, 5), (2, 3), (4, 2))
    flows = max(50, packets * 9 // 20)
    return Profile("churn", packets, flows, kinds, (1, 0, 0), weights, clients=256, servers=60_000, brief=True)


PROFILES: Final = {"imix": imix, "small": small, "churn": churn}
