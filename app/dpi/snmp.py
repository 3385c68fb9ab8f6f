"""SNMP (RFC 3417): its version. Communities of versions 1 and 2c are secrets in the clear: that there is one is told, never which."""

from __future__ import annotations

from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import UDP, begins, exactly

_VERSIONS: Final = {0: "1", 1: "2c", 3: "3"}
_PDUS: Final = {
    0xA0: "get", 0xA1: "get-next", 0xA2: "response", 0xA3: "set", 0xA4: "trap", 0xA5: "get-bulk", 0xA6: "inform", 0xA7: "trap", 0xA8: "report",
}  # fmt: skip
_QUESTIONS: Final = frozenset(("get", "get-next", "set", "get-bulk"))
_MESSAGES: Final = 256  # looked at in one flow


class SnmpInspector(ProtocolInspector):
    """The first message says it all; of the next ones only how many different communities are tried is looked at."""

    protocol = "snmp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._messages = 0
        self._tried: set[int] = set()  # salted hashes, for this run only

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        read = _read(data)
        if read is None:
            return DONE
        version, pdu, community = read
        self._messages += 1
        if version != 3 and direction == ORIGINATOR and pdu in _QUESTIONS:
            mark = hash((community, self.protocol)) & 0xFFFFFFFF
            if mark not in self._tried:
                self._tried.add(mark)
                self.flow.sink(Action(self.flow.flow_id, ts, self.protocol, "community", f"{mark:08x}", direction))
        if self._messages > 1:
            return MORE if self._messages < _MESSAGES else DONE
        self.note("version", _VERSIONS[version])
        self.note("message", pdu)
        if version != 3:
            self.note("community", "sent in the clear")
            self.login(ts, None, True if pdu == "response" else None)
        self.tell(ts)
        return MORE


def _length(data: bytes, place: int) -> tuple[int, int]:
    """A BER length (X.690 8.1.3) and the place behind it; place -1: none."""
    if place >= len(data):
        return 0, -1
    first = data[place]
    if first < 0x80:
        return first, place + 1
    count = first & 0x7F
    if not 1 <= count <= 3 or place + 1 + count > len(data):
        return 0, -1
    return int.from_bytes(data[place + 1 : place + 1 + count], "big"), place + 1 + count


def _read(data: bytes) -> tuple[int, str, bytes] | None:
    """Version number, kind of message and community; None: this is no SNMP."""
    if data[:1] != b"0":
        return None
    length, place = _length(data, 1)
    if place < 0 or place + length != len(data) or data[place : place + 2] != b"\2\1" or place + 5 > len(data):
        return None
    version = data[place + 2]
    place += 3
    if version == 3:
        length, inside = _length(data, place + 1)
        known = data[place] == 0x30 and inside > 0 and length < 40 and data[inside : inside + 1] == b"\2"
        return (3, "", b"") if known else None
    if version not in _VERSIONS or data[place] != 4:
        return None
    length, place = _length(data, place + 1)
    if place < 0 or length > 255 or place + length >= len(data):
        return None
    community = data[place : place + length]
    pdu = _PDUS.get(data[place + length])
    inner, behind = _length(data, place + length + 1)
    return (version, pdu, community) if pdu and behind > 0 and behind + inner == len(data) else None


@begins(exactly(UDP, b"0"))
def recognize_snmp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A message whose lengths all fit."""
    return SnmpInspector(flow) if flow.protocol == 17 and _read(data) else None
