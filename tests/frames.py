"""Frames for the tests of the data path: scapy builds them, our decoder reads them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from app.wire.block import Block
from app.wire.decode import Decoder
from app.wire.records import FRAME_DTYPE

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND


def block(frames: Iterable[bytes], link_type: int = 1, times: Iterable[int] | None = None) -> Block:
    """A block of whole frames, a millisecond apart unless `times` (ns) says otherwise."""
    frames = list(frames)
    records = np.zeros(len(frames), FRAME_DTYPE)
    offset = 0
    for i, frame in enumerate(frames):
        records[i]["offset"] = offset
        records[i]["cap_len"] = records[i]["wire_len"] = len(frame)
        records[i]["link_type"] = link_type
        offset += len(frame)
    records["ts"] = list(times) if times is not None else [EPOCH + i * 1_000_000 for i in range(len(frames))]
    return Block(np.frombuffer(b"".join(frames) or b"\0", np.uint8).copy(), records)


def decode(*frames: bytes, link_type: int = 1) -> np.ndarray:
    """PACKET records of frames."""
    one = block(frames, link_type)
    return Decoder().decode(one.data, one.frames).copy()
