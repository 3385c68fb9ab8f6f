"""NNTP (RFC 3977): greeting, logins by AUTHINFO (RFC 4643), and STARTTLS (RFC 4642). Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, SASL_PLAIN, STARTTLS, LoginInspector
from app.dpi.protocol_inspector import LineInspector, on_port, plain_user
from app.dpi.signatures import TCP, begins, exactly, words

_GREETING: Final = re.compile(rb"20[01] [^\r\n\0]{0,500}\r?\n")
_SAYS_NEWS: Final = re.compile(rb"20[01] [^\r\n]{0,300}(?:NNTP|NNRP|InterNetNews|news server)", re.IGNORECASE)
_COMMAND: Final = re.compile(
    rb"(?:MODE (?:READER|STREAM)|CAPABILITIES|AUTHINFO (?:USER|SASL) [^\r\n]{1,200}|STARTTLS)\r?\n", re.IGNORECASE
)
PORTS: Final = (119, 433)


class NntpInspector(LoginInspector, LineInspector):
    """One session up to its login or STARTTLS (`flow.notes["starttls"]`)."""

    protocol = "nntp"

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a reply; the originator is the client."""
        if direction == RESPONDER:
            return self._reply(line[:3], line, ts)
        if self._asked == SASL_PLAIN:
            self._user, self._asked = plain_user(line), LOGIN
            return MORE
        given = line.split(None, 3)
        command = b" ".join(given[:2]).upper()
        self._asked = ""
        if command == b"AUTHINFO USER":
            self._user = b" ".join(given[2:])
        elif command == b"AUTHINFO PASS":
            self._asked = LOGIN
        elif command == b"AUTHINFO SASL" and given[2:3] and given[2].upper() == b"PLAIN":
            self._asked = SASL_PLAIN
            if len(given) > 3:
                self._user, self._asked = plain_user(given[3]), LOGIN
        elif command == b"STARTTLS":
            self._asked = STARTTLS
        elif given and given[0].upper() == b"GROUP":
            self.note("group", b" ".join(given[1:2]))
        return MORE

    def _reply(self, code: bytes, line: bytes, ts: int) -> bool:
        if not code.isdigit() or self._asked == SASL_PLAIN:
            return MORE
        if code in (b"200", b"201"):
            self.note("banner", line[4:])
            self.tell(ts)
        return self.answered(ts, code == b"382" if self._asked == STARTTLS else code.startswith(b"28"))


@begins(exactly(TCP, b"200 ", b"201 "), words(TCP, b"MODE ", b"CAPABILITIES", b"AUTHINFO ", b"STARTTLS"))
def recognize_nntp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A greeting that says news or comes from its port, or the first commands after such a greeting."""
    if flow.protocol != 6:
        return None
    here = on_port(flow, *PORTS)
    if direction == RESPONDER:
        if not _GREETING.match(data):
            return None
        if here or _SAYS_NEWS.match(data):
            return NntpInspector(flow)
        flow.notes["greeting"] = b"200"
        return None
    greeted = here or flow.notes.get("greeting") == b"200"
    return NntpInspector(flow) if greeted and _COMMAND.match(data) else None
