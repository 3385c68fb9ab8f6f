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
from numba import from_dtype, njit, types, uint64

from app.wire import codes
from app.wire.link_kernels import first_header, wlan_data
from app.wire.load_kernels import load16, load32, load64, multiply_high
from app.wire.records import FRAME_DTYPE, PACKET_DTYPE
from app.wire.tunnel_kernels import (
    extension_headers,
    geneve_header,
    gre_header,
    gtp_header,
    l2tp_header,
    llc_header,
    mpls_payload,
    mpls_stack,
    nsh_header,
    ppp_header,
    teredo_header,
    vxlan_gpe_header,
)

_B = codes.BIT
B_ETH, B_VLAN, B_MPLS, B_ARP, B_IP, B_IPV6 = _B["eth"], _B["vlan"], _B["mpls"], _B["arp"], _B["ip"], _B["ipv6"]
B_TCP, B_UDP, B_ICMP, B_ICMPV6, B_IGMP, B_SCTP = _B["tcp"], _B["udp"], _B["icmp"], _B["icmpv6"], _B["igmp"], _B["sctp"]
B_GRE, B_VXLAN, B_GENEVE, B_GTP, B_TEREDO = _B["gre"], _B["vxlan"], _B["geneve"], _B["gtp"], _B["teredo"]
B_PPPOE, B_PPP, B_ESP, B_AH, B_OSPF, B_PIM = _B["pppoe"], _B["ppp"], _B["esp"], _B["ah"], _B["ospf"], _B["pim"]
B_LLC, B_LLDP, B_EAPOL, B_DNS, B_OTHER = _B["llc"], _B["lldp"], _B["eapol"], _B["dns"], _B["other"]

R_LINK, R_LINK_TYPE, R_ETHER_TYPE = (
    codes.REASON["truncated_link"],
    codes.REASON["unknown_link_type"],
    codes.REASON["unknown_ether_type"],
)
R_IP, R_BAD_IP, R_TRANSPORT = (
    codes.REASON["truncated_ip"],
    codes.REASON["bad_ip_header"],
    codes.REASON["truncated_transport"],
)
R_BAD_TRANSPORT, R_DEEP, R_FRAGMENT, R_PAYLOAD = (
    codes.REASON["bad_transport_header"],
    codes.REASON["tunnel_too_deep"],
    codes.REASON["later_fragment_unmatched"],
    codes.REASON["unknown_payload"],
)
IPV4, IPV6, ARP, RARP, VLAN, QINQ, QINQ_OLD = (
    codes.IPV4,
    codes.IPV6,
    codes.ARP,
    codes.RARP,
    codes.VLAN,
    codes.QINQ,
    codes.QINQ_OLD,
)
DONE, ETHERNET, LLC, PPP, RAW_IP, WLAN, MPLS_PAYLOAD, TRANSPORT = (
    codes.DONE,
    codes.ETHERNET,
    codes.LLC,
    codes.PPP,
    codes.RAW_IP,
    codes.WLAN,
    codes.MPLS_PAYLOAD,
    codes.TRANSPORT,
)
MPLS, MPLS_MULTICAST, PPPOE, PBB, VN_TAG, CISCO_METADATA = (
    codes.MPLS,
    codes.MPLS_MULTICAST,
    codes.PPPOE,
    codes.PBB,
    codes.VN_TAG,
    codes.CISCO_METADATA,
)
BRIDGED, FABRIC_PATH, NSH = codes.BRIDGED, codes.FABRIC_PATH, codes.NSH
KIND_FRAGMENT, KIND_LATER_FRAGMENT, KIND_ONE_WAY, KIND_CUT, KIND_NO_FLOW = (
    codes.KIND_FRAGMENT,
    codes.KIND_LATER_FRAGMENT,
    codes.KIND_ONE_WAY,
    codes.KIND_CUT,
    codes.KIND_NO_FLOW,
)
MAX_DEPTH, MAX_STEPS = codes.MAX_DEPTH, codes.MAX_STEPS
CARRIER_LINK_TYPE = codes.CARRIER_LINK_TYPE
V4_MAPPED = uint64(0xFFFF00000000)
MIX = uint64(0x9E3779B97F4A7C15)

# Fragments: ports of a datagram's first fragment, by a hash of addresses, protocol and identification.
FRAGMENT_SLOTS = 4096

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def counterpart(icmp_type, version):
    """The type that answers an ICMP or ICMPv6 type (Community ID v1, both directions), -1 for one-way types."""
    if version == 4:
        if icmp_type == 8 or icmp_type == 0:
            return 8 - icmp_type
        if 13 <= icmp_type <= 18:
            return ((icmp_type - 13) ^ 1) + 13
        if icmp_type == 9 or icmp_type == 10:
            return 19 - icmp_type
        return -1
    if 128 <= icmp_type <= 131 or icmp_type == 144 or icmp_type == 145:
        return icmp_type ^ 1
    if icmp_type == 133 or icmp_type == 135 or icmp_type == 139:
        return icmp_type + 1
    if icmp_type == 134 or icmp_type == 136 or icmp_type == 140:
        return icmp_type - 1
    return -1


@njit(forceinline=True, **_OPTIONS)
def fragment_key(src_hi, src_lo, dst_hi, dst_lo, protocol, identification):
    a = multiply_high(src_hi ^ MIX, src_lo ^ uint64(identification))
    return multiply_high(a ^ dst_hi, dst_lo ^ uint64(protocol) ^ MIX) | uint64(1)


@njit(forceinline=True, **_OPTIONS)
def tunnel_id(src_hi, src_lo, dst_hi, dst_lo, kind, network):
    """Both directions of a tunnel give the same number: addresses enter as sum, `network` is the VNI or 0."""
    return (
        multiply_high((src_lo + dst_lo) ^ MIX, (src_hi + dst_hi + uint64(kind)) ^ uint64(network) ^ MIX)
        & uint64(0x7FFFFFFF)
    ) | uint64(1)


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


@njit(SIGNATURE, cache=True, **_OPTIONS)
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
            layers |= B_VLAN
            wire_end -= 4  # the kernel took the tag out of the frame, the wire length has it

        if end > limit:
            nxt = np.int64(DONE)
            reason = R_LINK
        elif f.link_type == 1:
            nxt = np.int64(ETHERNET)
        else:
            code, at, bits = first_header(buf, pos, end, np.int64(f.link_type))
            layers |= bits
            if code < 0:
                nxt = np.int64(DONE)
                reason = R_LINK_TYPE
            else:
                nxt = np.int64(code)
                if code == DONE and at >= end:
                    reason = R_LINK
                pos = np.int64(at)

        for _step in range(MAX_STEPS):
            if nxt == ETHERNET:
                layers |= B_ETH
                if pos + 14 > end:
                    if reason == 0:
                        reason = R_LINK
                    break
                nxt = load16(buf, pos + 12)
                pos += 14
                if nxt < 0x600:  # IEEE 802.3: a length
                    if pos + 2 <= end and load16(buf, pos) == 0xFFFF:  # raw 802.3 IPX
                        nxt = np.int64(DONE)
                        layers |= B_OTHER
                    else:
                        if nxt > 0 and pos + nxt < end:  # the rest is padding
                            end = pos + nxt
                        nxt = np.int64(LLC)

            elif nxt == IPV4:
                if pos + 20 > end:
                    if reason == 0:
                        reason = R_IP
                    break
                first = np.int64(buf[pos])
                header = (first & 0xF) * 4
                if first >> 4 != 4 or header < 20:
                    if reason == 0:
                        reason = R_BAD_IP
                    break
                if version != 0:
                    depth += 1
                    if depth > MAX_DEPTH:
                        reason = R_DEEP
                        break
                layers |= B_IP
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
                    reason, kind = R_BAD_IP, kind | KIND_NO_FLOW
                    payload_pos, payload_len = end, 0
                    break
                if pos + total < wire_end:
                    wire_end = pos + total
                if wire_end < end:
                    end = wire_end  # Ethernet padding is not payload
                part = load16(buf, pos + 6)
                pos += header
                if pos > end:
                    reason, kind = R_IP, kind | KIND_NO_FLOW
                    payload_pos, payload_len = end, 0
                    break
                payload_pos, payload_len = pos, wire_end - pos
                if part & 0x3FFF:
                    fragment_offset, fragment_more = part & 0x1FFF, (part >> 13) & 1
                    identification = load16(buf, pos - header + 4)
                else:
                    fragment_offset = -1
                nxt = np.int64(TRANSPORT)

            elif nxt == TRANSPORT:
                if protocol == 51 and fragment_offset <= 0:  # AH in IPv4
                    layers |= B_AH
                    if pos + 12 > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    protocol, size = np.int64(buf[pos]), (np.int64(buf[pos + 1]) + 2) * 4
                    pos += size
                    if pos > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    payload_pos, payload_len = pos, wire_end - pos
                    continue
                if fragment_offset >= 0:
                    kind |= KIND_FRAGMENT
                    key = fragment_key(src_hi, src_lo, dst_hi, dst_lo, protocol, identification)
                    slot = np.int64(key >> uint64(33)) & (FRAGMENT_SLOTS - 1)
                    if fragment_offset > 0:
                        kind |= KIND_LATER_FRAGMENT
                        if fragment_keys[slot] == key:
                            ports = np.int64(fragment_ports[slot])
                            src_port, dst_port = ports >> 16, ports & 0xFFFF
                        elif protocol == 6 or protocol == 17 or protocol == 132 or protocol == 1 or protocol == 58:
                            reason, kind = R_FRAGMENT, kind | KIND_NO_FLOW
                        break

                if protocol == 6:
                    if pos + 20 > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    layers |= B_TCP
                    ports = load32(buf, pos)
                    src_port, dst_port = ports >> 16, ports & 0xFFFF
                    seq = load32(buf, pos + 4)
                    ack = load32(buf, pos + 8)
                    window = load16(buf, pos + 14)
                    size = (np.int64(buf[pos + 12]) >> 4) * 4
                    flags = np.int64(buf[pos + 13])
                    if size < 20 or pos + size > wire_end:
                        reason = R_BAD_TRANSPORT
                        payload_pos, payload_len = end, 0
                        break
                    payload_pos, payload_len = pos + size, wire_end - pos - size
                    if (src_port == 53 or dst_port == 53) and payload_len > 0:
                        layers |= B_DNS
                    if fragment_offset == 0:
                        fragment_keys[slot] = key
                        fragment_ports[slot] = ports
                    break

                if protocol == 17:
                    if pos + 8 > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    layers |= B_UDP
                    ports = load32(buf, pos)
                    src_port, dst_port = ports >> 16, ports & 0xFFFF
                    size = load16(buf, pos + 4)
                    if fragment_offset == 0:
                        fragment_keys[slot] = key
                        fragment_ports[slot] = ports
                    payload_pos, payload_len = pos + 8, wire_end - pos - 8
                    if 8 <= size < payload_len + 8:
                        payload_len = size - 8
                    if src_port == 53 or dst_port == 53:
                        layers |= B_DNS
                        break
                    if dst_port < 1701 and src_port != 2152 and src_port != 3544:
                        break
                    at = np.int64(-1)
                    code = np.int64(DONE)
                    network = np.int64(0)
                    if dst_port == 4789:
                        if pos + 16 <= end and buf[pos + 8] & 0x08:
                            code, at, network = np.int64(ETHERNET), pos + 16, load32(buf, pos + 12) >> 8
                            layers |= B_VXLAN
                    elif dst_port == 4790:
                        g_code, g_at, g_network = vxlan_gpe_header(buf, pos + 8, end)
                        if g_code != DONE:
                            code, at, network = np.int64(g_code), np.int64(g_at), np.int64(g_network)
                    elif dst_port == 1701:
                        at = np.int64(l2tp_header(buf, pos + 8, end))
                        code = np.int64(PPP)
                    elif dst_port == 6081:
                        g_code, g_at, g_network = geneve_header(buf, pos + 8, end)
                        if g_code != DONE:
                            code, at, network = np.int64(g_code), np.int64(g_at), np.int64(g_network)
                            layers |= B_GENEVE
                    elif dst_port == 2152 or src_port == 2152:
                        at = np.int64(gtp_header(buf, pos + 8, end))
                        code = np.int64(RAW_IP)
                        if at >= 0:
                            layers |= B_GTP
                    elif dst_port == 3544 or src_port == 3544:
                        at = np.int64(teredo_header(buf, pos + 8, end))
                        code = np.int64(IPV6)
                        if at >= 0:
                            layers |= B_TEREDO
                    if at < 0:
                        break
                    if depth >= MAX_DEPTH:
                        reason = R_DEEP
                        break
                    # The outer datagram stays in force unless an inner IP header replaces it.
                    if not carried:
                        carried = True
                        c = carriers[m]
                        c.ts, c.wire_len, c.cap_len = ts, f.wire_len, f.cap_len
                        c.src_hi, c.src_lo, c.dst_hi, c.dst_lo = src_hi, src_lo, dst_hi, dst_lo
                        c.src_port, c.dst_port, c.protocol, c.ip_version = src_port, dst_port, protocol, version
                        c.depth, c.tunnel = depth, tunnel if depth > 0 else uint64(0)
                        c.vlan, c.interface, c.kind, c.payload_len = vlan, f.interface, kind, payload_len
                        c.tcp_flags, c.link_type = 0, CARRIER_LINK_TYPE
                    if dst_port == 3544 or src_port == 3544:
                        tunnel = uint64(3544)  # servers and relays differ by direction: the inner addresses say it all
                    else:
                        tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, network)
                    nxt, pos = code, at
                    continue

                if protocol == 1 or protocol == 58:
                    if protocol == 1:
                        layers |= B_ICMP
                    else:
                        layers |= B_ICMPV6
                    if pos + 2 > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    src_port = np.int64(buf[pos])
                    other = counterpart(src_port, np.int64(4) if protocol == 1 else np.int64(6))
                    if other < 0:
                        dst_port = np.int64(buf[pos + 1])
                        kind |= KIND_ONE_WAY
                    else:
                        dst_port = np.int64(other)
                    if fragment_offset == 0:
                        fragment_keys[slot] = key
                        fragment_ports[slot] = src_port << 16 | dst_port
                    payload_pos = min(pos + 8, end)
                    payload_len = max(np.int64(0), wire_end - pos - 8)
                    break

                if protocol == 132:
                    if pos + 12 > end:
                        reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                        break
                    layers |= B_SCTP
                    ports = load32(buf, pos)
                    src_port, dst_port = ports >> 16, ports & 0xFFFF
                    payload_pos, payload_len = pos + 12, max(np.int64(0), wire_end - pos - 12)
                    if fragment_offset == 0:
                        fragment_keys[slot] = key
                        fragment_ports[slot] = ports
                    break

                if fragment_offset == 0 and fragment_more:
                    break  # the first part of something that is only whole with its other parts

                if protocol == 47:
                    layers |= B_GRE
                    code, at = gre_header(buf, pos, end)
                    if code == DONE:
                        reason = R_TRANSPORT
                        break
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt, pos = np.int64(code), np.int64(at)
                elif protocol == 4 or protocol == 41:
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt = np.int64(IPV4) if protocol == 4 else np.int64(IPV6)
                elif protocol == 137:
                    tunnel = tunnel_id(src_hi, src_lo, dst_hi, dst_lo, protocol, 0)
                    nxt = np.int64(MPLS)
                else:
                    if protocol == 2:
                        layers |= B_IGMP
                    elif protocol == 50:
                        layers |= B_ESP
                    elif protocol == 89:
                        layers |= B_OSPF
                    elif protocol == 103:
                        layers |= B_PIM
                    elif protocol != 59:
                        layers |= B_OTHER
                    break

            elif nxt == IPV6:
                if pos + 40 > end:
                    if reason == 0:
                        reason = R_IP
                    break
                if buf[pos] >> 4 != 6:
                    reason = R_BAD_IP
                    break
                if version != 0:
                    depth += 1
                    if depth > MAX_DEPTH:
                        reason = R_DEEP
                        break
                layers |= B_IPV6
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
                    reason, kind = R_IP, kind | KIND_NO_FLOW
                    break
                nxt = np.int64(TRANSPORT)

            elif nxt == VLAN or nxt == QINQ or nxt == QINQ_OLD:
                if pos + 4 > end:
                    reason = R_LINK
                    break
                layers |= B_VLAN
                if vlan == 0:
                    vlan = load16(buf, pos) & 0xFFF
                nxt = load16(buf, pos + 2)
                pos += 4
                if nxt < 0x600:
                    nxt = np.int64(LLC)

            elif nxt == ARP or nxt == RARP:
                layers |= B_ARP
                # Addresses of an ARP packet for IPv4 over six-byte hardware addresses (RFC 826): sender and target.
                if pos + 28 <= end and version == 0:
                    if load16(buf, pos + 2) == 0x0800 and buf[pos + 5] == 4:
                        hardware = np.int64(buf[pos + 4])
                        if pos + 16 + 2 * hardware <= end:
                            src_lo = V4_MAPPED | uint64(load32(buf, pos + 8 + hardware))
                            dst_lo = V4_MAPPED | uint64(load32(buf, pos + 12 + 2 * hardware))
                elif version == 0 and reason == 0 and pos + 8 > end:
                    reason, kind = R_TRANSPORT, kind | KIND_NO_FLOW
                break

            elif nxt == RAW_IP:
                if pos >= end:
                    reason = R_IP
                    break
                nibble = buf[pos] >> 4
                if nibble == 4:
                    nxt = np.int64(IPV4)
                elif nibble == 6:
                    nxt = np.int64(IPV6)
                else:
                    reason = R_BAD_IP
                    break

            elif nxt == LLC:
                layers |= B_LLC
                code, at = llc_header(buf, pos, end)
                if code == DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at)

            elif nxt == MPLS or nxt == MPLS_MULTICAST:
                layers |= B_MPLS
                at = np.int64(mpls_stack(buf, pos, end))
                if at < 0:
                    if reason == 0:
                        reason = R_LINK
                    break
                code, at2 = mpls_payload(buf, at, end)
                if code == DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at2)

            elif nxt == PPPOE:
                layers |= B_PPPOE
                if pos + 6 > end:
                    reason = R_LINK
                    break
                size = load16(buf, pos + 4)
                pos += 6
                if pos + size < end:
                    end = pos + size
                nxt = np.int64(PPP)

            elif nxt == PPP:
                layers |= B_PPP
                code, at = ppp_header(buf, pos, end)
                if code == DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at)

            elif nxt == WLAN:
                code, at, bits, why = wlan_data(buf, pos, end)
                layers |= bits
                if why > 0:
                    reason = np.int64(why)
                if code == DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at)

            elif nxt == PBB:  # service tag, then a customer's Ethernet frame
                nxt, pos = np.int64(ETHERNET), pos + 4

            elif nxt == VN_TAG:
                if pos + 6 > end:
                    reason = R_LINK
                    break
                nxt, pos = load16(buf, pos + 4), pos + 6

            elif nxt == CISCO_METADATA:
                if pos + 8 > end:
                    reason = R_LINK
                    break
                size = max(np.int64(1), np.int64(buf[pos + 1])) * 4 + 2
                if pos + size + 2 > end:
                    reason = R_LINK
                    break
                nxt, pos = load16(buf, pos + size), pos + size + 2

            elif nxt == BRIDGED:
                nxt = np.int64(ETHERNET)

            elif nxt == FABRIC_PATH:  # tag, then the customer's frame
                nxt, pos = np.int64(ETHERNET), pos + 2

            elif nxt == NSH:
                code, at = nsh_header(buf, pos, end)
                if code == DONE:
                    break
                nxt, pos = np.int64(code), np.int64(at)

            else:
                if nxt == 0x88CC:
                    layers |= B_LLDP
                elif nxt == 0x888E:
                    layers |= B_EAPOL
                elif nxt != DONE:
                    layers |= B_OTHER
                    if reason == 0 and version == 0:
                        reason = R_ETHER_TYPE
                break

        if carried and depth > np.int64(carriers[m].depth):
            m += 1
        if version != 0 and payload_pos + payload_len > end:
            kind |= KIND_CUT
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
