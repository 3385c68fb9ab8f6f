"""PostgreSQL's frontend/backend protocol, version 3: startup, authentication, TLS. Passwords are not looked at."""

from __future__ import annotations

from typing import ClassVar, Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern

_VERSION_3: Final = b"\0\3\0"
_SSL, _GSS, _CANCEL = (number.to_bytes(4, "big") for number in (80877103, 80877104, 80877102))
_METHODS: Final = {3: "cleartext", 5: "md5", 7: "gss", 9: "sspi", 10: "scram"}


class PostgresqlInspector(LoginInspector, MessageInspector):
    """One connection up to the verdict on its login. TLS accepted: `flow.notes["starttls"]`."""

    protocol = "postgresql"
    messages: ClassVar[int] = 16

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._started = False  # the startup message came: from here on messages have a type
        self._encryption_asked = False

    def size(self, direction: int, begun: bytearray) -> int | None:
        """Length with itself; a type before it, but not in the first messages. A server's answer about TLS is one byte."""
        if direction == RESPONDER and self._encryption_asked:
            return 1
        typed = self._started or direction == RESPONDER
        if len(begun) < 4 + typed:
            return 0
        length = int.from_bytes(begun[typed : 4 + typed], "big")
        return length + typed if 4 <= length < 1 << 30 else None

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """Startup, or a message of the authentication."""
        if direction == RESPONDER:
            if self._encryption_asked:
                self._encryption_asked = False
                if message == b"N":
                    return MORE
                self.flow.notes["starttls"] = message == b"S"
                return DONE
            return self._answer(message, ts)
        if self._started:
            return MORE
        code = message[4:8]
        if code in (_SSL, _GSS):
            self._encryption_asked = True
        elif code[:3] == _VERSION_3:
            self._started = True
            self._startup(message[8:])
        else:
            return DONE
        return MORE

    def _startup(self, body: bytes) -> None:
        words = body.split(b"\0")
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name in (b"user", b"database", b"application_name"):
                self.note(name.decode("ascii"), value)
            if name == b"user":
                self._user = value

    def _answer(self, message: bytes, ts: int) -> bool:
        kind = message[:1]
        if kind == b"R" and len(message) >= 9:
            method = int.from_bytes(message[5:9], "big")
            if method == 0:
                if self._asked:
                    self.outcome(ts, True)
                else:
                    self.note("authentication", "none")
                return DONE
            if method in _METHODS:
                self._asked = LOGIN
                self.note("authentication", _METHODS[method])
        elif kind == b"E" or kind not in (b"R", b"N", b"v"):
            if self._asked:
                self.outcome(ts, False)
            return DONE
        return MORE


@begins(pattern(TCP, "00 ?? ?? ?? 00 03 00 0?", "00 00 00 ?? 04 d2 16 ??"))
def recognize_postgresql(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A startup message, or a request for encryption or to cancel."""
    if flow.protocol != 6 or len(data) < 8 or int.from_bytes(data[:4], "big") != len(data):
        return None
    code = data[4:8]
    startup = code[:3] == _VERSION_3 and code[3] <= 2 and data[-1] == 0 and data[8:].startswith((b"user\0", b"database\0", b"client_encoding\0", b"application_name\0", b"options\0", b"replication\0", b"DateStyle\0", b"TimeZone\0", b"extra_float_digits\0"))  # fmt: skip
    asks = (code in (_SSL, _GSS) and len(data) == 8) or (code == _CANCEL and len(data) == 16)
    return PostgresqlInspector(flow) if startup or asks else None
