"""Attempts to reach something, counted per source and target, port and service in tables of fixed size (`app.flow.contact_layout`).

An attempt is a packet that begins something: a SYN, a TCP packet with flags that no connection sends, the first datagram or ICMP request (echo, time stamp,
information, mask) of a flow. Packets
that answer mark what they answer. A full bucket gives up the row with the fewest items: strangers of a flood push out each other, not the scanner.
"""

from __future__ import annotations

from numba import from_dtype, int64, njit, types

from app.flow import contact_layout as at
from app.flow.index_kernels import hash_key
from app.model.layers import KIND_FIRST_OF_FLOW, KIND_LATER_FRAGMENT
from app.native.declare import kernel
from app.wire.records import PACKET_DTYPE

TAG, A_HI, A_LO, B_HI, B_LO, KEY, FIRST, LAST = at.TAG, at.A_HI, at.A_LO, at.B_HI, at.B_LO, at.KEY, at.FIRST, at.LAST
ATTEMPTS, ANSWERS, REFUSALS, KINDS = at.ATTEMPTS, at.ANSWERS, at.REFUSALS, at.KINDS
SECOND, IN_SECOND, PEAK, DISTINCT, LISTED = at.SECOND, at.IN_SECOND, at.PEAK, at.DISTINCT, at.LISTED
PACKETS, FLOWS, TIMES, PAYLOAD, SIDE, ITEMS, ANSWERED = (
    at.PACKETS,
    at.FLOWS,
    at.TIMES,
    at.PAYLOAD,
    at.SIDE,
    at.ITEMS,
    at.ANSWERED,
)
COLUMNS, WAYS, IDLE_NS, LONGEST_NS, BITS = at.COLUMNS, at.WAYS, at.IDLE_NS, at.LONGEST_NS, at.BITS
LISTED_FROM_ITEMS, LISTED_FROM_RATE, LIST_SIZE = at.LISTED_FROM_ITEMS, at.LISTED_FROM_RATE, at.LIST_SIZE
PAIRS, PORTS, TARGETS, SERVICES = at.PAIRS, at.PORTS, at.TARGETS, at.SERVICES
LISTS, LOST, UNLISTED, BURSTS, SILENCE_NS = at.LISTS, at.LOST, at.UNLISTED, at.BURSTS, at.SILENCE_NS
BY_SYN, BY_FIN, BY_NULL, BY_XMAS, BY_ACK = at.BY_SYN, at.BY_FIN, at.BY_NULL, at.BY_XMAS, at.BY_ACK
BY_UDP, BY_ODD, BY_ICMP, BY_SCTP = at.BY_UDP, at.BY_ODD, at.BY_ICMP, at.BY_SCTP

TRACEROUTE_FIRST, TRACEROUTE_LAST = 33434, 33534  # UDP ports that traceroute counts through
NS = 1_000_000_000

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def find(table, a_hi, a_lo, b_hi, b_lo, key, seeds):
    """(row or -1, first row of the bucket, tag)."""
    h = int64(hash_key(a_hi, a_lo, b_hi, b_lo, key, 0, seeds))
    bucket = (h % (len(table) // WAYS)) * WAYS
    tag = h | (int64(1) << 40)
    for k in range(bucket, bucket + WAYS):
        if (
            table[k, TAG] == tag
            and table[k, A_LO] == a_lo
            and table[k, B_LO] == b_lo
            and table[k, KEY] == key
            and table[k, A_HI] == a_hi
            and table[k, B_HI] == b_hi
        ):
            return int64(k), bucket, tag
    return int64(-1), bucket, tag


@njit(forceinline=True, **_OPTIONS)
def clear(table, k, ts):
    for c in range(FIRST, COLUMNS):
        if c != LISTED:
            table[k, c] = 0
    table[k, FIRST] = ts


@njit(**_OPTIONS)
def touch(table, a_hi, a_lo, b_hi, b_lo, key, ts, seeds, meta, number):
    """The row of a key, begun where there is none or it is too old."""
    k, bucket, tag = find(table, a_hi, a_lo, b_hi, b_lo, key, seeds)
    if k >= 0:
        if ts - table[k, LAST] > IDLE_NS or ts - table[k, FIRST] > LONGEST_NS:
            clear(table, k, ts)
        return k
    worst = int64(-1)
    for i in range(bucket, bucket + WAYS):
        if table[i, TAG] == 0 or ts - table[i, LAST] > IDLE_NS:
            worst = int64(i)
            break
        if (
            worst < 0
            or table[i, DISTINCT] < table[worst, DISTINCT]
            or (table[i, DISTINCT] == table[worst, DISTINCT] and table[i, LAST] < table[worst, LAST])
        ):
            worst = int64(i)
    if table[worst, TAG] != 0 and ts - table[worst, LAST] <= IDLE_NS:
        meta[LOST + number] += 1
    clear(table, worst, ts)
    table[worst, TAG] = tag
    table[worst, A_HI], table[worst, A_LO], table[worst, B_HI], table[worst, B_LO] = a_hi, a_lo, b_hi, b_lo
    table[worst, KEY] = key
    return worst


@njit(forceinline=True, **_OPTIONS)
def port_bit(port):
    """Ports that follow each other have bits of their own."""
    return (port + (port >> 9) * 37) & (BITS - 1)


@njit(forceinline=True, **_OPTIONS)
def host_bit(hi, lo):
    """So do addresses."""
    mixed = (lo >> 9) * int64(0x9E3779B97F4A7C1) ^ hi * int64(0x2545F4914F6CDD1D)
    return (lo + (mixed >> 20)) & (BITS - 1)


@njit(forceinline=True, **_OPTIONS)
def network_bit(hi, lo, version):
    """One of 256, by the /24 of an IPv4 address, the /64 of an IPv6 one."""
    network = lo >> 8 if version == 4 else hi
    return (network + (network >> 8) * 113 + (network >> 20) * 31) & 255


@njit(forceinline=True, **_OPTIONS)
def note(table, k, bit, side, kind, ts, second, payload, packet_id, flow_id, meta, lists, number):
    """Count one attempt in row k."""
    n = table[k, ATTEMPTS]
    table[k, ATTEMPTS] = n + 1
    table[k, LAST] = max(table[k, LAST], ts)
    table[k, KINDS] |= kind
    table[k, PAYLOAD] += payload
    word, mask = bit >> 6, int64(1) << (bit & 63)
    if table[k, ITEMS + word] & mask == 0:
        table[k, ITEMS + word] |= mask
        table[k, DISTINCT] += 1
    if side >= 0:
        table[k, SIDE + (side >> 6)] |= int64(1) << (side & 63)
    place = min(n, 3)
    table[k, PACKETS + place] = packet_id
    table[k, FLOWS + place] = flow_id
    table[k, TIMES + place] = ts
    if table[k, SECOND] != second:
        table[k, SECOND] = second
        table[k, IN_SECOND] = 0
    table[k, IN_SECOND] += 1
    table[k, PEAK] = max(table[k, PEAK], table[k, IN_SECOND])
    if table[k, LISTED] == 0 and (table[k, DISTINCT] >= LISTED_FROM_ITEMS or table[k, IN_SECOND] >= LISTED_FROM_RATE):
        length = meta[LISTS + number]
        if length < LIST_SIZE:
            lists[number, length] = k
            meta[LISTS + number] = length + 1
            table[k, LISTED] = 1
        else:
            meta[UNLISTED + number] += 1


@njit(forceinline=True, **_OPTIONS)
def mark_answered(table, k, bit):
    """True when the item of row k had been tried and had not answered before."""
    word, mask = bit >> 6, int64(1) << (bit & 63)
    if table[k, ITEMS + word] & mask == 0 or table[k, ANSWERED + word] & mask != 0:
        return False
    table[k, ANSWERED + word] |= mask
    table[k, ANSWERS] += 1
    return True


@njit(forceinline=True, **_OPTIONS)
def tcp_kind(flags, first, payload):
    """How a TCP packet tries to reach something; 0 = it does not."""
    f = flags & 0x3F
    if f & 0x17 == 2:  # SYN without ACK, FIN, RST
        return BY_ODD if f & 0x20 else BY_SYN
    if f == 0:
        return BY_NULL
    if f & 0x17 == 1:  # FIN without ACK
        return BY_XMAS if f & 0x28 == 0x28 else BY_FIN
    if f & 0x07 == 3 or f & 0x06 == 6 or f & 0x29 == 0x29:  # SYN+FIN, SYN+RST, FIN+PSH+URG
        return BY_ODD
    if f & 0x17 == 0:  # PSH or URG alone
        return BY_ODD
    if first and payload == 0 and (f == 0x10 or f == 0x11):  # ACK or FIN+ACK out of nothing
        return BY_ACK
    return 0


@njit(forceinline=True, **_OPTIONS)
def probes_service(src_port, dst_port, payload):
    """A first datagram from a service's port to a higher one: no answer where it is empty, or where the higher one is a service's too. Clients with
    such ports are those of DHCP and of the port mapper."""
    of_clients = src_port == 67 or src_port == 68 or src_port == 111 or src_port == 546 or src_port == 547
    return (payload == 0 or dst_port < 1024) and not of_clients


@njit(forceinline=True, **_OPTIONS)
def answered(pairs, ports, services, p, proto, port, bit, refused, seeds):
    """A packet from src:port to dst in answer to dst's attempt."""
    k, _, _ = find(pairs, int64(p.dst_hi), int64(p.dst_lo), int64(p.src_hi), int64(p.src_lo), proto, seeds)
    if k < 0:
        return
    if refused:
        word, mask = port_bit(port) >> 6, int64(1) << (port_bit(port) & 63)
        if pairs[k, ITEMS + word] & mask:
            pairs[k, REFUSALS] += 1
        return
    if not mark_answered(pairs, k, port_bit(port)):
        return
    key = port << 8 | proto
    k, _, _ = find(ports, int64(p.dst_hi), int64(p.dst_lo), 0, 0, key, seeds)
    if k >= 0:
        mark_answered(ports, k, host_bit(int64(p.src_hi), int64(p.src_lo)))
    k, _, _ = find(services, int64(p.src_hi), int64(p.src_lo), 0, 0, key, seeds)
    if k >= 0:
        mark_answered(services, k, host_bit(int64(p.dst_hi), int64(p.dst_lo)))


_TABLE = types.int64[:, ::1]
SIGNATURE = types.intp(
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.intp,
    types.uint64[::1],
    types.int64,
    _TABLE,
    _TABLE,
    _TABLE,
    _TABLE,
    types.int64[::1],
    _TABLE,
    types.uint64[::1],
    types.int64[::1],
    types.int64[::1],
)


@kernel(SIGNATURE)
def note_contacts(
    packets, begin, end, flow_ids, first_id, pairs, ports, targets, services, meta, lists, seeds, spoke, bursts
):
    """Count the attempts and answers among packets[begin:end]; returns how many attempts there were.

    bursts[:meta[BURSTS]]: indices of packets with payload in flows that had been silent for SILENCE_NS, or that are their flow's first ones.
    spoke: int64[rows of the flow table], when each flow last carried payload."""
    count = 0
    meta[BURSTS] = 0
    for i in range(begin, end):
        p = packets[i]
        proto = int64(p.protocol)
        if p.ip_version == 0 or p.kind & KIND_LATER_FRAGMENT or p.depth > 1:
            continue
        first = p.kind & KIND_FIRST_OF_FLOW != 0
        row = int64(p.flow)
        if row >= 0 and (p.payload_len > 0 or first):
            if first or int64(p.ts) - spoke[row] > SILENCE_NS:
                bursts[meta[BURSTS]] = i
                meta[BURSTS] += 1
            spoke[row] = int64(p.ts)
        src_port, dst_port = int64(p.src_port), int64(p.dst_port)
        kind = int64(0)
        if proto == 6:
            flags = int64(p.tcp_flags)
            if flags & 0x17 == 0x10 and not first:
                continue
            if flags & 0x17 == 0x12:
                answered(pairs, ports, services, p, proto, src_port, 0, False, seeds)
                continue
            if flags & 0x04 and flags & 0x02 == 0:
                answered(pairs, ports, services, p, proto, src_port, 0, True, seeds)
                continue
            kind = int64(tcp_kind(flags, first, int64(p.payload_len)))
            if kind == BY_ACK and src_port <= dst_port:
                continue
        elif proto == 17:
            if not first:
                answered(pairs, ports, services, p, proto, src_port, 0, False, seeds)
                continue
            if (
                src_port < dst_port
                and src_port < 10000
                and not probes_service(src_port, dst_port, int64(p.payload_len))
            ):
                continue  # an answer whose question was not seen, or two servers
            if TRACEROUTE_FIRST <= dst_port <= TRACEROUTE_LAST:
                continue
            kind = int64(BY_UDP)
        elif proto == 1 or proto == 58:
            if (proto == 1 and (src_port == 8 or src_port == 13 or src_port == 15 or src_port == 17)) or (
                proto == 58 and src_port == 128
            ):
                if first:
                    kind = int64(BY_ICMP)
            elif src_port == 129 or (
                proto == 1 and (src_port == 0 or src_port == 14 or src_port == 16 or src_port == 18)
            ):
                k, _, _ = find(ports, int64(p.dst_hi), int64(p.dst_lo), 0, 0, proto, seeds)
                if k >= 0:
                    mark_answered(ports, k, host_bit(int64(p.src_hi), int64(p.src_lo)))
                continue
            dst_port = int64(0)
        elif proto == 132 and first:
            kind = int64(BY_SCTP)
        if kind == 0:
            continue
        count += 1
        ts, second = int64(p.ts), int64(p.ts) // NS
        s_hi, s_lo, d_hi, d_lo = int64(p.src_hi), int64(p.src_lo), int64(p.dst_hi), int64(p.dst_lo)
        payload, packet_id, flow_id = int64(p.payload_len), first_id + i, int64(flow_ids[i])
        key = dst_port << 8 | proto
        k = touch(ports, s_hi, s_lo, 0, 0, key, ts, seeds, meta, PORTS)
        network = network_bit(d_hi, d_lo, int64(p.ip_version))
        note(ports, k, host_bit(d_hi, d_lo), network, kind, ts, second, payload, packet_id, flow_id, meta, lists, PORTS)
        if kind == BY_ICMP:
            continue
        k = touch(pairs, s_hi, s_lo, d_hi, d_lo, proto, ts, seeds, meta, PAIRS)
        note(pairs, k, port_bit(dst_port), -1, kind, ts, second, payload, packet_id, flow_id, meta, lists, PAIRS)
        if proto == 17 and src_port < 1024 and src_port != dst_port:
            continue  # a service's port: as likely an answer to a forged question as a scan
        side = host_bit(s_hi, s_lo) & 255
        k = touch(targets, d_hi, d_lo, 0, 0, proto, ts, seeds, meta, TARGETS)
        note(targets, k, port_bit(dst_port), side, kind, ts, second, payload, packet_id, flow_id, meta, lists, TARGETS)
        k = touch(services, d_hi, d_lo, 0, 0, key, ts, seeds, meta, SERVICES)
        note(
            services, k, host_bit(s_hi, s_lo), -1, kind, ts, second, payload, packet_id, flow_id, meta, lists, SERVICES
        )
    return count
