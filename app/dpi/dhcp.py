"""DHCP for IPv4 (RFC 2131, options RFC 2132): the names that hosts give themselves, with their addresses and MACs.

A name is told with the address that a server assigned (ACK) or that its host asks for or has (REQUEST, INFORM): requests and their
answers often are flows of their own, and servers do not always repeat the name.
"""

from __future__ import annotations

from typing import Final

from app.dpi.facts import HostName
from app.dpi.inspector import MORE, FlowContext, Inspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import ProtocolInspector, on_port
from app.dpi.signatures import UDP, begins, on_ports

_COOKIE: Final = b"\x63\x82\x53\x63"
_FIXED: Final = 236
_MESSAGES: Final = {
    1: "discover",
    2: "offer",
    3: "request",
    4: "decline",
    5: "ack",
    6: "nak",
    7: "release",
    8: "inform",
}
_REQUEST, _ACK, _INFORM = 3, 5, 8
_HOST_NAME, _REQUESTED, _TYPE, _VENDOR, _FQDN = 12, 50, 53, 60, 81
_NAMES: Final = 10_000  # told per flow: all hosts of a network may share one
_NOWHERE: Final = b"\0\0\0\0"


class DhcpInspector(ProtocolInspector):
    """One flow of DHCP, which may carry many hosts."""

    protocol = "dhcp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._names: set[tuple[str, str]] = set()

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """One datagram."""
        self._first_ts = self._first_ts or ts
        if not _is_dhcp(data):
            return MORE
        options = _options(data[_FIXED + 4 :])
        kind = options.get(_TYPE, b"\0")[0] if options.get(_TYPE) else 0
        name = options.get(_HOST_NAME, b"").rstrip(b"\0") or _fqdn(options.get(_FQDN, b""))
        self.note("message", _MESSAGES.get(kind))
        self.note("host_name", name)
        self.note("vendor_class", options.get(_VENDOR, b"").rstrip(b"\0"))
        self.tell(ts)
        address = data[16:20] if kind == _ACK else options.get(_REQUESTED, b"") if kind == _REQUEST else b""
        if kind in (_ACK, _REQUEST, _INFORM) and (len(address) != 4 or address == _NOWHERE):
            address = data[12:16]
        if name and len(address) == 4 and address != _NOWHERE:
            self._name(
                ts,
                printable(name),
                ".".join(map(str, address)),
                data[28:34].hex(":") if data[1] == 1 and data[2] == 6 else None,
            )
        return MORE

    def _name(self, ts: int, name: str, address: str, mac: str | None) -> None:
        """Each name and address once."""
        if (name, address) not in self._names and len(self._names) < _NAMES:
            self._names.add((name, address))
            self.flow.sink(HostName(self.flow.flow_id, ts, address, name, "dhcp", mac))


def _is_dhcp(data: bytes) -> bool:
    return len(data) > _FIXED + 4 and data[0] in (1, 2) and data[_FIXED : _FIXED + 4] == _COOKIE


def _options(data: bytes) -> dict[int, bytes]:
    """Options by their codes; the first of each."""
    options: dict[int, bytes] = {}
    place = 0
    while place + 1 < len(data) and data[place] != 255:
        if data[place] == 0:
            place += 1
            continue
        length = data[place + 1]
        options.setdefault(data[place], data[place + 2 : place + 2 + length])
        place += 2 + length
    return options


def _fqdn(value: bytes) -> bytes:
    """The name of option 81 (RFC 4702): in DNS labels if the E bit says so, else as text."""
    if len(value) < 4:
        return b""
    if not value[0] & 4:
        return value[3:].rstrip(b"\0")
    labels, place = [], 3
    while place < len(value) and 0 < value[place] < 64:
        labels.append(value[place + 1 : place + 1 + value[place]])
        place += 1 + value[place]
    return b".".join(labels)


@begins(on_ports(UDP, 67, 68))
def recognize_dhcp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The fixed part's cookie, on DHCP's ports."""
    return DhcpInspector(flow) if flow.protocol == 17 and on_port(flow, 67, 68) and _is_dhcp(data) else None
