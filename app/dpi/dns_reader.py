"""Reads numbers, names and strings out of one DNS message, with a budget: a hostile message costs no more than a large honest one.

Everything that is cut short raises Cut, everything that breaks the rules raises Malformed; both say how.
"""

from __future__ import annotations

from typing import Final

from app.dpi.dns_text import CUT, name_text

MAX_NAME: Final = 254  # octets of labels with their lengths; 255 with the root (RFC 1035 § 2.3.4)
MAX_JUMPS: Final = 64  # compression pointers in one name
WORK: Final = 4096  # labels, pointers, strings and list items of one message


class Malformed(Exception):
    """The message breaks the format here."""


class Cut(Malformed):
    """The message ends before what it announces."""


class Reader:
    """A place in a message. `name` may jump anywhere, everything else stays below the end it is given."""

    __slots__ = ("_known", "at", "data", "utf8", "work")

    def __init__(self, data: bytes, at: int = 0, utf8: bool = False) -> None:
        self.data = data
        self.at = at
        self.utf8 = utf8
        self.work = WORK
        self._known: dict[int, str] = {}  # names by where they start

    def spend(self, amount: int = 1) -> None:
        """Take from the budget; Malformed when it is used up."""
        self.work -= amount
        if self.work < 0:
            raise Malformed("too many labels and strings")

    def number(self, size: int) -> int:
        """An unsigned integer of `size` octets."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """The next `size` octets."""
        end = self.at + size
        if end > len(self.data):
            raise Cut("it ends inside a field")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def string(self) -> bytes:
        """A character string: one length octet, then so many (RFC 1035 § 3.3)."""
        self.spend()
        return self.take(self.number(1))

    def name(self) -> str:
        """A domain name as text. A name that is broken behind a pointer gives what was read, with a trailing "…"."""
        data, begin = self.data, self.at
        if begin + 1 < len(data) and data[begin] >= 192:  # most names of answers point to the question's
            text = self._known.get((data[begin] & 63) << 8 | data[begin + 1])
            if text is not None:
                self.spend()
                self.at = begin + 2
                return text
        labels, whole = self.labels()
        if not whole:
            return ".".join([name_text(labels, self.utf8), CUT]) if labels else CUT
        text = self._known[begin] = name_text(labels, self.utf8)
        return text

    def labels(self) -> tuple[list[bytes], bool]:
        """The labels of the name here; False beside them: it is broken behind a pointer, these are the first."""
        data, at = self.data, self.at
        size = len(data)
        labels: list[bytes] = []
        length = jumps = 0
        end = -1  # behind the first pointer
        while True:
            if at >= size:
                return self._broken(labels, end, "it ends inside a name", Cut)
            n = data[at]
            if n == 0:
                self.spend(len(labels) + 1)
                self.at = at + 1 if end < 0 else end
                return labels, True
            if n < 64:
                at += 1
                length += n + 1
                if length > MAX_NAME:
                    return self._broken(labels, end, "a name is longer than 255 octets", Malformed)
                label = data[at : at + n]
                if len(label) < n:
                    return self._broken(labels, end, "it ends inside a name", Cut)
                labels.append(label)
                at += n
            elif n >= 192:
                jumps += 1
                if at + 1 >= size:
                    return self._broken(labels, end, "it ends inside a name", Cut)
                if end < 0:
                    end = at + 2
                if jumps > MAX_JUMPS:
                    return self._broken(labels, end, "a name goes round in circles", Malformed)
                at = (n & 63) << 8 | data[at + 1]
            else:
                return self._broken(labels, end, f"label type {n >> 6:02b} is not used", Malformed)

    def _broken(self, labels: list[bytes], end: int, why: str, kind: type[Malformed]) -> tuple[list[bytes], bool]:
        """A broken name: behind a pointer reading can go on after it, otherwise nobody knows where it ends."""
        self.spend(len(labels) + MAX_JUMPS)
        if end < 0:
            raise kind(why)
        self.at = end
        return labels, False

    def skip_name(self) -> None:
        """Go behind a name without looking at it."""
        data, at, size = self.data, self.at, len(self.data)
        while at < size:
            n = data[at]
            if n == 0:
                self.at = at + 1
                return
            if n >= 192:
                self.at = at + 2
                return
            if n >= 64:
                raise Malformed(f"label type {n >> 6:02b} is not used")
            at += n + 1
        raise Cut("it ends inside a name")
