"""FTP's control connection (RFC 959): greeting, login, and AUTH TLS (RFC 4217). Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import LineInspector, on_port
from app.dpi.signatures import TCP, begins, exactly, words

_GREETING: Final = re.compile(rb"220[ -][^\0]{0,500}")
_SAYS_FTP: Final = re.compile(rb"220[ -][^\r\n]{0,200}\b(?:s?ftpd?|filezilla|vsftpd|proftpd)\b", re.IGNORECASE)
_COMMAND: Final = re.compile(rb"(?:USER [^\r\n]{1,200}|AUTH (?:TLS|SSL)|FEAT|SYST|OPTS UTF8 ON)\r?\n", re.IGNORECASE)
PORTS: Final = (21, 2121)
_ADDRESS: Final = re.compile(rb"([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3})")
_EXTENDED: Final = re.compile(rb"\|[12]\|([0-9A-Fa-f.:]{3,45})\|([0-9]{1,5})\|")
_TOLD: Final = frozenset((b"STOR", b"STOU", b"APPE", b"RETR", b"SITE", b"DELE"))
_ACTIONS: Final = 200


class FtpInspector(LoginInspector, LineInspector):
    """One control connection. DONE after AUTH TLS was accepted: `flow.notes["starttls"]`."""

    protocol = "ftp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._tls_asked = False
        self._actions = 0

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a reply; the originator is the client."""
        if direction == RESPONDER:
            return self._reply(line[:3], line, ts)
        command, _, argument = line.partition(b" ")
        command = command.upper()
        if command == b"USER":
            self._user = argument.strip()
        elif command == b"PASS":
            self._asked = LOGIN
        elif command == b"AUTH" and argument.upper().strip() in (b"TLS", b"SSL", b"TLS-C", b"TLS-P"):
            self._tls_asked = True
        elif command == b"CLNT":
            self.note("client", argument)
        elif command in (b"PORT", b"EPRT"):
            self._data_address(command, argument, ts)
        elif command in _TOLD:
            self._act(ts, command.decode("ascii").lower(), printable(argument.strip()))
        return MORE

    def _data_address(self, command: bytes, argument: bytes, ts: int) -> None:
        """Where the server shall connect to (RFC 959 section 4.1.2, RFC 2428)."""
        if command == b"PORT":
            found = _ADDRESS.match(argument)
            numbers = [int(part) for part in found.groups()] if found else []
            if numbers and max(numbers) <= 255:
                address = ".".join(str(part) for part in numbers[:4])
                self._act(ts, "port", address, port=str(numbers[4] << 8 | numbers[5]))
        elif found := _EXTENDED.match(argument):
            self._act(ts, "port", found[1].decode("ascii"), port=found[2].decode("ascii"))

    def _act(self, ts: int, name: str, subject: str, **details: str) -> None:
        self._actions += 1
        if self._actions <= _ACTIONS:
            self.flow.sink(Action(self.flow.flow_id, ts, "ftp", name, subject, 0, details))

    def _reply(self, code: bytes, line: bytes, ts: int) -> bool:
        if line[3:4] == b"-" and code != b"220":
            return MORE  # the last line of a reply has the code and a blank
        if code == b"220":
            self.note("banner", line[4:])
        elif code == b"215":
            self.note("system", line[4:])
        elif code == b"234" and self._tls_asked:
            self.flow.notes["starttls"] = True
            return DONE
        elif code in (b"230", b"232") and self._user is not None:
            self.outcome(ts, True)
        elif code in (b"530", b"430", b"421") and self._asked:
            self.outcome(ts, False)
        if code in (b"331", b"332"):
            self.tell(ts)
        return MORE


@begins(exactly(TCP, b"220"), words(TCP, b"USER ", b"AUTH ", b"FEAT", b"SYST", b"OPTS "))
def recognize_ftp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A greeting that says FTP or comes from its port, or FTP's first commands after a greeting with 220."""
    if flow.protocol != 6:
        return None
    if direction == RESPONDER:
        if not _GREETING.match(data):
            return None
        if _SAYS_FTP.match(data) or (on_port(flow, *PORTS) and b"SMTP" not in data[:200].upper()):
            return FtpInspector(flow)
        flow.notes["greeting"] = b"220"
        return None
    greeted = flow.notes.get("greeting") == b"220" or on_port(flow, *PORTS)
    return FtpInspector(flow) if greeted and _COMMAND.match(data) else None
