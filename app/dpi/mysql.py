"""MySQL and MariaDB: the server's greeting and the client's login (protocol version 10); TLS where the client asks for it."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern

_VERSION: Final = re.compile(rb"[0-9]{1,2}\.[0-9]{1,3}[ -~]{0,100}")
_SSL: Final = 0x800
_CONNECT_WITH_DB, _SECURE, _LENENC = 0x8, 0x8000, 0x200000


class MysqlInspector(LoginInspector, MessageInspector):
    """One connection up to the verdict on its login. A client that asks for TLS: `flow.notes["starttls"]`."""

    protocol = "mysql"
    messages: ClassVar[int] = 12

    def size(self, direction: int, begun: bytearray) -> int | None:
        """Three bytes of length, one of sequence."""
        return 4 + int.from_bytes(begun[:3], "little") if len(begun) >= 4 else 0

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """Greeting, login, verdict."""
        body = message[4:]
        if direction == RESPONDER:
            if body[:1] == b"\n" and not self._asked:
                self.note("server", body[1:].partition(b"\0")[0])
                return MORE
            if self._asked and body[:1] in (b"\0", b"\xff"):
                self.outcome(ts, body[:1] == b"\0")
                return DONE
            return MORE if body[:1] in (b"\1", b"\xfe") else DONE  # the server wants another round of authentication
        if self._asked:
            return MORE
        if len(body) < 32:
            return DONE
        if int.from_bytes(body[:2], "little") & _SSL and len(body) == 32:
            self.flow.notes["starttls"] = True
            return DONE
        self._login(body)
        return MORE

    def _login(self, body: bytes) -> None:
        """HandshakeResponse41: capabilities, 28 bytes, user, authentication, database."""
        flags = int.from_bytes(body[:4], "little")
        self._user, _, rest = body[32:].partition(b"\0")
        self._asked = LOGIN
        self.note("user", self._user)
        if flags & _CONNECT_WITH_DB and flags & (_SECURE | _LENENC) and rest and rest[0] < 251:
            self.note("database", rest[1 + rest[0] :].partition(b"\0")[0])


@begins(pattern(TCP, "?? ?? ?? 00 0a 3?"))
def recognize_mysql(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The server's greeting: its length, sequence 0, protocol 10, a version that looks like one."""
    if (
        flow.protocol != 6
        or len(data) < 30
        or data[3:5] != b"\0\n"
        or int.from_bytes(data[:3], "little") != len(data) - 4
    ):
        return None
    version, end, rest = data[5:120].partition(b"\0")
    return MysqlInspector(flow) if end and _VERSION.fullmatch(version) and len(rest) >= 13 and rest[12] == 0 else None
