"""ManageSieve (RFC 5804): greeting, logins by AUTHENTICATE, and STARTTLS. Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, SASL_PLAIN, STARTTLS, LoginInspector
from app.dpi.protocol_inspector import LineInspector, on_port, plain_user
from app.dpi.signatures import TCP, begins, words

_GREETING: Final = re.compile(rb'"(?:IMPLEMENTATION|SIEVE|SASL|VERSION)"', re.IGNORECASE)
_PLAIN: Final = re.compile(rb'AUTHENTICATE\s+"PLAIN"(?:\s+(?:"([^"]{1,2000})"|\{[0-9]{1,4}\+?\}))?', re.IGNORECASE)
_QUOTED: Final = re.compile(rb'"?([A-Za-z0-9+/=]{4,2000})"?\Z')
PORTS: Final = (4190, 2000)


class SieveInspector(LoginInspector, LineInspector):
    """One session up to its login or STARTTLS (`flow.notes["starttls"]`)."""

    protocol = "sieve"

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a response; the originator is the client."""
        if direction == RESPONDER:
            return self._response(line, ts)
        if self._asked == SASL_PLAIN:
            found = _QUOTED.match(line.strip())
            self._user, self._asked = plain_user(found[1]) if found else None, LOGIN
        elif found := _PLAIN.match(line):
            self._user = plain_user(found[1]) if found[1] else None
            self._asked = LOGIN if found[1] else SASL_PLAIN
        elif line[:8].upper() == b"STARTTLS":
            self._asked = STARTTLS
        return MORE

    def _response(self, line: bytes, ts: int) -> bool:
        if line[:16].upper() == b'"IMPLEMENTATION"':
            self.note("server", line[17:].strip(b'" '))
            self.tell(ts)
        result = line[:3].strip().upper()
        if result not in (b"OK", b"NO", b"BYE") or self._asked == SASL_PLAIN:
            return MORE
        return self.answered(ts, result == b"OK")


@begins(words(TCP, b'"IMPLEMENTATION', b'"SIEVE"', b'"SASL"', b'"VERSION"', b"AUTHENTICATE "))
def recognize_sieve(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The server's capabilities, or a client's login at its port."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        return SieveInspector(flow) if _GREETING.match(data) else None
    return SieveInspector(flow) if on_port(flow, *PORTS) and _PLAIN.match(data) else None
