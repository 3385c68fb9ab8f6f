"""The PROXY protocol of load balancers (HAProxy's proxy-protocol.txt, version 1 § 2.1 and 2 § 2.2): who really connects, before the first byte.

The inspector tells the ends that the header names, is DONE, and hands the connection on as HTTP's CONNECT does.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import TCP, begins, pattern

_LINE: Final = 107  # bytes of the longest header of version 1, its line end among them
_MAGIC: Final = b"\r\n\r\n\0\r\nQUIT\n"
_HEAD: Final = 16  # of version 2
_LONGEST: Final = _HEAD + 4096  # with extensions
_ADDRESSES: Final = {1: 4, 2: 16}  # bytes of an address by family


class ProxyProtocolInspector(ProtocolInspector):
    """The first bytes of one connection."""

    protocol = "proxy"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._bytes = bytearray()

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._bytes += data
        header = bytes(self._bytes[:_LONGEST])
        size = header_size(header)
        if size == 0 and len(self._bytes) < _LONGEST:
            return MORE
        if 0 < size <= len(header):
            self._read(header[:size])
            self.flow.notes["tunnel"] = True
            if len(self._bytes) > size:
                self.flow.notes["rest"] = {direction: bytes(self._bytes[size:])}
        self.tell(ts)
        return DONE

    def _read(self, header: bytes) -> None:
        if header.startswith(_MAGIC):
            self.note("version", 2)
            self._addresses(header[13] >> 4, header[_HEAD:])
            return
        self.note("version", 1)
        words = header.split()
        if len(words) == 6 and words[1] in (b"TCP4", b"TCP6"):
            six = words[1] == b"TCP6"
            self.note("source", _end(words[2], words[4], six))
            self.note("destination", _end(words[3], words[5], six))

    def _addresses(self, family: int, block: bytes) -> None:
        """Of version 2: two addresses, two ports."""
        size = _ADDRESSES.get(family, 0)
        if not size or len(block) < 2 * size + 4:
            return
        for name, at, port_at in (("source", 0, 2 * size), ("destination", size, 2 * size + 2)):
            port = b"%d" % int.from_bytes(block[port_at : port_at + 2], "big")
            self.note(name, _end(str(ipaddress.ip_address(block[at : at + size])).encode(), port, size == 16))


def header_size(data: bytes) -> int:
    """Bytes of the header at the beginning of `data`; 0: not known yet, -1: it is none."""
    if data.startswith(_MAGIC):
        if len(data) < _HEAD:
            return 0
        size = _HEAD + int.from_bytes(data[14:16], "big")
        if size > _LONGEST:
            return -1
        return size if len(data) >= size else 0
    end = data.find(b"\r\n", 0, _LINE)
    if end >= 0:
        return end + 2
    return 0 if len(data) < _LINE else -1


def _end(address: bytes, port: bytes, six: bool) -> bytes:
    return b"[%b]:%b" % (address, port) if six else b"%b:%b" % (address, port)


@begins(pattern(TCP, "50 52 4f 58 59 20", "0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a 2?"))
def recognize_proxy_protocol(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A header of version 1 with its line end, or the beginning of one of version 2. Either side may be the load balancer."""
    if flow.protocol != 6:
        return None
    one = data.startswith((b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")) and header_size(data) > 0
    two = len(data) > 13 and data.startswith(_MAGIC) and data[12] in (0x20, 0x21) and header_size(data) >= 0
    return ProxyProtocolInspector(flow) if one or two else None
