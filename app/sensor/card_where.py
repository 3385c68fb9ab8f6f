"""Where in a conversation a number stood, in words: "HTTP request body, JSON", "MySQL payload", "HTTP request header Cookie"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.dpi.cards.detect import CardNumber
from app.dpi.cards.http_bodies import shape_of
from app.wire.service_ports import NAMED_PORTS

_START: Final = re.compile(rb"(HTTP/1\.[01] [0-9]{3}|[A-Z]{3,10} [^\r\n]{1,8192} HTTP/1\.[01]\r?\n)")
_END: Final = re.compile(rb"\r?\n\r?\n")
_TYPE: Final = re.compile(rb"\ncontent-type:[ \t]*([^\r\n]{1,80})", re.I)
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")
_NAMES: Final = {"http": "HTTP", "smtp": "SMTP", "ftp-data": "FTP data", "ftp": "FTP", "mysql": "MySQL", "postgresql": "PostgreSQL", "redis": "Redis",
                 "mqtt": "MQTT", "telnet": "Telnet", "syslog": "Syslog", "dns": "DNS", "smb": "SMB", "pop3": "POP3", "imap": "IMAP", "sip": "SIP", "domain": "DNS"}  # fmt: skip

_PORTS: Final = {
    514: "syslog",
    3306: "mysql",
    5432: "postgresql",
    6379: "redis",
    1883: "mqtt",
    23: "telnet",
    20: "ftp-data",
    25: "smtp",
    587: "smtp",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Words for a place; `shape` is what the text looks like."""

    name: str
    shape: str = ""

    @classmethod
    def of_flow(cls, protocol: str | None, number: int, ports: tuple[int, int], direction: int) -> Place:
        """By what the flow was recognised as, else by its server's port."""
        server = ports[0] if direction else ports[1]
        name = (protocol or NAMED_PORTS.get(server) or _PORTS.get(server) or "").lower()
        side = "response" if direction else "request"
        if name in ("http", "http-alt"):
            return cls(f"HTTP {side}")
        kind = "TCP" if number == 6 else "UDP" if number == 17 else "IP"
        return cls(f"{_NAMES.get(name, name)} payload" if name else f"{kind} payload")

    def with_form(self, number: CardNumber) -> str:
        """The whole of it."""
        parts = [self.name + self.shape]
        if number.track is not None:
            parts.append(f"track {number.track}")
        if number.form is not None:
            parts.append(number.form)
        return ", ".join(parts)


def place_of(payload: bytes, position: int, known: str, flow: Place) -> Place:
    """The place of payload[position]."""
    start = _START.match(payload)
    if start is None:
        return Place(flow.name, _shape(payload, position))
    side = "response" if payload.startswith(b"HTTP/") else "request"
    end = _END.search(payload)
    if end is None or position < end.start():
        line = payload.rfind(b"\n", 0, position) + 1
        if line == 0:
            return Place(f"HTTP {side} line")
        name = _NAME.match(payload, line)
        return Place(f"HTTP {side} header {name[0].decode('ascii') if name else ''}".rstrip())
    kind = _TYPE.search(payload, 0, end.start() + 1)
    return Place(f"HTTP {side} body", shape_of(kind[1]) if kind else _shape(payload, position))


def _shape(payload: bytes, position: int) -> str:
    """What the text before a number looks like."""
    near = payload[max(0, position - 64) : position]
    if re.search(rb'["\'][A-Za-z0-9_ -]{1,40}["\']\s*:\s*["\']?\Z', near):
        return ", JSON"
    if re.search(rb"<[A-Za-z][^<>]{0,60}>\s*\Z", near):
        return ", XML or HTML"
    return ""
