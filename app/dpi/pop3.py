"""POP3 (RFC 1939): greeting, login, and STLS (RFC 2595). Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, SASL_PLAIN, STARTTLS, LoginInspector
from app.dpi.protocol_inspector import LineInspector, on_port, plain_user
from app.dpi.signatures import TCP, begins, exactly, words

_GREETING: Final = re.compile(rb"\+OK[ \r\n][^\0]{0,500}")
_SAYS_POP: Final = re.compile(rb"\+OK [^\r\n]{0,300}(?:POP|<[!-;=?-~]{1,128}@[!-;=?-~]{1,128}>|dovecot)", re.IGNORECASE)
_COMMAND: Final = re.compile(
    rb"(?:USER [^\r\n]{1,200}|APOP [!-~]{1,200} [0-9a-f]{32}|CAPA|STLS|AUTH(?: [A-Z0-9-]{1,20})?)\r?\n", re.IGNORECASE
)
PORTS: Final = (110,)


class Pop3Inspector(LoginInspector, LineInspector):
    """One session up to its login or STLS (`flow.notes["starttls"]`)."""

    protocol = "pop3"

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a reply; the originator is the client."""
        if direction == RESPONDER:
            return self._reply(line, ts)
        if self._asked == SASL_PLAIN:
            self._user, self._asked = plain_user(line), LOGIN
            return MORE
        command, _, argument = line.partition(b" ")
        command = command.upper()
        self._asked = ""
        if command == b"USER":
            self._user = argument.strip()
        elif command == b"PASS":
            self._asked = LOGIN
        elif command == b"APOP":
            self.note("user", argument.partition(b" ")[0])  # its password does not travel
        elif command == b"STLS":
            self._asked = STARTTLS
        elif command == b"AUTH" and argument[:5].upper() == b"PLAIN":
            self._asked = SASL_PLAIN
            if argument[6:]:
                self._user, self._asked = plain_user(argument[6:]), LOGIN
        return MORE

    def _reply(self, line: bytes, ts: int) -> bool:
        ok, failed = line.startswith(b"+OK"), line.startswith(b"-ERR")
        if ok:
            self.note("banner", line[4:])
        if not (ok or failed):
            return MORE
        return self.answered(ts, ok)


@begins(exactly(TCP, b"+OK"), words(TCP, b"USER ", b"APOP ", b"CAPA", b"STLS", b"AUTH"))
def recognize_pop3(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A greeting that says POP or comes from its port, or POP3's first commands after a `+OK`."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        if not _GREETING.match(data):
            return None
        if _SAYS_POP.match(data) or on_port(flow, *PORTS):
            return Pop3Inspector(flow)
        flow.notes["greeting"] = b"+OK"
        return None
    greeted = flow.notes.get("greeting") == b"+OK" or on_port(flow, *PORTS)
    return Pop3Inspector(flow) if greeted and _COMMAND.match(data) else None
