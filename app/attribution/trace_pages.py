"""Pages of the kernel's ring buffer (trace_pipe_raw) → events. Bytes come from the kernel; lengths are checked all the same.

A page is a 64-bit time stamp, the length of its data with flags, and entries that begin with 5 bits of type or length and 27 bits of time since the
entry before (include/linux/ring_buffer.h). Where a field lies in an event is read from the event's format file, which differs between kernels.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31
_FIELD = re.compile(
    r"field:(?P<type>[^;]*?)(?P<name>\w+)(?P<array>\[\w*\])?;\s*offset:(\d+);\s*size:(\d+);\s*signed:(\d+);"
)
_CODES: Final = {(1, False): "B", (1, True): "b", (2, False): "H", (2, True): "h"}
_CODES.update({(4, False): "I", (4, True): "i", (8, False): "Q", (8, True): "q"})
_PAGE: Final = struct.Struct("<QQ")
_LENGTH_MASK: Final = 0xFFFFF
_MISSED: Final = 1 << 31
_HEADER: Final = struct.Struct("<I")
_TYPE: Final = struct.Struct("<H")


Event = tuple[int, str, tuple[Any, ...], bytes, int]  # time in ns, name, fields, page, offset on it


class EventReader:
    """Takes the wanted fields of one kind of event out of its bytes. Raises ValueError where the kernel has no such field."""

    def __init__(self, text: str, wanted: Sequence[str]) -> None:
        found = re.search(r"^ID: (\d+)$", text, re.MULTILINE)
        if found is None:
            raise ValueError("a format without a number")
        self.number = int(found[1])
        fields: dict[str, tuple[int, int, str]] = {}
        for match in _FIELD.finditer(text):
            offset, size, signed = int(match[4]), int(match[5]), match[6] == "1"
            kept_whole = match["array"] is not None and "__data_loc" not in match["type"]
            code = f"{size}s" if kept_whole else _CODES.get((size, signed), f"{size}s")
            fields[match["name"]] = (offset, size, code)
        missing = [name for name in wanted if name not in fields]
        if missing:
            raise ValueError(f"events without {missing[0]}")
        parts, at = ["<"], 0
        for name in sorted(wanted, key=lambda name: fields[name][0]):
            offset, size, code = fields[name]
            parts.append(f"{offset - at}x{code}")
            at = offset + size
        self._struct = struct.Struct("".join(parts))
        order = sorted(wanted, key=lambda name: fields[name][0])
        self._places = tuple(order.index(name) for name in wanted)
        self._in_order = self._places == tuple(range(len(wanted)))
        self.size = self._struct.size

    def read(self, page: bytes, offset: int) -> tuple[Any, ...]:
        """The wanted fields, in the order asked for."""
        values = self._struct.unpack_from(page, offset)
        return values if self._in_order else tuple(values[place] for place in self._places)


def missed(page: bytes) -> bool:
    """Whether events before this page were overwritten unread."""
    return len(page) >= _PAGE.size and bool(_PAGE.unpack_from(page)[1] & _MISSED)


def entries(page: bytes) -> Iterator[tuple[int, int, int]]:
    """(time in ns, offset of the event, its length) of each event on a page. Ends quietly where a length makes no sense."""
    if len(page) < _PAGE.size:
        return
    stamp, commit = _PAGE.unpack_from(page)
    at, end = _PAGE.size, min(_PAGE.size + (commit & _LENGTH_MASK), len(page))
    while at + 4 <= end:
        (head,) = _HEADER.unpack_from(page, at)
        kind, delta = head & 31, head >> 5
        if kind <= 28 and kind:
            stamp += delta
            yield stamp, at + 4, kind * 4
            at += 4 + kind * 4
            continue
        if at + 8 > end:
            return
        (word,) = _HEADER.unpack_from(page, at + 4)
        if kind == TIME_EXTEND:
            stamp += (word << 27) + delta
            at += 8
        elif kind == TIME_STAMP:
            stamp = (stamp & ~((1 << 59) - 1)) | ((word << 27) + delta)
            at += 8
        elif kind == PADDING:
            if not delta:
                return
            stamp += delta
            at += 4 + max(word, 4)
        else:
            stamp += delta
            if word < 4 or at + 4 + word > end:
                return
            yield stamp, at + 8, word - 4
            at += 4 + word


class PageReader:
    """Events of several kinds, each page in the order of time. `readers`: name → EventReader."""

    def __init__(self, readers: dict[str, EventReader]) -> None:
        self._by_number = {reader.number: (name, reader) for name, reader in readers.items()}

    def events(self, pages: Sequence[bytes]) -> list[Event]:
        """Page and offset are for fields of varying length."""
        found: list[Event] = []
        for page in pages:
            for stamp, offset, length in entries(page):
                known = self._by_number.get(_TYPE.unpack_from(page, offset)[0])
                if known is not None and known[1].size <= length:
                    found.append((stamp, known[0], known[1].read(page, offset), page, offset))
        return found


def varying_text(page: bytes, offset: int, location: int, most: int = 4096) -> str:
    """The text that a __data_loc field points to: offset in the low half, length in the high one."""
    start, length = offset + (location & 0xFFFF), min(location >> 16, most)
    return page[start : start + length].split(b"\0", 1)[0].decode("utf-8", "replace")
