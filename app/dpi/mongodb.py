"""MongoDB's wire protocol: the first command, and the user that a SCRAM login names (the password does not travel)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern

_REPLY, _QUERY, _COMPRESSED, _MSG = 1, 2004, 2012, 2013
_LARGEST: Final = 48_000_000
_USER: Final = re.compile(rb"n,,n=([^,\0]{1,200}),r=")
_NAME: Final = re.compile(rb"[A-Za-z_$][\w$.-]{0,119}")


class MongodbInspector(MessageInspector):
    """The first messages of a connection."""

    protocol = "mongodb"
    messages: ClassVar[int] = 20

    def size(self, direction: int, begun: bytearray) -> int | None:
        """Little-endian length with itself."""
        if len(begun) < 4:
            return 0
        length = int.from_bytes(begun[:4], "little")
        return length if 16 <= length <= _LARGEST else None

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """Command names, and the user of saslStart."""
        opcode = int.from_bytes(message[12:16], "little")
        if opcode == _QUERY:
            self.note("collection", message[20:].partition(b"\0")[0])
        elif opcode == _MSG and direction == 0 and len(message) > 26 and message[20] == 0:
            self.note("command", message[26:].partition(b"\0")[0])
        found = _USER.search(message)
        if found:
            self.note("user", found[1].replace(b"=2C", b",").replace(b"=3D", b"="))  # RFC 5802 section 5.1
            return DONE
        return MORE


@begins(
    pattern(TCP, "?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? d4 07 00 00", "?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? ?? dd 07 00 00")
)
def recognize_mongodb(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A query or a message with a command behind a plausible header."""
    if flow.protocol != 6 or len(data) < 27 or not len(data) <= int.from_bytes(data[:4], "little") <= _LARGEST:
        return None
    opcode = int.from_bytes(data[12:16], "little")
    if opcode == _QUERY:
        name, end, _ = data[20:150].partition(b"\0")
        known = end and b"." in name and _NAME.fullmatch(name)
    elif opcode == _MSG:
        document = int.from_bytes(data[21:25], "little")
        name, end, _ = data[26:150].partition(b"\0")
        known = (
            end
            and data[18:21] == b"\0\0\0"
            and 5 < document <= _LARGEST
            and 1 <= data[25] <= 19
            and _NAME.fullmatch(name)
        )
    else:
        return None
    return MongodbInspector(flow) if known else None
