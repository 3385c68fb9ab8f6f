"""ManageSieve (RFC 5804): greeting, logins by AUTHENTICATE, and STARTTLS. Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.protocol_inspector import LineInspector, on_port, plain_user
from app.dpi.signatures import TCP, begins, words

_GREETING: Final = re.compile(rb'"(?:IMPLEMENTATION|SIEVE|SASL|VERSION)"', re.IGNORECASE)
_PLAIN: Final = re.compile(rb'AUTHENTICATE\s+"PLAIN"(?:\s+(?:"([^"]{1,2000})"|\{[0-9]{1,4}\+?\}))?', re.IGNORECASE)
_QUOTED: Final = re.compile(rb'"?([A-Za-z0-9+/=]{4,2000})"?\Z')
PORTS: Final = (4190, 2000)


class SieveInspector(LineInspector):
    """One session up to its login or STARTTLS (`flow.notes["starttls"]`)."""

    protocol = "sieve"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._user: bytes | None = None
        self._asked = ""  # the command whose result comes next: "login", "starttls", "plain" (the response follows in a line of its own)

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a response; the originator is the client."""
        if direction == RESPONDER:
            return self._response(line, ts)
        if self._asked == "plain":
            found = _QUOTED.match(line.strip())
            self._user, self._asked = plain_user(found[1]) if found else None, "login"
        elif found := _PLAIN.match(line):
            self._user = plain_user(found[1]) if found[1] else None
            self._asked = "login" if found[1] else "plain"
        elif line[:8].upper() == b"STARTTLS":
            self._asked = "starttls"
        return MORE

    def _response(self, line: bytes, ts: int) -> bool:
        if line[:16].upper() == b'"IMPLEMENTATION"':
            self.note("server", line[17:].strip(b'" '))
            self.tell(ts)
        result = line[:3].strip().upper()
        if result not in (b"OK", b"NO", b"BYE") or self._asked == "plain":
            return MORE
        asked, self._asked = self._asked, ""
        if asked == "login":
            self.login(ts, self._user, result == b"OK")
            return DONE if result == b"OK" else MORE
        if asked == "starttls" and result == b"OK":
            self.flow.notes["starttls"] = True
            return DONE
        return MORE

    def close(self, ts: int) -> None:
        """A login whose outcome nobody saw."""
        if self._asked == "login":
            self._asked = ""
            self.login(ts or self._first_ts, self._user, None)
        super().close(ts)


@begins(words(TCP, b'"IMPLEMENTATION', b'"SIEVE"', b'"SASL"', b'"VERSION"', b"AUTHENTICATE "))
def recognize_sieve(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The server's capabilities, or a client's login at its port."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        return SieveInspector(flow) if _GREETING.match(data) else None
    return SieveInspector(flow) if on_port(flow, *PORTS) and _PLAIN.match(data) else None
