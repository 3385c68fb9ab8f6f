"""DCE/RPC, connection-oriented (C706 chapter 12; [MS-RPCE] 2.2.2): which interfaces are bound and which operations are called.

Over TCP by itself, or in the pipes of SMB (`app.dpi.smb_pipes`). Calls are told for interfaces that have a name here, at most `MOST_CALLS` of a flow.
"""

from __future__ import annotations

import uuid
from typing import ClassVar, Final

from app.dpi.dcerpc_interfaces import INTERFACES, interface_name
from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern

MOST_CALLS: Final = 256
_MOST_CONTEXTS: Final = 32
_REQUEST, _BIND, _BIND_ACK, _ALTER = 0, 11, 12, 14
_TYPES: Final = frozenset((0, 2, 3, 11, 12, 13, 14, 15, 16, 17, 18, 19))
_HEADER: Final = 16
_OBJECT: Final = 0x80  # flag: an object's UUID stands before the stub


class RpcReader:
    """The PDUs of one connection or one pipe."""

    def __init__(self, flow: FlowContext, carrier: str) -> None:
        self._flow = flow
        self._carrier = carrier
        self._contexts: dict[int, str] = {}
        self._calls = 0

    def pdu(self, direction: int, data: bytes, ts: int) -> bool:
        """One PDU, or its beginning. False: this is none."""
        if len(data) < _HEADER or data[0] != 5 or data[1] > 1 or data[2] not in _TYPES:
            return False
        little = bool(data[4] & 0x10)
        kind = data[2]
        if kind in (_BIND, _ALTER):
            self._bind(direction, data, little, ts)
        elif kind == _REQUEST and len(data) >= 24:
            context = int.from_bytes(data[20:22], "little" if little else "big")
            operation = int.from_bytes(data[22:24], "little" if little else "big")
            stub = data[40 if data[3] & _OBJECT else 24 :]
            self._call(direction, context, operation, stub, ts)
        return True

    def _bind(self, direction: int, data: bytes, little: bool, ts: int) -> None:
        """Presentation contexts: each an abstract syntax with its transfer syntaxes."""
        if len(data) < 28:
            return
        place = 28
        for _ in range(min(data[24], _MOST_CONTEXTS)):
            if place + 24 > len(data):
                break
            number = int.from_bytes(data[place : place + 2], "little" if little else "big")
            raw = data[place + 4 : place + 20]
            name = interface_name(str(uuid.UUID(bytes_le=raw) if little else uuid.UUID(bytes=raw)))
            if len(self._contexts) < _MOST_CONTEXTS:
                self._contexts[number] = name
            self._flow.sink(Action(self._flow.flow_id, ts, "dcerpc", "bind", name, direction, {"over": self._carrier}))
            place += 24 + 20 * data[place + 2]

    def _call(self, direction: int, context: int, operation: int, stub: bytes, ts: int) -> None:
        name = self._contexts.get(context)
        if name is None and len(self._contexts) == 1:
            name = next(iter(self._contexts.values()))
        if name is None or name not in _NAMED or self._calls >= MOST_CALLS:
            return
        self._calls += 1
        details = {"over": self._carrier, "bytes": str(len(stub))}
        if name == "netlogon" and _zero_credential(operation, stub):
            details["credential"] = "zero"
        if name == "epm" and stub:
            details["asks_for"] = _asked_interface(stub)
        self._flow.sink(Action(self._flow.flow_id, ts, "dcerpc", "call", f"{name}.{operation}", direction, details))


_NAMED: Final = frozenset(INTERFACES.values())


def _zero_credential(operation: int, stub: bytes) -> bool:
    """A challenge or credential of eight zeros ([MS-NRPC] 3.5.4.4.1 and .2): nobody's chance gives that."""
    if operation == 4:  # NetrServerReqChallenge: the challenge comes last
        return len(stub) >= 16 and stub.rstrip(b"\0") != b"" and stub[-8:] == bytes(8)
    if operation in (15, 26):  # NetrServerAuthenticate2 and 3: credential, then the flags
        return len(stub) >= 24 and any(stub[-4:]) and stub[-12:-4] == bytes(8)
    return False


def _asked_interface(stub: bytes) -> str:
    """The interface in the tower of an endpoint mapper's call, where it has a name."""
    place = stub.find(b"\x13\x00\x0d")  # floor 1: 19 bytes, UUID follows
    if place < 0 or place + 19 > len(stub):
        return ""
    return interface_name(str(uuid.UUID(bytes_le=stub[place + 3 : place + 19])))


class DcerpcInspector(MessageInspector):
    """One TCP connection."""

    protocol = "dcerpc"
    messages: ClassVar[int] = 600
    limit: ClassVar[int] = 4096

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._reader = RpcReader(flow, "tcp")

    def size(self, direction: int, begun: bytearray) -> int | None:
        """The fragment's length stands in the header, in the order that the header names."""
        if len(begun) < 10:
            return 0
        if begun[0] != 5 or begun[1] > 1 or begun[2] not in _TYPES:
            return None
        length = int.from_bytes(begun[8:10], "little" if begun[4] & 0x10 else "big")
        return length if length >= _HEADER else None

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """One fragment."""
        self.tell(ts)
        return MORE if self._reader.pdu(direction, message, ts) else DONE


@begins(pattern(TCP, "05 0?"))
def recognize_dcerpc(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A bind or its answer: version 5.0 or 5.1, a length that fits."""
    if flow.protocol != 6 or len(data) < 24 or data[0] != 5 or data[1] > 1 or data[2] not in (_BIND, _BIND_ACK, _ALTER):
        return None
    if data[4] not in (0x10, 0x00) or data[5] or data[6:8] != b"\0\0":
        return None
    length = int.from_bytes(data[8:10], "little" if data[4] else "big")
    return DcerpcInspector(flow) if 24 <= length <= 8192 else None
