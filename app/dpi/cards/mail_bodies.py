"""One direction of a mail connection (SMTP, POP3, IMAP): parts in base64 or quoted-printable (RFC 2045) to running text."""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable
from typing import Final

from app.dpi.cards.detect import CardNumber, Scanner
from app.dpi.cards.running_text import RunningText

_LONGEST_LINE: Final = 8192
_NAME: Final = b"content-transfer-encoding:"


class MailBodies:
    """Lines in; what is coded comes out decoded."""

    def __init__(self, scanner: Scanner, found: Callable[[CardNumber, str, int], None]) -> None:
        self._scanner = scanner
        self._found = found
        self._line = bytearray()
        self._announced = b""
        self._coding = b""
        self._base64 = b""  # characters that wait for the fourth
        self._text: RunningText | None = None
        self._from = 0

    def data(self, data: bytes, place: int, ts: int) -> bool:
        """Always wants more."""
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[:end]).rstrip(b"\r")
            del self._line[: end + 1]
            self._take(line, place)
        if len(self._line) > _LONGEST_LINE:
            self._line.clear()
        return True

    def gap(self, length: int) -> bool:
        """The line is lost, and a group of base64 with it."""
        self._line.clear()
        self._base64 = b""
        return True

    def close(self) -> None:
        """The end of a part."""
        if self._text is not None:
            self._text.close()
        self._text = None
        self._announced = self._coding = self._base64 = b""

    def _take(self, line: bytes, place: int) -> None:
        if line[:26].lower() == _NAME:
            self._announced = line[26:].strip().lower()
        elif not line:
            if self._text is None and self._announced in (b"base64", b"quoted-printable"):
                self._coding = self._announced
                self._text = RunningText(self._scanner, self._tell)
                self._from = place
            elif self._coding == b"base64":
                self.close()
            elif self._text is not None:
                self._text.feed(b"\n")
        elif line[:2] == b"--" or line == b".":
            self.close()
        elif self._text is not None:
            self._decode(line)

    def _decode(self, line: bytes) -> None:
        assert self._text is not None
        if self._coding == b"quoted-printable":
            soft = line.endswith(b"=")
            self._text.feed(quopri.decodestring(line[:-1] if soft else line) + (b"" if soft else b"\n"))
            return
        whole = self._base64 + line.strip()
        use = len(whole) // 4 * 4
        self._base64 = whole[use:]
        try:
            self._text.feed(base64.b64decode(whole[:use]))
        except (binascii.Error, ValueError):
            self.close()

    def _tell(self, number: CardNumber) -> None:
        self._found(number, f"mail body, {self._coding.decode('ascii')}", self._from)
