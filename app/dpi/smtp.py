"""SMTP (RFC 5321): greeting, EHLO, STARTTLS (RFC 3207), and who logs in (RFC 4954). Of mails the subject and the names of
attachments are told; senders, recipients and texts are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import LineInspector, decoded_base64, on_port, plain_user
from app.dpi.signatures import TCP, begins, exactly, words

_GREETING: Final = re.compile(rb"220[ -][^\0]{0,500}")
_SAYS_SMTP: Final = re.compile(rb"220[ -][^\r\n]{0,300}(?:SMTP|postfix|exim|sendmail)", re.IGNORECASE)
_HELLO: Final = re.compile(rb"(?:EHLO|HELO|LHLO) [!-~][^\0\r\n]{0,254}\r?\n", re.IGNORECASE)
PORTS: Final = (25, 587, 2525)
_MAIL_LINES: Final = 400  # looked at in the first mail
_ATTACHED: Final = re.compile(rb"(?:file)?name\*?=\"?([^\";\r\n]{1,200})", re.IGNORECASE)


class SmtpInspector(LoginInspector, LineInspector):
    """One session, up to STARTTLS (`flow.notes["starttls"]`) or into the first mail."""

    protocol = "smtp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._awaited = ""  # what the client's next line is: "plain", "user", "password"
        self._tls_asked = False
        self._mail = 0  # lines of it that came; 0: none
        self._subject = ""
        self._attachments: list[str] = []

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command, a line of an authentication, or a reply; the originator is the client."""
        if direction == RESPONDER:
            return self._reply(line, ts)
        if self._mail:
            return self._mail_line(line, ts)
        if self._awaited:
            self._answer(line)
            return MORE
        words = line.split(None, 3)
        command = words[0].upper() if words else b""
        if command in (b"EHLO", b"HELO", b"LHLO"):
            self.note("client", words[1] if len(words) > 1 else b"")
        elif command == b"STARTTLS":
            self._tls_asked = True
        elif command == b"AUTH" and len(words) > 1:
            self._auth(words[1].upper(), words[2] if len(words) > 2 else b"")
        elif command == b"EXPN" or command == b"VRFY":
            self.flow.sink(Action(self.flow.flow_id, ts, "smtp", "verify", printable(line[5:], 64)))
        elif command in (b"MAIL", b"RCPT") and (b"${run" in line or b"|" in line[:200]):
            self.flow.sink(Action(self.flow.flow_id, ts, "smtp", "command_in_address", command.decode("ascii")))
        elif command == b"BDAT":
            return DONE
        elif command == b"DATA":
            self._mail = 1
        return MORE

    def _mail_line(self, line: bytes, ts: int) -> bool:
        """A line of the first mail: its subject, its attachments' names, its end."""
        self._mail += 1
        if line[:8].lower() == b"subject:" and not self._subject:
            self._subject = printable(line[8:].strip(), 128)
        elif line[:8].lower() in (b"content-", b" filenam", b"\tfilena", b'\tname="') and len(self._attachments) < 8:
            found = _ATTACHED.search(line)
            if found:
                self._attachments.append(printable(found[1], 128))
        if line == b"." or self._mail > _MAIL_LINES:
            self._tell_mail(ts)
            return DONE
        return MORE

    def _tell_mail(self, ts: int) -> None:
        if self._mail:
            self._mail = 0
            details = {"attachments": " ".join(self._attachments)}
            self.flow.sink(Action(self.flow.flow_id, ts, "smtp", "mail", self._subject, 0, details))

    def _auth(self, mechanism: bytes, first: bytes) -> None:
        self.note("authentication", mechanism)
        self._asked = LOGIN if mechanism in (b"PLAIN", b"LOGIN") else ""
        self._user = None
        if mechanism == b"PLAIN":
            self._awaited = "plain"
        elif mechanism == b"LOGIN":
            self._awaited = "user"
        if first and self._awaited:
            self._answer(first)

    def _answer(self, line: bytes) -> None:
        """A line of the client within AUTH. Passwords pass by."""
        if self._awaited == "plain":
            self._user = plain_user(line)
        elif self._awaited == "user":
            self._user = decoded_base64(line)
            self._awaited = "password"
            return
        self._awaited = ""

    def _reply(self, line: bytes, ts: int) -> bool:
        code = line[:3]
        if code == b"220":
            if self._tls_asked:
                self.flow.notes["starttls"] = True
                return DONE
            self.note("banner", line[4:])
        elif code == b"250":
            self.tell(ts)
        elif self._asked and (code == b"235" or code[:1] in (b"4", b"5")):
            self.outcome(ts, code == b"235")
        return MORE

    def outcome(self, ts: int, succeeded: bool | None) -> None:
        """Whether it succeeded or not, the client's next line is a command again."""
        self._awaited = ""
        super().outcome(ts, succeeded)

    def close(self, ts: int) -> None:
        """A mail whose end nobody saw."""
        self._tell_mail(ts or self._first_ts)
        super().close(ts)


@begins(exactly(TCP, b"220"), words(TCP, b"EHLO ", b"HELO ", b"LHLO "))
def recognize_smtp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A greeting that says SMTP or comes from its port, or a client's EHLO."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        says = _SAYS_SMTP.match(data) or (on_port(flow, *PORTS) and _GREETING.match(data))
        return SmtpInspector(flow) if says else None
    return SmtpInspector(flow) if _HELLO.match(data) else None
