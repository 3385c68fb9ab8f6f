"""IMAP (RFC 9051): greeting, login, and STARTTLS. Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, STARTTLS, LoginInspector
from app.dpi.protocol_inspector import LineInspector, on_port, plain_user
from app.dpi.signatures import TCP, begins, exactly, pattern

_GREETING: Final = re.compile(rb"\* (?:OK|PREAUTH)[ \r\n][^\0]{0,500}")
_SAYS_IMAP: Final = re.compile(rb"\* (?:OK|PREAUTH)[ \[][^\r\n]{0,300}(?:IMAP|dovecot)", re.IGNORECASE)
_COMMAND: Final = re.compile(
    rb"[A-Za-z0-9.]{1,16} (?:CAPABILITY|STARTTLS|ID [(N]|NOOP|LOGIN [^\r\n]{3,500}|AUTHENTICATE [A-Z0-9-]{4,20})",
    re.IGNORECASE,
)
_LOGIN: Final = re.compile(rb'(?:"((?:[^"\\]|\\.)*)"|\{([0-9]{1,4})\+?\}|([^ "{]+))')
_ESCAPED: Final = re.compile(rb"\\(.)")
PORTS: Final = (143,)


class ImapInspector(LoginInspector, LineInspector):
    """One session up to its login or STARTTLS (`flow.notes["starttls"]`)."""

    protocol = "imap"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._tag = b""  # of the command whose result is awaited
        self._awaited = ""  # what the client's next line is: "plain", "literal" (the user's name)

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command, a line of a login, or a response; the originator is the client."""
        if direction == RESPONDER:
            return self._response(line, ts)
        awaited, self._awaited = self._awaited, ""
        if awaited == "plain":
            self._user = plain_user(line)
        elif awaited == "literal":
            self._user = line.rpartition(b" ")[0] or line  # behind it the announcement of the password
        else:
            self._command(line)
        return MORE

    def _command(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        command, _, argument = rest.partition(b" ")
        command = command.upper()
        if command == b"LOGIN":
            self._tag, self._asked = tag, LOGIN
            found = _LOGIN.match(argument)
            if found and found[2] is not None:
                self._awaited = "literal"
            elif found:
                self._user = found[3] if found[1] is None else _ESCAPED.sub(rb"\1", found[1])
        elif command == b"AUTHENTICATE" and argument[:5].upper() == b"PLAIN":
            self._tag, self._asked = tag, LOGIN
            if argument[6:]:
                self._user = plain_user(argument[6:])
            else:
                self._awaited = "plain"
        elif command == b"STARTTLS":
            self._tag, self._asked = tag, STARTTLS

    def _response(self, line: bytes, ts: int) -> bool:
        if line.startswith(b"* OK") and not self._tag:
            self.note("banner", line[5:])
        tag, _, rest = line.partition(b" ")
        if not self._tag or tag != self._tag:
            return MORE
        self._tag = b""
        return self.answered(ts, rest[:2].upper() == b"OK")


@begins(exactly(TCP, b"* OK", b"* PREAUTH", b"."), pattern(TCP, "3?", "4?", "5?", "6?", "7?", spaced=True))
def recognize_imap(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A greeting that says IMAP or comes from its port, or IMAP's first commands."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        says = _SAYS_IMAP.match(data) or (on_port(flow, *PORTS) and _GREETING.match(data))
        return ImapInspector(flow) if says else None
    return ImapInspector(flow) if _COMMAND.match(data) and (on_port(flow, *PORTS) or b"\n" in data) else None
