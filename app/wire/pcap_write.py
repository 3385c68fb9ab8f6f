"""Frames to the bytes of a capture file: pcap and pcapng, times in nanoseconds, little-endian.

Nothing is written here: headers and records come out as bytes, for a file, a download or a test.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from app.native.call import Kernel
from app.native.loader import kernel
from app.wire.block import Block
from app.wire.pcap import MAX_FRAME

_OUT_SIZE: Final = 1 << 20  # more than the largest frame with everything around it
_NANOSECONDS: Final = 9
_OPTION_END, _OPTION_NAME, _OPTION_TSRESOL, _OPTION_APPLICATION = 0, 2, 9, 4
_OPTION_RECEIVED, _OPTION_DROPPED = 4, 5
_OPTION_COMMENT = 1
_MAX_COMMENT = 16_000


def pcap_header(link_type: int, snaplen: int = 0) -> bytes:
    """The 24 bytes at the start of a pcap file."""
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen or MAX_FRAME, link_type)


def pcapng_header(comment: str = "") -> bytes:
    """A section header of unknown length, with a comment on the whole (cut at 16,000 bytes)."""
    options = [(_OPTION_APPLICATION, b"Netglass")]
    if comment:
        options.insert(0, (_OPTION_COMMENT, comment.encode("utf-8", "replace")[:_MAX_COMMENT]))
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options(*options))


def pcapng_interface(name: str, link_type: int, snaplen: int = 0) -> bytes:
    """An interface description; the first one in a section is interface 0."""
    options = [(_OPTION_TSRESOL, bytes([_NANOSECONDS]))]
    if name:
        options.insert(0, (_OPTION_NAME, name.encode("utf-8", "replace")[:255]))
    return _block(1, struct.pack("<HHI", link_type, 0, snaplen) + _options(*options))


def pcapng_statistics(interface: int, ts: int, received: int, dropped: int) -> bytes:
    """An interface statistics block: what the kernel saw and what it had no room for."""
    counters = ((_OPTION_RECEIVED, struct.pack("<Q", received)), (_OPTION_DROPPED, struct.pack("<Q", dropped)))
    return _block(5, struct.pack("<III", interface, ts >> 32, ts & 0xFFFFFFFF) + _options(*counters))


class Packer:
    """Packs blocks into records, piece by piece into one reused buffer."""

    def __init__(self) -> None:
        self.left_out = 0  # frames of another link type (pcap), or of an interface that was not described (pcapng)
        self._out = np.empty(_OUT_SIZE, np.uint8)

    def pcap(self, block: Block, link_type: int) -> Iterator[memoryview]:
        """Records of the frames with this link type. Each piece is valid until the next one."""
        return self._pieces(kernel("pack_pcap"), block, link_type)

    def pcapng(self, block: Block, interfaces: int) -> Iterator[memoryview]:
        """Enhanced Packet Blocks of the frames from the first `interfaces` interfaces. Each piece is valid until the next one."""
        return self._pieces(kernel("pack_pcapng"), block, interfaces)

    def _pieces(self, pack: Kernel, block: Block, which: int) -> Iterator[memoryview]:
        first, count = 0, len(block.frames)
        while first < count:
            following, size, left_out = pack(block.data, block.frames, first, which, self._out)
            self.left_out += left_out
            if size:
                yield self._out.data[:size]
            if following == first:  # a frame that no capture can have
                self.left_out += 1
                following += 1
            first = following


def _options(*options: tuple[int, bytes]) -> bytes:
    packed = b"".join(struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options)
    return packed + struct.pack("<HH", _OPTION_END, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
