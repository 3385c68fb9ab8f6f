"""Alerts to a syslog server (RFC 5424), over UDP (RFC 5426) or TCP with octet counting (RFC 6587 § 3.4.1)."""

from __future__ import annotations

import re
import socket
from typing import Any, Final
from urllib.parse import urlsplit

TIMEOUT: Final = 10.0
_FACILITY: Final = 10  # security/authorization messages
_SEVERITIES: Final = {"critical": 2, "high": 3, "medium": 4, "low": 5}
# 32473 is IANA's private enterprise number for examples and documentation (RFC 5612).
_SD_ID: Final = "netglass@32473"
_SHOWN: Final = ("id", "rule", "severity", "confidence", "source", "target", "measured", "threshold", "count", "app_name", "pid", "mitre")  # fmt: skip
MAX_UDP: Final = 8_192


class Syslog:
    """`udp://host:514` or `tcp://host:601`."""

    name = "syslog"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("udp", "tcp") or not parts.hostname:
            raise ValueError(f"{url[:80]} is no syslog address; udp://host:514 and tcp://host:601 are")
        self._tcp = parts.scheme == "tcp"
        self._host = parts.hostname
        self._port = parts.port or (601 if self._tcp else 514)
        self.where = f"{parts.scheme}://{self._host}:{self._port}"

    def send(self, document: dict[str, Any]) -> None:
        """See `Output.send`."""
        data = message(document, socket.gethostname()).encode()
        if self._tcp:
            with socket.create_connection((self._host, self._port), TIMEOUT) as connection:
                connection.sendall(f"{len(data)} ".encode() + data)
            return
        family, kind, number, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, number) as sender:
            sender.settimeout(TIMEOUT)
            sender.sendto(data[:MAX_UDP], address)


def message(document: dict[str, Any], host: str) -> str:
    """One message; what was captured is in it as text only: no control character, no end of the structured data before its time."""
    priority = _FACILITY * 8 + _SEVERITIES[document["severity"]]
    values = " ".join(f'{key}="{_quoted(str(document[key]))}"' for key in _SHOWN if document.get(key) is not None)
    text = _plain(f"{document['title']}: {document['reason']}")
    host = re.sub(r"[^\x21-\x7e]", "", host)[:255] or "-"
    return f"<{priority}>1 {document['last_seen']} {host} netglass - alert [{_SD_ID} {values}] \ufeff{text}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _quoted(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", _plain(text))
