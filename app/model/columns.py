"""The record layouts that cross a border: source → decoder → flow table → link → web.

Each layout is a tuple of (name, NumPy format) pairs, little-endian, laid out without padding beyond what is
written here, so that the sensor and the web process agree on the bytes. `numpy.dtype(list(FRAME))` makes the
array type; this module itself needs no NumPy (floor 0 is standard library only).

Addresses are two 64-bit halves in host order, high half first; IPv4 is stored as the IPv4-mapped
form ::ffff:a.b.c.d (RFC 4291 § 2.5.5.2) with ip_version = 4. Times are integer nanoseconds since the epoch.
"""

from __future__ import annotations

from typing import Final

Layout = tuple[tuple[str, str], ...]

# One captured frame, as a source hands it over. 32 bytes.
FRAME: Final[Layout] = (
    ("ts", "<i8"),  # capture time, ns since the epoch
    ("offset", "<u4"),  # where the frame starts in the block's buffer
    ("cap_len", "<u4"),  # bytes present in the buffer
    ("wire_len", "<u4"),  # bytes on the wire; includes a VLAN tag the kernel took out (see vlan_tpid)
    ("interface", "<u2"),  # index into the source's list of interfaces
    ("link_type", "<u2"),  # LINKTYPE_ number of the frame (tcpdump.org/linktypes.html)
    ("vlan_tci", "<u2"),  # tag that the kernel moved into the ring header, 0 if none
    ("vlan_tpid", "<u2"),  # its TPID (0x8100, 0x88a8); 0 = the frame is as it was on the wire
    ("reserved", "<u4"),
)

# One decoded frame. The columns that every later stage reads. 96 bytes.
PACKET: Final[Layout] = (
    ("ts", "<i8"),
    ("src_hi", "<u8"),
    ("src_lo", "<u8"),
    ("dst_hi", "<u8"),
    ("dst_lo", "<u8"),
    ("src_port", "<u2"),  # ICMP: type
    ("dst_port", "<u2"),  # ICMP: type of the counterpart, or the code (Community ID v1)
    ("protocol", "u1"),  # IP protocol number of the innermost header; 255 where there is no IP
    ("ip_version", "u1"),  # 4, 6, or 0 where there is no IP
    ("tcp_flags", "u1"),  # FIN 1 SYN 2 RST 4 PSH 8 ACK 16 URG 32 ECE 64 CWR 128
    ("depth", "u1"),  # number of tunnels around the innermost header
    ("wire_len", "<u4"),
    ("seq", "<u4"),
    ("ack", "<u4"),
    ("layers", "<u4"),  # bit set of what the frame carries, see app.model.layers
    ("offset", "<u4"),  # of the frame, in the block's buffer
    ("cap_len", "<u4"),
    ("payload_offset", "<u2"),  # of the layer-4 payload from the start of the frame
    ("window", "<u2"),
    ("payload_len", "<u4"),  # layer-4 payload on the wire, from the IP length; captured may be less
    ("vlan", "<u2"),  # outermost VLAN id, 0 if none
    ("interface", "<u2"),
    ("reason", "u1"),  # 0 = decoded, else why not: see app.model.layers.REASONS
    # bit 0: IP fragment; 1: not the first fragment; 2: one-way ICMP; 3: payload cut by the snap length; 4: no whole transport
    # header, belongs to no flow; 5: retransmission; 6: out of order; 7: first packet of its flow
    ("kind", "u1"),
    ("link_type", "<u2"),
    ("tunnel", "<u4"),  # hash of the outer headers' identity (VNI, TEID, key, outer addresses), 0 without a tunnel
    ("flow", "<i4"),  # row in the flow table, -1 where the packet belongs to none; filled in by the flow stage
)

# One flow as it leaves the sensor: src is the originator. 200 bytes.
FLOW: Final[Layout] = (
    ("flow_id", "<u8"),  # unique in one run of the sensor, increasing; 0 is never used
    ("src_hi", "<u8"),
    ("src_lo", "<u8"),
    ("dst_hi", "<u8"),
    ("dst_lo", "<u8"),
    ("start", "<i8"),
    ("end", "<i8"),  # time of the last packet
    ("src_packets", "<u8"),
    ("dst_packets", "<u8"),
    ("src_bytes", "<u8"),  # frame bytes on the wire
    ("dst_bytes", "<u8"),
    ("src_payload", "<u8"),  # layer-4 payload bytes
    ("dst_payload", "<u8"),
    ("rtt_ns", "<i8"),  # SYN to the ACK that ends the handshake; -1 = not seen
    ("src_port", "<u2"),
    ("dst_port", "<u2"),
    ("vlan", "<u2"),
    ("interface", "<u2"),
    ("tunnel", "<u4"),
    ("src_retransmissions", "<u4"),
    ("dst_retransmissions", "<u4"),
    ("src_out_of_order", "<u4"),
    ("dst_out_of_order", "<u4"),
    ("slot", "<u4"),  # row of the sensor's table, for its own use
    ("protocol", "u1"),
    ("ip_version", "u1"),
    ("src_flags", "u1"),  # all TCP flags seen from the originator
    ("dst_flags", "u1"),
    ("conn_state", "u1"),  # index into app.model.layers.CONN_STATES
    ("ended", "u1"),  # index into app.model.layers.ENDINGS; 0 = still active
    ("depth", "u1"),
    (
        "kind",
        "u1",
    ),  # bit 0: originator certain (SYN seen); 1: outer datagrams of a tunnel, whose packets are in flows of their own; 2: one-way ICMP
    ("history", "S24"),  # Zeek's letters, NUL-padded; longer histories are cut
    ("src_entropy", "<f4"),  # bits per byte; NaN = not measured
    ("dst_entropy", "<f4"),
    # from a segment of this end, as it passes here, to its acknowledgement; 0 = not measured
    ("src_rtt_ms", "<f4"),  # smoothed
    ("dst_rtt_ms", "<f4"),
    ("src_rtt_min_ms", "<f4"),
    ("dst_rtt_min_ms", "<f4"),
)

# One packet of the live list, with the first payload bytes. 168 bytes.
PACKET_ROW: Final[Layout] = (
    ("packet_id", "<u8"),  # number of the packet in this run, from 1
    ("flow_id", "<u8"),  # 0 = none
    ("ts", "<i8"),
    ("src_hi", "<u8"),
    ("src_lo", "<u8"),
    ("dst_hi", "<u8"),
    ("dst_lo", "<u8"),
    ("src_port", "<u2"),
    ("dst_port", "<u2"),
    ("protocol", "u1"),
    ("ip_version", "u1"),
    ("tcp_flags", "u1"),
    ("reason", "u1"),
    ("wire_len", "<u4"),
    ("cap_len", "<u4"),
    ("payload_len", "<u4"),
    ("seq", "<u4"),
    ("ack", "<u4"),
    ("layers", "<u4"),
    ("window", "<u2"),
    ("vlan", "<u2"),
    ("interface", "<u2"),
    ("ether_type", "<u2"),  # of frames without IP, else 0
    ("payload_kept", "<u2"),  # how many bytes of payload follow
    ("kind", "u1"),
    ("arp_operation", "u1"),
    ("cards", "<u4"),  # a payment card number in the payload: 0 not looked for, 1 none found, 2 found
    ("payload", "V64"),
)

# One bucket of a time ring. 80 bytes.
BUCKET: Final[Layout] = (
    ("start", "<i8"),  # seconds since the epoch, a multiple of the ring's step; 0 = unused
    ("packets", "<u8"),
    ("bytes", "<u8"),
    ("tcp_bytes", "<u8"),
    ("udp_bytes", "<u8"),
    ("icmp_bytes", "<u8"),  # ICMP and ICMPv6
    ("other_bytes", "<u8"),
    ("flows", "<u8"),  # new flows
    ("retransmissions", "<u8"),
    ("tcp_packets", "<u8"),  # TCP segments, the base of the retransmission rate
)

# One sample of a flow's entropy. Values are corrected estimates in bits per byte with a 95 % interval, NaN = nothing measured. `window` is the last
# packets of a direction, `life` its first bytes; `plain` is the uncorrected Shannon value of the life histogram. 144 bytes.
_ENTROPY_SIDE: Final = (
    ("value", "<f4"),  # window
    ("low", "<f4"),
    ("high", "<f4"),
    ("life", "<f4"),
    ("life_low", "<f4"),
    ("life_high", "<f4"),
    ("plain", "<f4"),
    ("level", "<f4"),  # running level that changes are compared with
    ("chi", "<f4"),  # χ² of the life histogram against equal frequencies
    ("serial", "<f4"),  # correlation of neighbouring bytes
    ("bytes", "<u4"),  # in the window
    ("life_bytes", "<u4"),
    ("expected_low", "<f4"),  # NaN: anything is expected
    ("expected_high", "<f4"),
    ("verdict", "u1"),  # of the window; index into app.model.entropy.VERDICTS
    ("life_verdict", "u1"),
)
ENTROPY: Final[Layout] = (
    ("flow_id", "<u8"),
    ("ts", "<i8"),
    *((f"{end}_{name}", form) for end in ("src", "dst") for name, form in _ENTROPY_SIDE),
    ("interface", "<u2"),
    ("alert", "u1"),  # bits: spike, drop, mismatch
    ("flags", "u1"),  # bit 0: the flow's last sample
    ("reserved", "<u4"),
    ("reserved_2", "<u4"),
)

# Steps of the time rings in seconds, and how many buckets each keeps: 10 minutes, 3 hours, 24 hours.
RINGS: Final[tuple[tuple[int, int], ...]] = ((1, 600), (10, 1080), (60, 1440))

LAYOUTS: Final[dict[str, Layout]] = {
    "frame": FRAME,
    "packet": PACKET,
    "flow": FLOW,
    "packet_row": PACKET_ROW,
    "bucket": BUCKET,
    "entropy": ENTROPY,
}
