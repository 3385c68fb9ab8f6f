"""Community ID v1 (github.com/corelight/community-id-spec): one name for a flow that other tools compute too."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final

_PORTLESS_SEED: Final = struct.pack("!H", 0)
_WITH_PORTS: Final = frozenset({1, 6, 17, 58, 132})


def community_id(src: bytes, dst: bytes, protocol: int, src_port: int, dst_port: int, *, one_way: bool = False) -> str:
    """The id of a flow. src, dst: packed addresses, 4 or 16 bytes. For ICMP and ICMPv6 the ports are the type and the type of its counterpart, or
    for one-way types (`one_way`) type and code, which are not put in order."""
    if protocol not in _WITH_PORTS:
        low, high = (src, dst) if src <= dst else (dst, src)
        data = _PORTLESS_SEED + low + high + bytes((protocol, 0))
    else:
        if not one_way and (src, src_port) > (dst, dst_port):
            src, dst, src_port, dst_port = dst, src, dst_port, src_port
        data = _PORTLESS_SEED + src + dst + bytes((protocol, 0)) + struct.pack("!HH", src_port, dst_port)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii")
