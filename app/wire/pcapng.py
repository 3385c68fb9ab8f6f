"""pcapng sections and interfaces (draft-ietf-opsawg-pcapng): what must be known before packet blocks can be read.

Section headers and interface descriptions are rare and read here; packet blocks are read by `pcap_kernels.walk_pcapng`.
Nothing raises on damaged bytes, and nothing is allocated by a length that a file claims.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire import pcap_layout as layout
from app.wire.pcap import FileInterface, Walked

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
MAX_INTERFACES: Final = 4096  # in a file and in a section; more is damage or malice
_META_BYTES: Final = 65_536  # so much of a section header or interface description is looked at
_META_PER_WALK: Final = 2048
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_OPTION_NAME, _OPTION_TSRESOL, _OPTION_TSOFFSET = 2, 9, 14
_TOO_MANY: Final = f"it describes more than {MAX_INTERFACES} interfaces"
_LAST_SECOND: Final = 2**63 // 1_000_000_000 - 1
_DAMAGE: Final[dict[int, str]] = {
    layout.WHY_BLOCK_LENGTH: f"a block's length is impossible (12 to {layout.MAX_BLOCK} bytes are allowed)",
    layout.WHY_FRAME_LENGTH: "a packet claims to be longer than its block, or than any frame",
    layout.WHY_INTERFACE: "a packet names an interface that the file does not describe",
    layout.WHY_TRAILER: "the two lengths of a block differ",
}


def clock_of(tsresol: int, offset_s: int) -> tuple[int, int, int]:
    """(IF_CLOCK, IF_FACTOR, IF_OFFSET in ns) of the options if_tsresol (one byte) and if_tsoffset (seconds)."""
    if not -_LAST_SECOND <= offset_s <= _LAST_SECOND:
        return layout.CLOCK_UNKNOWN, 0, 0
    offset = offset_s * 1_000_000_000
    exponent = tsresol & 0x7F
    if tsresol & 0x80:
        return layout.CLOCK_BINARY, exponent, offset
    if exponent <= 9:
        return layout.CLOCK_MULTIPLY, 10 ** (9 - exponent), offset
    if exponent > 27:  # 10^19 and more: 64 bits of it are below a nanosecond
        return layout.CLOCK_UNKNOWN, 0, 0
    return layout.CLOCK_DIVIDE, 10 ** (exponent - 9), offset


def options(body: bytes, big_endian: bool) -> Iterator[tuple[int, bytes]]:
    """(code, value) of a block's options; stops at the end mark or where a length does not fit."""
    head = struct.Struct(">HH" if big_endian else "<HH")
    position = 0
    while position + 4 <= len(body):
        code, length = head.unpack_from(body, position)
        position += 4
        if code == 0 or position + length > len(body):
            return
        yield code, body[position : position + length]
        position += (length + 3) & ~3


class PcapngWalker:
    """Walks the blocks of a pcapng file, over any number of sections of either byte order.

    The interfaces of later sections go to the same list; one with the same name, link type and snap length as
    an earlier section's is taken for the same interface.
    """

    def __init__(self) -> None:
        self.interfaces: list[FileInterface] = []
        self.position = 0
        self.skip = 0
        self.other_records = 0
        self.sections = 0
        self.damage = ""
        self.big_endian = False
        self._rows = 0  # interfaces of this section
        self._same: Counter[FileInterface] = Counter()  # and how many of them are equal
        self._places: dict[tuple[FileInterface, int], int] = {}
        self._table = np.zeros((4, layout.IF_COLUMNS), np.int64)
        self._state = np.zeros(layout.STATE_SIZE, np.int64)
        self._walk = kernel("walk_pcapng").bind(*(EACH_CALL,) * 7, self._state)

    def walk(self, data: NDArray[np.uint8], start: int, end: int, frames: NDArray[np.void]) -> tuple[int, Walked]:
        """See `Walker.walk`. A walk handles a bounded number of sections and interfaces; it may stop as FULL with no frame."""
        count, position = 0, start
        for _ in range(_META_PER_WALK):
            status = self._walk(data, position, end, self.big_endian, self._table, self._rows, frames[count:])
            position = int(self._state[layout.POSITION])
            count += int(self._state[layout.COUNT])
            self.other_records += int(self._state[layout.OTHERS])
            self.skip = int(self._state[layout.SKIP])
            if status != layout.META:
                if status == layout.DAMAGED:
                    self.damage = _DAMAGE[int(self._state[layout.WHY])]
                break
            length = self._describe(bytes(data[position : min(end, position + _META_BYTES)]), end - position)
            if length <= 0:
                status = layout.DAMAGED if self.damage else layout.MORE
                break
            self.skip = max(0, length - (end - position))
            position = min(end, position + length)
        else:
            status = layout.FULL
        self.position = position
        return count, Walked(status)

    def _describe(self, block: bytes, available: int) -> int:
        """Take in the section header or interface description that `block` starts with; its length, or 0: incomplete or damaged."""
        section = block[:4] == MAGIC
        if section:
            magic = block[8:12]
            if magic not in (_BYTE_ORDER_MAGIC.to_bytes(4, "big"), _BYTE_ORDER_MAGIC.to_bytes(4, "little")):
                self.damage = "a section header has no byte-order magic"
                return 0
            big_endian = magic[0] == 0x1A
        else:
            big_endian = self.big_endian
        length = (int.from_bytes(block[4:8], "big" if big_endian else "little") + 3) & ~3
        smallest = 28 if section else 20
        if not smallest <= length <= layout.MAX_BLOCK:
            self.damage = _DAMAGE[layout.WHY_BLOCK_LENGTH]
            return 0
        if available < min(length, _META_BYTES):
            return 0
        if length <= len(block) and block[4:8] != block[length - 4 : length]:
            self.damage = _DAMAGE[layout.WHY_TRAILER]
            return 0
        done = self._section(block, big_endian) if section else self._interface(block[8 : max(length - 4, 0)])
        return length if done else 0

    def _section(self, block: bytes, big_endian: bool) -> bool:
        major, minor = struct.unpack_from(">HH" if big_endian else "<HH", block, 12)
        if major != 1:
            self.damage = f"pcapng version {major}.{minor} is unknown, 1.x is allowed"
            return False
        self.big_endian = big_endian
        self._rows = 0
        self._same.clear()
        self.sections += 1
        return True

    def _interface(self, body: bytes) -> bool:
        if self._rows >= MAX_INTERFACES or not self.sections:
            self.damage = _TOO_MANY
            return False
        order = ">" if self.big_endian else "<"
        link_type, snaplen = struct.unpack_from(order + "H2xI", body)
        name, tsresol, tsoffset = "", 6, 0
        for code, value in options(body[8:], self.big_endian):
            if code == _OPTION_NAME:
                name = value.split(b"\0")[0].decode("utf-8", "replace")[:64]
            elif code == _OPTION_TSRESOL and len(value) == 1:
                tsresol = value[0]
            elif code == _OPTION_TSOFFSET and len(value) == 8:
                (tsoffset,) = struct.unpack(order + "q", value)
        index = self._index_of(FileInterface(name, link_type, snaplen))
        if index < 0:
            return False
        if self._rows == len(self._table):
            self._table = np.vstack([self._table, np.zeros_like(self._table)])
        self._table[self._rows] = (link_type, *clock_of(tsresol, tsoffset), snaplen, index)
        self._rows += 1
        return True

    def _index_of(self, interface: FileInterface) -> int:
        """Its place in `interfaces`, where it is put unless an earlier section had it; -1: too many."""
        key = (interface, self._same[interface])  # the second of two equal ones in a section is another interface
        index = self._places.get(key, -1)
        if index < 0:
            if len(self.interfaces) >= MAX_INTERFACES:
                self.damage = _TOO_MANY
                return -1
            index = len(self.interfaces)
            self.interfaces.append(interface)
            self._places[key] = index
        self._same[interface] += 1
        return index
