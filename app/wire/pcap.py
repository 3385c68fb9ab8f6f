"""The pcap file header: which of the classic format's variants a file is (draft-ietf-opsawg-pcap).

Bytes in, values out. `parse_header` never raises: it returns a header or the sentence that says what is wrong.
`PcapWalker` turns a buffer of records into `FRAME` records; the loop itself is in `app.wire.pcap_kernels`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire import pcap_layout

HEADER_SIZE: Final = 24
MAGIC_BYTES: Final = 4
GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_FRAME: Final = pcap_layout.MAX_FRAME
# The most a walker asks to see at once: a frame of MAX_FRAME bytes with everything around it.
MAX_RECORD: Final = pcap_layout.MAX_RECORD

# Magic number as big-endian integer → (big-endian?, nanoseconds per unit of the fraction, bytes of a record header).
_MAGICS: Final[dict[bytes, tuple[bool, int, int]]] = {
    b"\xa1\xb2\xc3\xd4": (True, 1000, 16),
    b"\xd4\xc3\xb2\xa1": (False, 1000, 16),
    b"\xa1\xb2\x3c\x4d": (True, 1, 16),
    b"\x4d\x3c\xb2\xa1": (False, 1, 16),
    b"\xa1\xb2\xcd\x34": (True, 1000, 24),  # Kuznetzov's patched libpcap: 8 more bytes in each record header
    b"\x34\xcd\xb2\xa1": (False, 1000, 24),
}


class Walked(IntEnum):
    """Why a walk stopped."""

    MORE = pcap_layout.MORE  # the next record is not complete: more bytes, please
    FULL = pcap_layout.FULL  # the array of frames is full: walk again
    DAMAGED = pcap_layout.DAMAGED  # nothing after this position can be trusted


@dataclass(frozen=True, slots=True)
class FileInterface:
    """An interface as a capture file describes it; name "" where the file does not say."""

    name: str
    link_type: int
    snaplen: int  # 0: no limit


class Walker(Protocol):
    """What reads the records of one format out of a buffer that somebody else fills."""

    interfaces: list[FileInterface]
    position: int  # where the next walk starts
    skip: int  # bytes to throw away after the end of the buffer, before the next walk
    other_records: int  # records that are not packets
    damage: str  # one clause, after Walked.DAMAGED
    big_endian: bool  # byte order of the file, or of the section that is being read

    def walk(self, data: NDArray[np.uint8], start: int, end: int, frames: NDArray[np.void]) -> tuple[int, Walked]:
        """Fill `frames` from data[start:end]; the number filled, and why it stopped. Sets `position` and `skip`."""
        ...


@dataclass(frozen=True, slots=True)
class PcapHeader:
    """What the 24 bytes at the start of a pcap file say."""

    big_endian: bool
    unit_ns: int
    record_size: int  # 16, or 24 in Kuznetzov's variant
    link_type: int  # the FCS bits above the LINKTYPE_ number are masked out
    snaplen: int
    lengths: int  # 0: captured, original; 1: the smaller one is captured; 2: original, captured


def is_pcap(data: bytes) -> bool:
    """Does a file that starts so claim to be a pcap?"""
    return data[:MAGIC_BYTES] in _MAGICS


def parse_header(data: bytes) -> PcapHeader | str:
    """The header of a file that starts with `data`, or what is wrong with it."""
    if not is_pcap(data):
        return "it has no pcap magic number"
    if len(data) < HEADER_SIZE:
        return f"it ends inside the pcap header ({len(data)} of {HEADER_SIZE} bytes)"
    big_endian, unit_ns, record_size = _MAGICS[data[:MAGIC_BYTES]]
    major, minor, snaplen, link = struct.unpack_from(">HH8xII" if big_endian else "<HH8xII", data, MAGIC_BYTES)
    if major not in (2, 543):  # 543: DG/UX tcpdump
        return f"pcap version {major}.{minor} is unknown, 2.x is allowed"
    # Before version 2.3 the two lengths stood the other way round, in 2.3 either way (libpcap, sf-pcap.c).
    lengths = 2 if major == 543 or minor < 3 else 1 if minor == 3 else 0
    return PcapHeader(big_endian, unit_ns, record_size, link & 0xFFFF, snaplen, lengths)


class PcapWalker:
    """Walks the records of a pcap file."""

    def __init__(self, header: PcapHeader) -> None:
        self.header = header
        self.interfaces = [FileInterface("", header.link_type, header.snaplen)]
        self.position = 0
        self.skip = 0
        self.other_records = 0
        self.damage = ""
        self.big_endian = header.big_endian
        self._state = np.zeros(pcap_layout.STATE_SIZE, np.int64)
        self._layout = np.array(
            [header.big_endian, header.unit_ns, header.record_size, header.link_type, header.lengths], np.int64
        )
        self._walk = kernel("walk_pcap").bind(EACH_CALL, EACH_CALL, EACH_CALL, self._layout, EACH_CALL, self._state)

    def walk(self, data: NDArray[np.uint8], start: int, end: int, frames: NDArray[np.void]) -> tuple[int, Walked]:
        """See `Walker.walk`."""
        status = self._walk(data, start, end, frames)
        self.position = int(self._state[pcap_layout.POSITION])
        if status == pcap_layout.DAMAGED:
            self.damage = f"a record claims more than the {MAX_FRAME} bytes that a frame can have"
        return int(self._state[pcap_layout.COUNT]), Walked(status)
