"""Redis' serialization protocol: the first commands, and logins by AUTH or HELLO. Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.signatures import TCP, begins, pattern

_FIRST: Final = re.compile(rb"\*([1-9][0-9]{0,5})\r\n\$([1-9][0-9]?)\r\n([A-Za-z][A-Za-z._|-]{0,31})\r\n")
_HEAD: Final = re.compile(rb"\*([0-9]{1,7})\r\n")
_BULK: Final = re.compile(rb"\$([0-9]{1,9})\r\n")
_VERSION: Final = re.compile(rb"redis_version:([0-9.]{1,20})|version\r\n\$[0-9]{1,2}\r\n([0-9.]{1,20})")
_COMMANDS: Final = 50
_WORDS: Final = 8  # words looked at in one command
_LIMIT: Final = 16 << 10


class RedisInspector(LoginInspector):
    """The first commands of a connection."""

    protocol = "redis"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = bytearray()
        self._left = _COMMANDS

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        if direction == RESPONDER:
            self.tell(ts)
            found = _VERSION.search(data)
            if found:
                self.note("version", found[1] or found[2])
            if self._asked and data[:1] in b"+-%*$":
                self.outcome(ts, data[:1] != b"-")
            return MORE
        self._begun += data
        while self._begun and self._left > 0:
            used = self._command()
            if used == 0 and len(self._begun) <= _LIMIT:
                return MORE
            if used <= 0:
                break
            self._left -= 1
            del self._begun[:used]
        if self._begun or self._left <= 0:
            self.close(ts)
            return DONE
        return MORE

    def _command(self) -> int:
        """Reads the command at the front; returns its length, 0: not complete, -1: not readable."""
        found = _HEAD.match(self._begun)
        if not found:
            return 0 if len(self._begun) < 10 and self._begun[:1] == b"*" else -1
        position = found.end()
        words: list[bytes] = []
        for _ in range(int(found[1])):
            bulk = _BULK.match(self._begun, position)
            if not bulk:
                return 0 if len(self._begun) - position < 12 else -1
            start, end = bulk.end(), bulk.end() + int(bulk[1])
            if end + 2 > len(self._begun):
                return 0
            if len(words) < _WORDS:
                words.append(bytes(self._begun[start : min(end, start + 256)]))
            position = end + 2
        self._login_of(words)
        return position

    def _login_of(self, words: list[bytes]) -> None:
        """AUTH password · AUTH user password · HELLO 3 AUTH user password."""
        name = words[0].upper() if words else b""
        self.note("command", name)
        if name == b"AUTH" and len(words) in (2, 3):
            self._user, self._asked = words[1] if len(words) == 3 else None, LOGIN
        elif name == b"HELLO" and len(words) >= 5 and words[2].upper() == b"AUTH":
            self._user, self._asked = words[3], LOGIN


@begins(pattern(TCP, "2a 3?"))
def recognize_redis(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A command: an array of bulk strings whose first is a word of the announced length."""
    if flow.protocol != 6:
        return None
    found = _FIRST.match(data)
    return RedisInspector(flow) if found and len(found[3]) == int(found[2]) else None
