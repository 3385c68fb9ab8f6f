"""DNS told by its content, for datagrams on other ports than 53: resolvers on 443 or 5053, DNSCrypt's certificates, test servers."""

from __future__ import annotations

import numpy as np
from numba import njit

from app.wire.load_kernels import load16

# Protocols of the same format that are counted as themselves: NetBIOS names, multicast DNS, LLMNR
PORT_NETBIOS, PORT_MDNS, PORT_LLMNR = 137, 5353, 5355
MOST_ANSWERS, MOST_OTHERS = 64, 32


@njit(nogil=True, error_model="numpy")
def dns_message(buf, pos, end, src_port, dst_port):
    """Is there a DNS query or its response (RFC 1035 § 4.1) with one question at `pos`? The caller has checked 17 bytes and QDCOUNT.

    Strict, as nothing else speaks for it: standard opcode, few records, a printable name, a known class."""
    if src_port == PORT_MDNS or dst_port == PORT_MDNS or src_port == PORT_LLMNR or dst_port == PORT_LLMNR:
        return False
    if src_port == PORT_NETBIOS or dst_port == PORT_NETBIOS:
        return False
    flags, answers = load16(buf, pos + 2), load16(buf, pos + 6)
    if flags & 0x7840 or answers > MOST_ANSWERS:
        return False
    if load16(buf, pos + 8) > MOST_OTHERS or load16(buf, pos + 10) > MOST_OTHERS:
        return False
    if flags & 0x8000 == 0 and (answers or flags & 0x0F):  # a query has neither answers nor a result
        return False
    at, stop = pos + 12, min(end - 4, pos + 12 + 255)
    if buf[at] == 0:
        return False
    while at < stop:
        size = np.int64(buf[at])
        if size == 0:
            kind, network = load16(buf, at + 1), load16(buf, at + 3)
            return kind != 0 and (network == 1 or network == 3 or network == 4 or network == 254 or network == 255)
        if size > 63 or at + size >= stop:
            return False
        for k in range(at + 1, at + 1 + size):
            if buf[k] <= 0x20 or buf[k] > 0x7E:
                return False
        at += 1 + size
    return False
