"""Frames to columns: one pass over a block, from the link header to the innermost transport header.

The loop is a small machine: `nxt` says which header comes next (an EtherType or a code of `app.wire.codes`), `pos` where it starts.
Tunnels are headers like others; the innermost IP header wins. Nothing raises: a frame that cannot be decoded to its
end keeps what was found and a reason. Every load is checked against `end` (captured) first; lengths inside headers are
trusted only to shorten, never to reach beyond the frame.

Sources: RFC 791, 8200, 9293, 768, 9260, 792, 4443 (IP, TCP, UDP, SCTP, ICMP), 2784/2890/2637 (GRE, PPTP), 7348 (VXLAN), 8926
(GENEVE), 4380 (Teredo), 3GPP TS 29.281 (GTP-U), 3032 (MPLS), 2516 (PPPoE), IEEE 802.1Q/ad/ah.
"""

from __future__ import annotations

import numpy as np
from numba import from_dtype, types, uint64

from app.native.declare import kernel
from app.wire import codes as c
from app.wire.carrier_kernels import note_carrier, place_carrier
from app.wire.dns_kernels import dns_message
from app.wire.fragment_kernels import fragment_key, keep_ports, kept_ports
from app.wire.link_kernels import first_header
from app.wire.load_kernels import load16, load32, load64
from app.wire.lower_kernels import arp_addresses, is_lower_header, lower_header
from app.wire.records import FRAME_DTYPE, PACKET_DTYPE
from app.wire.transport_kernels import layer_of, small_transport
from app.wire.tunnel_kernels import (
    extension_headers,
    gre_header,
    rare_tunnel,
    tunnel_id,
    udp_tunnel,
)

V4_MAPPED = uint64(0xFFFF00000000)

SIGNATURE = types.void(
    types.Array(types.uint8, 1, "C", readonly=False),
    from_dtype(FRAME_DTYPE)[::1],
    types.intp,
    from_dtype(PACKET_DTYPE)[::1],
    types.uint64[::1],
    types.uint32[::1],
    types.int64[::1],
    from_dtype(PACKET_DTYPE)[::1],
)


@kernel(SIGNATURE)
def decode_block(buf, frames, n, out, fragment_keys, fragment_ports, clock, carriers):
    """Fill out[:n] from frames[:n].

    buf: uint8[bytes]; fragment_keys, fragment_ports: [FRAGMENT_SLOTS] state kept between blocks; clock[0]: the last known
    time, which stands in for frames without one (ts < 0). A frame that carries an IP packet in a UDP tunnel belongs to two flows: its
    outer datagram goes to `carriers`, clock[1] is their number afterwards."""
    limit = np.int64(len(buf))
    m = 0
    for i in range(n):
        f = frames[i]
        start = np.int64(f.offset)
        cap = np.int64(f.cap_len)
        end = start + cap
        p = out[i]
        p.wire_len = f.wire_len
        p.cap_len = f.cap_len
        p.offset = f.offset
        p.interface = f.interface
        p.link_type = f.link_type
        ts = f.ts
        if ts < 0:  # before the first known time this is 0: "unknown"
            ts = clock[0]
        else:
            clock[0] = ts
        p.ts = ts
        p.flow = -1

        pos = start
        wire_end = start + np.int64(f.wire_len)  # where the frame ended on the wire, in the buffer's coordinates
        layers = np.int64(0)
        reason = np.int64(0)
        kind = np.int64(0)
        depth = np.int64(0)
        tunnel = uint64(0)
        vlan = np.int64(0)
        version = np.int64(0)
        protocol = np.int64(255)
        src_hi, src_lo, dst_hi, dst_lo = uint64(0), uint64(0), uint64(0), uint64(0)
        src_port, dst_port = np.int64(0), np.int64(0)
        flags, seq, ack, window = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        payload_pos, payload_len = end, np.int64(0)
        fragment_offset, fragment_more, identification = np.int64(-1), np.int64(0), np.int64(0)
        carried = False

        if f.vlan_tpid != 0:
            vlan = np.int64(f.vlan_tci) & 0xFFF
            layers |= c.B_VLAN
            wire_end -= 4  # the kernel took the tag out of the frame, the wire length has it

        if end > limit:
            nxt = np.int64(c.DONE)
            reason = c.R_LINK
        elif f.link_type == 1:
            nxt = np.int64(c.ETHERNET)
        else:
            code, at, bits = first_header(buf, pos, end, np.int64(f.link_type))
            layers |= bits
            if code < 0:
                nxt = np.int64(c.DONE)
                reason = c.R_LINK_TYPE
            else:
                nxt = np.int64(code)
                if code == c.DONE and at >= end:
                    reason = c.R_LINK
                pos = np.int64(at)

        for _step in range(c.MAX_STEPS):
            if nxt == c.ETHERNET:
                layers |= c.B_ETH
                if pos + 14 > end:
                    if reason == 0:
                        reason = c.R_LINK
                    break
                nxt = load16(buf, pos + 12)
                pos += 14
                if nxt < 0x600:  # IEEE 802.3: a length
                    if pos + 2 <= end and load16(buf, pos) == 0xFFFF:  # raw 802.3 IPX
                        nxt = np.int64(c.DONE)
                        layers |= c.B_OTHER
                    else:
                        if nxt > 0 and pos + nxt < end:  # the rest is padding
                            end = pos + nxt
                        nxt = np.int64(c.LLC)

            elif nxt == c.IPV4:
                layers |= c.B_IP
                if pos + 20 > end:
                    if reason == 0:
                        reason = c.R_IP
                    break
                first = np.int64(buf[pos])
                if first >> 4 == 6:  # the version says what it is
                    nxt = np.int64(c.IPV6)
                    continue
                header = (first & 0xF) * 4
                if first >> 4 != 4 or header < 20:
                    if reason == 0:
                        reason = c.R_BAD_IP
                    break
                if version != 0:
                    depth += 1
                    if depth > c.MAX_DEPTH:
                        reason = c.R_DEEP
                        break
                total = load16(buf, pos + 2)
                version = np.int64(4)
                src_hi, dst_hi = uint64(0), uint64(0)
                src_lo = V4_MAPPED | uint64(load32(buf, pos + 12))
                dst_lo = V4_MAPPED | uint64(load32(buf, pos + 16))
                protocol = np.int64(buf[pos + 9])
                src_port, dst_port, flags, seq, ack, window = 0, 0, 0, 0, 0, 0
                kind = 0
                if total == 0:  # segmentation offload: the length was not known yet
                    total = wire_end - pos
                if total < header:
                    reason, kind = c.R_BAD_IP, kind | c.KIND_NO_FLOW
                    payload_pos, payload_len = end, 0
                    break
                if pos + total < wire_end:
                    wire_end = pos + total
                if wire_end < end:
                    end = wire_end  # Ethernet padding is not payload
                part = load16(buf, pos + 6)
                pos += header
                if pos > end:
                    reason, kind = c.R_IP, kind | c.KIND_NO_FLOW
                    payload_pos, payload_len = end, 0
                    break
                payload_pos, payload_len = pos, wire_end - pos
                if part & 0x3FFF:
                    fragment_offset, fragment_more = part & 0x1FFF, (part >> 13) & 1
                    identification = load16(buf, pos - header + 4)
                else:
                    fragment_offset = -1
                nxt = np.int64(c.TRANSPORT)

            elif nxt == c.TRANSPORT:
                if protocol == 51 and fragment_offset <= 0:  # AH in IPv4
                    layers |= c.B_AH
                    if pos + 12 > end:
                        reason, kind = c.R_TRANSPORT, kind | c.KIND_NO_FLOW
                        break
                    protocol, size = np.int64(buf[pos]), (np.int64(buf[pos + 1]) + 2) * 4
                    pos += size
                    if pos > end:
                        reason, kind = c.R_TRANSPORT, kind | c.KIND_NO_FLOW
                        break
                    payload_pos, payload_len = pos, wire_end - pos
                    continue
                if fragment_offset >= 0:
                    kind |= c.KIND_FRAGMENT
                    key = fragment_key(src_hi, src_lo, dst_hi, dst_lo, protocol, identification)
                    if fragment_offset > 0:
                        kind |= c.KIND_LATER_FRAGMENT
                        ports = kept_ports(fragment_keys, fragment_ports, key)
                        if ports >= 0:
                            src_port, dst_port = ports >> 16, ports & 0xFFFF
                        elif protocol == 6 or protocol == 17 or protocol == 132 or protocol == 1 or protocol == 58:
                            reason, kind = c.R_FRAGMENT, kind | c.KIND_NO_FLOW
                        break

                if protocol == 6:
                    if pos + 20 > end:
                        reason, kind = c.R_TRANSPORT, kind | c.KIND_NO_FLOW
                        break
                    layers |= c.B_TCP
                    ports = load32(buf, pos)
                    src_port, dst_port = ports >> 16, ports & 0xFFFF
                    seq = load32(buf, pos + 4)
                    ack = load32(buf, pos + 8)
                    window = load16(buf, pos + 14)
                    size = (np.int64(buf[pos + 12]) >> 4) * 4
                    flags = np.int64(buf[pos + 13])
                    if size < 20 or pos + size > wire_end:
                        reason = c.R_BAD_TRANSPORT
                        payload_pos, payload_len = end, 0
                        break
                    payload_pos, payload_len = pos + size, wire_end - pos - size
                    if (src_port == 53 or dst_port == 53) and payload_len > 0:
                        layers |= c.B_DNS
                    if fragment_offset == 0:
                        keep_ports(fragment_keys, fragment_ports, key, ports)
                    break

                if protocol == 17:
                    if pos + 8 > end:
                        reason, kind = c.R_TRANSPORT, kind | c.KIND_NO_FLOW
                        break
                    layers |= c.B_UDP
                    ports = load32(buf, pos)
                    src_port, dst_port = ports >> 16, ports & 0xFFFF
                    size = load16(buf, pos + 4)
                    if fragment_offset == 0:
                        keep_ports(fragment_keys, fragment_ports, key, ports)
                    payload_pos, payload_len = pos + 8, wire_end - pos - 8
                    if 8 <= size < payload_len + 8:
                        payload_len = size - 8
                    if (src_port == 53 or dst_port == 53) and payload_len > 0:
                        layers |= c.B_DNS
                        break
                    # One question, as all DNS messages have in practice: whatever the port, what follows tells.
                    if (
                        pos + 25 <= end
                        and load16(buf, pos + 12) == 1
                        and dns_message(buf, pos + 8, end, src_port, dst_port)
                    ):
                        layers |= c.B_DNS
                        break
                    if (
                        dst_port < c.PORT_L2TP
                        and src_port != c.PORT_GTP_U
                        and src_port != c.PORT_TEREDO
                        and src_port != c.PORT_CAPWAP
                    ):
                        break
                    code, at, network, bits = udp_tunnel(buf, pos + 8, end, src_port, dst_port)
                    layers |= bits
                    if at < 0:
                        break
                    if depth >= c.MAX_DEPTH:
                        reason = c.R_DEEP
                        break
                    # The outer datagram stays in force unless an inner IP header replaces it.
                    if not carried:
                        carried = True
                        note_carrier(carriers[m], f, ts, vlan, version, protocol, src_port, dst_port)
                        place_carrier(carriers[m], depth, tunnel, kind, pos + 8 - start, payload_len)
                        outer = carriers[m]
                        outer.src_hi, outer.src_lo, outer.dst_hi, outer.dst_lo = src_hi, src_lo, dst_hi, dst_lo
                    if dst_port == c.PORT_TEREDO or src_port == c.PORT_TEREDO:
                        tunnel = uint64(
                            c.PORT_TEREDO
                        )  # servers and relays differ by direction: the inner addresses say it all
                    else:
                        tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, network)
                    nxt, pos = np.int64(code), np.int64(at)
                    continue

                if protocol == 1 or protocol == 58 or protocol == 132:
                    src, dst, size, bits, one_way = small_transport(buf, pos, end, protocol)
                    layers |= bits
                    if size < 0:
                        reason, kind = c.R_TRANSPORT, kind | c.KIND_NO_FLOW
                        break
                    src_port, dst_port = np.int64(src), np.int64(dst)
                    kind |= one_way
                    if fragment_offset == 0:
                        keep_ports(fragment_keys, fragment_ports, key, src_port << 16 | dst_port)
                    payload_pos, payload_len = min(pos + size, end), max(np.int64(0), wire_end - pos - size)
                    break

                if fragment_offset == 0 and fragment_more:
                    break  # the first part of something that is only whole with its other parts

                if protocol == 47:
                    layers |= c.B_GRE
                    code, at = gre_header(buf, pos, end)
                    if code == c.DONE:
                        reason = c.R_TRANSPORT
                        break
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt, pos = np.int64(code), np.int64(at)
                elif protocol == 4 or protocol == 41:
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt = np.int64(c.IPV4) if protocol == 4 else np.int64(c.IPV6)
                elif protocol == 137:
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt = np.int64(c.MPLS)
                elif protocol == c.PROTOCOL_PIM or protocol == c.PROTOCOL_ETHER_IP or protocol == c.PROTOCOL_ETHERNET:
                    layers |= layer_of(protocol)
                    code, at = rare_tunnel(buf, pos, end, protocol)
                    if code == c.DONE:
                        break
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt, pos = np.int64(code), np.int64(at)
                else:
                    layers |= layer_of(protocol)
                    break

            elif nxt == c.IPV6:
                if pos < end and buf[pos] >> 4 == 6:
                    layers |= c.B_IPV6
                if pos + 40 > end:
                    if reason == 0:
                        reason = c.R_IP
                    break
                if buf[pos] >> 4 != 6:
                    reason = c.R_BAD_IP
                    break
                if version != 0:
                    depth += 1
                    if depth > c.MAX_DEPTH:
                        reason = c.R_DEEP
                        break
                version = np.int64(6)
                total = load16(buf, pos + 4)
                src_hi, src_lo = load64(buf, pos + 8), load64(buf, pos + 16)
                dst_hi, dst_lo = load64(buf, pos + 24), load64(buf, pos + 32)
                src_port, dst_port, flags, seq, ack, window = 0, 0, 0, 0, 0, 0
                kind = 0
                fragment_offset = -1
                protocol = np.int64(buf[pos + 6])
                pos += 40
                if total > 0 and pos + total < wire_end:  # 0: a jumbogram, or segmentation offload
                    wire_end = pos + total
                if wire_end < end:
                    end = wire_end
                if protocol != 6 and protocol != 17 and protocol != 58:
                    e_protocol, e_pos, e_offset, e_more, e_id, e_bits = extension_headers(buf, pos, end, protocol)
                    protocol, pos, fragment_offset = np.int64(e_protocol), np.int64(e_pos), np.int64(e_offset)
                    fragment_more, identification = np.int64(e_more), np.int64(e_id)
                    layers |= e_bits
                payload_pos, payload_len = pos, max(np.int64(0), wire_end - pos)
                if protocol == 255:
                    reason, kind = c.R_IP, kind | c.KIND_NO_FLOW
                    break
                nxt = np.int64(c.TRANSPORT)

            elif nxt == c.VLAN or nxt == c.QINQ or nxt == c.QINQ_OLD:
                if pos + 4 > end:
                    reason = c.R_LINK
                    break
                layers |= c.B_VLAN
                if vlan == 0:
                    vlan = load16(buf, pos) & 0xFFF
                nxt = load16(buf, pos + 2)
                pos += 4
                if nxt < 0x600:
                    nxt = np.int64(c.LLC)

            elif nxt == c.ARP or nxt == c.RARP:
                layers |= c.B_ARP
                if version == 0:
                    sender, target, whole = arp_addresses(buf, pos, end)
                    if whole:
                        src_lo, dst_lo = V4_MAPPED | uint64(sender), V4_MAPPED | uint64(target)
                    elif reason == 0 and pos + 8 > end:
                        reason = c.R_TRANSPORT
                break

            elif is_lower_header(nxt):
                if nxt == c.PPPOE and pos + 6 <= end:
                    end = min(end, pos + 6 + load16(buf, pos + 4))
                code, at, bits, why = lower_header(buf, nxt, pos, end)
                layers |= bits
                if why > 0 and reason == 0:
                    reason = np.int64(why)
                if code == c.DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at)

            else:
                if nxt == 0x88CC:
                    layers |= c.B_LLDP
                elif nxt == 0x888E:
                    layers |= c.B_EAPOL
                elif nxt != c.DONE:
                    layers |= c.B_OTHER
                    if reason == 0 and version == 0:
                        reason = c.R_ETHER_TYPE
                break

        if carried and depth > np.int64(carriers[m].depth):
            m += 1
        if version != 0 and payload_pos + payload_len > end:
            kind |= c.KIND_CUT
        p.src_hi, p.src_lo, p.dst_hi, p.dst_lo = src_hi, src_lo, dst_hi, dst_lo
        p.src_port, p.dst_port = src_port, dst_port
        p.protocol = protocol
        p.ip_version = version
        p.tcp_flags = flags
        p.depth = depth
        p.seq, p.ack, p.window = seq, ack, window
        p.layers = layers
        p.payload_offset = min(payload_pos, start + cap) - start
        p.payload_len = payload_len
        p.vlan = vlan
        p.reason = reason
        p.kind = kind
        p.tunnel = tunnel if depth > 0 else uint64(0)
    clock[1] = m
