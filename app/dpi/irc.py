"""IRC (RFC 2812): nick, channels, and passwords that are sent (never which). Messages are told only where they are orders to machines."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import LineInspector, on_port
from app.dpi.signatures import TCP, begins, exactly

_FIRST: Final = re.compile(
    rb"(?:(?:PASS [^\r\n]{1,200}|CAP (?:LS|REQ|END)[^\r\n]{0,200})\r?\n)*(?:NICK [^\s:]{1,64}\r?\n|USER [^\s]{1,64} [^\r\n]{1,200} :?[^\r\n]{0,200}\r?\n)"
)
_SERVER: Final = re.compile(rb":[!-~]{3,120} (?:NOTICE (?:AUTH|\*) |00[1-4] )|NOTICE AUTH :")
_IDENTIFY: Final = re.compile(rb"(?:PRIVMSG )?NICKSERV (?::?IDENTIFY|:?LOGIN) ", re.IGNORECASE)
# Orders as bots on IRC have taken them for twenty years
_ORDER: Final = re.compile(
    rb"(?:PRIVMSG|TOPIC|332) [^\r\n]{1,80}?:?[.!@$](?:advscan|asc |scan|ddos|udp(?:flood)?|syn(?:flood)?|tcpflood|httpflood|download|update|http\.|login|spread|exec|cmd|sh |flood|pstore|keylog|visit)",
    re.IGNORECASE,
)


class IrcInspector(LineInspector):
    """The first lines of a connection."""

    protocol = "irc"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._nick: bytes | None = None
        self._password_sent = False
        self._acted = 0

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A command or a message."""
        if direction == ORIGINATOR:
            command, _, argument = line.partition(b" ")
            command = command.upper()
            if command == b"NICK":
                self._nick = argument.strip(b": ")[:64]
                self.note("nick", self._nick)
                self.tell(ts)
                if self._password_sent:
                    self._password_sent = False
                    self.login(ts, self._nick, None)
            elif command == b"PASS":
                self._password_sent = True
            elif command in (b"USER", b"JOIN"):
                name = {"USER": "user", "JOIN": "channel"}[command.decode()]
                self.note(name, argument.partition(b" ")[0])
            elif _IDENTIFY.match(line):
                self.login(ts, self._nick, None)
        if _ORDER.search(line) and self._acted < 20:
            self._acted += 1
            self.flow.sink(Action(self.flow.flow_id, ts, "irc", "order", printable(line, 120), direction))
        return MORE


@begins(exactly(TCP, b"PASS ", b"CAP ", b"NICK ", b"USER ", b":", b"NOTICE AUTH :"))
def recognize_irc(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """NICK and USER, or a server's first words."""
    if flow.protocol != 6:
        return None
    if direction == ORIGINATOR:
        return IrcInspector(flow) if _FIRST.match(data) else None
    return (
        IrcInspector(flow)
        if _SERVER.match(data) and (on_port(flow, *range(6660, 6670), 7000) or b" NOTICE " in data[:200])
        else None
    )
