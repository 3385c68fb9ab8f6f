"""Header bytes of generated packets: one NumPy record type for each shape, filled by columns.

A shape is (VLAN tags, network header, transport header). A row is the pcap record header (pcap-savefile(5)), the
frame's headers and up to PREFIX_TLS bytes of payload that only this packet has; the rest of the payload is a cut of the pool.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.flows import Flows
from bench.profiles import TCP_KINDS, Kind

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Rows = NDArray[np.void]
Fields = list[tuple[str, str]]

RECORD_BYTES: Final = 16
PREFIX_NONE: Final = 0
PREFIX_DNS: Final = 2  # the query id
PREFIX_TLS: Final = 5  # the record header
ROW_BYTES: Final = 16 + 14 + 8 + 48 + 24 + PREFIX_TLS + 1  # the longest row, even

# Network headers, and their bytes
NONE, IP4, IP4_OPTIONS, IP6, IP6_HOP = range(5)
NETWORK_BYTES: Final = (0, 20, 24, 40, 48)
# Transport headers (SYN: with the maximum segment size; REST: a later fragment has none)
ARP, TCP, TCP_SYN, UDP, ICMP, REST = range(6)
TRANSPORT_BYTES: Final = (28, 20, 24, 8, 8, 0)
SYN_OPTION_BYTES: Final = 4
PROTOCOL: Final = (0, 6, 6, 17, 1, 17)
SHAPES: Final = 3 * 5 * 6

_RECORD = [("sec", "<u4"), ("usec", "<u4"), ("captured", "<u4"), ("wire", "<u4")]
_ETHERNET = [("dst_mac", ">u2"), ("dst_host", ">u4"), ("src_mac", ">u2"), ("src_host", ">u4")]
_TAGS: Final[tuple[Fields, ...]] = (
    [],
    [("tpid", ">u2"), ("tci", ">u2")],
    [("outer_tpid", ">u2"), ("outer_tci", ">u2"), ("tpid", ">u2"), ("tci", ">u2")],
)
_IP4 = [
    *[("ver_ihl", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("frag", ">u2"), ("ttl", "u1")],
    *[("protocol", "u1"), ("header_sum", ">u2"), ("src", ">u4"), ("dst", ">u4")],
]
_IP6 = [
    *[("ver", ">u4"), ("length", ">u2"), ("next", "u1"), ("hop_limit", "u1")],
    *[("src_hi", ">u8"), ("src", ">u8"), ("dst_hi", ">u8"), ("dst", ">u8")],
]
_NETWORK: Final[tuple[Fields, ...]] = ([], _IP4, [*_IP4, ("option", ">u4")], _IP6, [*_IP6, ("hop", ">u8")])
_PORTS = [("src_port", ">u2"), ("dst_port", ">u2")]
_TCP = [
    *_PORTS,
    ("seq", ">u4"),
    ("ack", ">u4"),
    ("offset_flags", ">u2"),
    ("window", ">u2"),
    ("sum", ">u2"),
    ("urgent", ">u2"),
]
_ARP = [
    *[("hardware", ">u2"), ("proto", ">u2"), ("sizes", ">u2"), ("operation", ">u2"), ("from_mac", ">u2")],
    *[("from_host", ">u4"), ("from_ip", ">u4"), ("to_mac", ">u2"), ("to_host", ">u4"), ("to_ip", ">u4")],
]
_TRANSPORT: Final[tuple[Fields, ...]] = (
    _ARP,
    _TCP,
    [*_TCP, ("mss", ">u4")],
    [*_PORTS, ("udp_length", ">u2"), ("sum", ">u2")],
    [("type_code", ">u2"), ("sum", ">u2"), ("echo_id", ">u2"), ("echo_seq", ">u2")],
    [],
)

_ROUTER_ALERT_4 = 0x94040000  # RFC 2113
_ROUTER_ALERT_6 = 0x0005020000_0100  # RFC 2711 in a hop-by-hop header; the first byte is the next header
_PREFIX_6_CLIENT = 0x20010002_0000_0001  # 2001:2::/48, for benchmarks (RFC 5180)
_PREFIX_6_SERVER = 0x20010002_0000_0002
_NET_CLIENT = 10 << 24
_NET_SERVER = 198 << 24 | 18 << 16  # 198.18.0.0/15, for benchmarks (RFC 2544)
_MAC = 0x0200  # locally administered


def network_of(flows: Flows) -> I64:
    """The network header of each flow."""
    return np.select([flows.version == 4, flows.version == 6], [IP4 + flows.option, IP6 + flows.option], NONE)


def transport_of(flows: Flows) -> I64:
    """The transport header of each flow; SYN segments and later fragments differ."""
    by_kind = np.full(len(Kind), UDP, np.int64)
    by_kind[list(TCP_KINDS)] = TCP
    by_kind[Kind.ICMP], by_kind[Kind.ARP] = ICMP, ARP
    return by_kind[flows.kind]


def header_bytes(flows: Flows) -> I64:
    """Bytes of all headers of an ordinary packet of each flow."""
    network, transport = np.array(NETWORK_BYTES), np.array(TRANSPORT_BYTES)
    total: I64 = 14 + 4 * flows.tags + network[network_of(flows)] + transport[transport_of(flows)]
    return total


@lru_cache(maxsize=SHAPES)
def row_type(tags: int, network: int, transport: int) -> np.dtype[Any]:
    """The record type of a shape."""
    fields = _RECORD + _ETHERNET + _TAGS[tags] + [("ether_type", ">u2")] + _NETWORK[network] + _TRANSPORT[transport]
    return np.dtype(fields)


def _word_sum(rows: Rows, start: int, stop: int) -> U64:
    """Sum of the big-endian 16-bit words in bytes start..stop of each row."""
    words = rows.view(np.uint8).reshape(len(rows), -1)[:, start:stop]
    total: U64 = np.ascontiguousarray(words).view(">u2").astype(np.uint64).sum(axis=1, dtype=np.uint64)
    return total


def _folded(total: U64) -> U64:
    """One's complement sum in 16 bits (RFC 1071)."""
    for _ in range(4):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return total


def _swapped(total: U64) -> U64:
    """The sum of the same bytes one position further along."""
    total = _folded(total)
    return ((total & np.uint64(0xFF)) << np.uint64(8)) | (total >> np.uint64(8))


class Wanted:
    """The columns of the packets of one shape that are to be written; one element each."""

    def __init__(self, **columns: NDArray[Any]) -> None:
        self.__dict__.update(columns)

    flow: I64
    client: I64
    server: I64
    forward: NDArray[np.bool_]
    flags: I64
    payload: I64
    prefix: I64
    padding: I64
    cut_sum: U64
    fragment: I64
    rest: I64  # payload bytes in the second fragment
    seq: I64
    ack: I64
    time: I64
    number: I64
    vlan: I64
    client_port: I64
    server_port: I64
    prefix_bytes: NDArray[np.uint8]


def _link(rows: Rows, want: Wanted, tags: int, ether_type: int) -> None:
    micros = want.time // 1000
    rows["sec"], rows["usec"] = micros // 1_000_000, micros % 1_000_000
    length = rows.dtype.itemsize - RECORD_BYTES + want.payload + want.padding
    rows["captured"] = rows["wire"] = length
    rows["dst_mac"] = rows["src_mac"] = _MAC
    server_host = want.server + (1 << 28)
    rows["src_host"] = np.where(want.forward, want.client, server_host)
    rows["dst_host"] = np.where(want.forward, server_host, want.client)
    if tags:
        rows["tpid"], rows["tci"] = 0x8100, want.vlan
    if tags == 2:
        rows["outer_tpid"], rows["outer_tci"] = 0x88A8, want.vlan + 1000
    rows["ether_type"] = ether_type


def _arp(rows: Rows, want: Wanted) -> None:
    rows["hardware"], rows["proto"], rows["sizes"] = 1, 0x0800, 0x0604
    rows["operation"] = np.where(want.forward, 1, 2)
    rows["from_mac"], rows["from_host"] = rows["src_mac"], rows["src_host"]
    rows["to_mac"] = np.where(want.forward, 0, _MAC)
    rows["to_host"] = np.where(want.forward, 0, want.client)
    rows["from_ip"] = np.where(want.forward, _NET_CLIENT + want.client, _NET_CLIENT + (1 << 23) + want.server)
    rows["to_ip"] = np.where(want.forward, _NET_CLIENT + (1 << 23) + want.server, _NET_CLIENT + want.client)
    asked = want.forward
    rows["dst_mac"] = np.where(asked, 0xFFFF, rows["dst_mac"])
    rows["dst_host"] = np.where(asked, 0xFFFFFFFF, rows["dst_host"])


def _network(rows: Rows, want: Wanted, network: int, transport: int) -> None:
    start = rows.dtype.itemsize - NETWORK_BYTES[network] - TRANSPORT_BYTES[transport]
    client, server = want.client, want.server
    behind = TRANSPORT_BYTES[transport] + want.payload
    protocol = 58 if transport == ICMP and network >= IP6 else PROTOCOL[transport]
    if network <= IP4_OPTIONS:
        rows["ver_ihl"] = 0x40 | NETWORK_BYTES[network] // 4
        rows["total"] = NETWORK_BYTES[network] + behind
        pair = np.where(want.fragment == 2, want.number - 1, want.number)
        rows["id"] = (want.flow * 40503 + pair) & 0xFFFF
        rows["frag"] = np.select([want.fragment == 1, want.fragment == 2], [0x2000, 1480 // 8], 0x4000)
        rows["ttl"] = np.where(want.forward, 64, 57)
        rows["protocol"] = protocol
        rows["src"] = np.where(want.forward, _NET_CLIENT + client, _NET_SERVER + server)
        rows["dst"] = np.where(want.forward, _NET_SERVER + server, _NET_CLIENT + client)
        if network == IP4_OPTIONS:
            rows["option"] = _ROUTER_ALERT_4
        rows["header_sum"] = 0xFFFF - _folded(_word_sum(rows, start, start + NETWORK_BYTES[network]))
        return
    rows["ver"], rows["length"] = 0x60000000, NETWORK_BYTES[network] - 40 + behind
    rows["next"], rows["hop_limit"] = protocol, np.where(want.forward, 64, 57)
    rows["src_hi"] = np.where(want.forward, _PREFIX_6_CLIENT, _PREFIX_6_SERVER)
    rows["dst_hi"] = np.where(want.forward, _PREFIX_6_SERVER, _PREFIX_6_CLIENT)
    rows["src"] = np.where(want.forward, client, server) + 1
    rows["dst"] = np.where(want.forward, server, client) + 1
    if network == IP6_HOP:
        rows["next"] = 0
        rows["hop"] = protocol << 56 | _ROUTER_ALERT_6


def _transport(rows: Rows, want: Wanted, network: int, transport: int) -> None:
    if transport in (TCP, TCP_SYN, UDP):
        rows["src_port"] = np.where(want.forward, want.client_port, want.server_port)
        rows["dst_port"] = np.where(want.forward, want.server_port, want.client_port)
    if transport in (TCP, TCP_SYN):
        rows["seq"], rows["ack"], rows["window"] = want.seq, want.ack, 64240
        rows["offset_flags"] = TRANSPORT_BYTES[transport] // 4 << 12 | want.flags
    if transport == TCP_SYN:
        rows["mss"] = 0x020405B4
    if transport == UDP:
        whole = 8 + want.payload
        rows["udp_length"] = np.where(want.fragment == 1, whole + want.rest, whole)
    if transport == ICMP:
        request, reply = (128, 129) if network >= IP6 else (8, 0)
        rows["type_code"] = np.where(want.forward, request, reply) << 8
        rows["echo_id"], rows["echo_seq"] = want.flow & 0xFFFF, want.number // 2
    _checksum(rows, want, network, transport)


def _checksum(rows: Rows, want: Wanted, network: int, transport: int) -> None:
    """The transport checksum; a UDP datagram in fragments goes without (0, RFC 768)."""
    size = rows.dtype.itemsize
    start = size - TRANSPORT_BYTES[transport]
    network_start = start - NETWORK_BYTES[network]
    prefix = np.ascontiguousarray(want.prefix_bytes).view(">u2").astype(np.uint64).sum(axis=1, dtype=np.uint64)
    odd = want.prefix % 2 == 1
    total = _word_sum(rows, start, size) + prefix + np.where(odd, _swapped(want.cut_sum), want.cut_sum)
    addresses = (
        (network_start + 12, network_start + 20) if network <= IP4_OPTIONS else (network_start + 8, network_start + 40)
    )
    if not (transport == ICMP and network <= IP4_OPTIONS):
        protocol = 58 if transport == ICMP else PROTOCOL[transport]
        total += _word_sum(rows, *addresses)
        total += (TRANSPORT_BYTES[transport] + want.payload).astype(np.uint64) + np.uint64(protocol)
    value = 0xFFFF - _folded(total)
    if transport == UDP:
        value = np.where(want.fragment > 0, 0, np.where(value == 0, 0xFFFF, value))
    rows["sum"] = value


def make_rows(want: Wanted, tags: int, network: int, transport: int) -> NDArray[np.uint8]:
    """Rows of one shape as bytes, shape (packets, bytes of the shape's headers)."""
    rows: Rows = np.zeros(len(want.flow), row_type(tags, network, transport))
    ether_type = 0x0806 if network == NONE else 0x0800 if network <= IP4_OPTIONS else 0x86DD
    _link(rows, want, tags, ether_type)
    if transport == ARP:
        _arp(rows, want)
    else:
        _network(rows, want, network, transport)
        if transport != REST:
            _transport(rows, want, network, transport)
    return rows.view(np.uint8).reshape(len(rows), -1)
