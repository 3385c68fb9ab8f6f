"""Rows of the table to `FLOW` records: what leaves the sensor."""

from __future__ import annotations

import numpy as np
from numba import int64, njit

from app.flow import layout as at
from app.model.layers import CONN_STATES

_CODE = {name: i for i, name in enumerate(CONN_STATES)}
OTH, S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR = range(len(CONN_STATES))
KEY, TUNNEL, FIRST, LAST, PACKETS, BYTES, PAYLOAD, FLOW_ID, STATE = (
    at.KEY,
    at.TUNNEL,
    at.FIRST,
    at.LAST,
    at.PACKETS,
    at.BYTES,
    at.PAYLOAD,
    at.FLOW_ID,
    at.STATE,
)
A_HI, A_LO = at.A_HI, at.A_LO
SYN, SYN_ACK, ACKED, DATA, FIN, RST = (
    at.SEEN_SYN,
    at.SEEN_SYN_ACK,
    at.SEEN_ACK,
    at.SEEN_DATA,
    at.SEEN_FIN,
    at.SEEN_RST,
)
CARRIER, ROUND_TRIP = at.CARRIER, at.ROUND_TRIP
IN_MS = at.ROUND_TRIP_UNIT_NS / 1e6
SEEN_SHIFT, FLAGS_SHIFT, ORIGINATOR_B, ORIGINATOR_CERTAIN = (
    at.SEEN_SHIFT,
    at.FLAGS_SHIFT,
    at.ORIGINATOR_B,
    at.ORIGINATOR_CERTAIN,
)
INTERFACE, HISTORY, RTT, RETRANSMISSIONS, OUT_OF_ORDER = (
    at.INTERFACE,
    at.HISTORY,
    at.RTT,
    at.RETRANSMISSIONS,
    at.OUT_OF_ORDER,
)


@njit(nogil=True, error_model="numpy")
def tcp_state(orig, resp):
    """Zeek's conn_state of a TCP flow from the history bits of both directions (base/protocols/conn/main.zeek)."""
    if orig & SYN == 0 and resp & SYN_ACK == 0:
        return OTH
    if orig & SYN == 0:  # half of it missing: SYN-ACK without SYN
        if resp & RST:
            return RSTRH
        if resp & FIN and orig == 0:
            return SHR
        if orig == 0:
            return OTH
    if orig & FIN and resp & FIN:
        return SF
    if orig & RST:
        return RSTO if resp & SYN_ACK else RSTOS0
    if resp & RST:
        return RSTR if resp & SYN_ACK else REJ
    if resp & SYN_ACK == 0 and resp == 0:
        return SH if orig & FIN else S0
    if orig & FIN:
        return S2
    if resp & FIN:
        return S3
    return S1


@njit(nogil=True, error_model="numpy")
def write_record(rows, tcp, r, ended, f):
    """Fill the record f from slot r. ended: index into ENDINGS."""
    state = rows[r, STATE]
    o = 1 if state & ORIGINATOR_B else 0  # direction of the originator
    p = 1 - o
    key = rows[r, KEY]
    f.flow_id = rows[r, FLOW_ID]
    f.src_hi, f.src_lo = rows[r, A_HI + 2 * o], rows[r, A_LO + 2 * o]
    f.dst_hi, f.dst_lo = rows[r, A_HI + 2 * p], rows[r, A_LO + 2 * p]
    f.start, f.end = rows[r, FIRST], rows[r, LAST]
    f.src_packets, f.dst_packets = rows[r, PACKETS + o], rows[r, PACKETS + p]
    f.src_bytes, f.dst_bytes = rows[r, BYTES + o], rows[r, BYTES + p]
    f.src_payload, f.dst_payload = rows[r, PAYLOAD + o], rows[r, PAYLOAD + p]
    f.src_port = (key >> (48 - 16 * o)) & 0xFFFF
    f.dst_port = (key >> (48 - 16 * p)) & 0xFFFF
    f.vlan = (key >> 16) & 0xFFF
    f.protocol = key & 0xFF
    f.ip_version = (key >> 8) & 0xF
    f.tunnel = rows[r, TUNNEL] & 0xFFFFFFFF
    f.depth = rows[r, TUNNEL] >> 32
    f.interface = tcp[r, INTERFACE]
    f.slot = r
    f.src_flags = (state >> (FLAGS_SHIFT + 8 * o)) & 0xFF
    f.dst_flags = (state >> (FLAGS_SHIFT + 8 * p)) & 0xFF
    f.history_0, f.history_1, f.history_2 = tcp[r, HISTORY], tcp[r, HISTORY + 1], tcp[r, HISTORY + 2]
    f.ended = ended
    one_way = (key >> 15) & 1
    f.kind = (1 if state & ORIGINATOR_CERTAIN else 0) | (2 if state & CARRIER else 0) | one_way << 2
    f.src_entropy, f.dst_entropy = np.nan, np.nan
    f.src_rtt_ms, f.dst_rtt_ms, f.src_rtt_min_ms, f.dst_rtt_min_ms = 0.0, 0.0, 0.0, 0.0
    orig, resp = (state >> (SEEN_SHIFT * o)) & 0xFF, (state >> (SEEN_SHIFT * p)) & 0xFF
    if key & 0xFF == 6:
        f.rtt_ns = tcp[r, RTT]
        f.src_retransmissions, f.dst_retransmissions = tcp[r, RETRANSMISSIONS + o], tcp[r, RETRANSMISSIONS + p]
        f.src_out_of_order, f.dst_out_of_order = tcp[r, OUT_OF_ORDER + o], tcp[r, OUT_OF_ORDER + p]
        f.conn_state = tcp_state(orig, resp)
        there, back = tcp[r, ROUND_TRIP + o], tcp[r, ROUND_TRIP + p]
        f.src_rtt_ms, f.src_rtt_min_ms = (there & 0xFFFFFFFF) * IN_MS, (there >> 32 & 0xFFFFFFFF) * IN_MS
        f.dst_rtt_ms, f.dst_rtt_min_ms = (back & 0xFFFFFFFF) * IN_MS, (back >> 32 & 0xFFFFFFFF) * IN_MS
    else:
        f.rtt_ns = int64(-1)
        f.src_retransmissions, f.dst_retransmissions, f.src_out_of_order, f.dst_out_of_order = 0, 0, 0, 0
        if key & 0xFF == 17:
            f.conn_state = SF if f.dst_packets else S0
        else:
            f.conn_state = OTH
