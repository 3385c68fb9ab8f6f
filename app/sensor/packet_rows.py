"""Held packets as rows of the packet list: columns copied, plus the first bytes of payload with card numbers masked.

Frames without IP have no payload by layer 4; of them the bytes after the link header are shown, and their EtherType.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.model.layers import LAYER_BIT
from app.sensor.card_masking import FOUND, NONE, NOT_LOOKED, CardMasking
from app.wire.network_header import network_header
from app.wire.records import PACKET_ROW_DTYPE

PAYLOAD_BYTES: Final = 64
_LOOKAHEAD: Final = 40  # bytes beyond the shown ones, so that a card number cut by the edge is still recognised


def packet_rows(records: NDArray[np.void], frames: Sequence[bytes], masking: CardMasking) -> NDArray[np.void]:
    """PACKET_ROW of held records (`STORED_DTYPE`) and their frames."""
    rows = np.zeros(len(records), PACKET_ROW_DTYPE)
    for name in set(PACKET_ROW_DTYPE.names or ()) & set(records.dtype.names or ()):
        rows[name] = records[name]
    payload = np.zeros((len(records), PAYLOAD_BYTES), np.uint8)
    layers = records["layers"].tolist()
    has_payload = ((records["ip_version"] != 0) & (records["layers"] & LAYER_BIT["arp"] == 0)).tolist()
    starts, lengths = records["payload_offset"].tolist(), records["payload_len"].tolist()
    link_types = records["link_type"].tolist()
    for place, frame in enumerate(frames):
        start = starts[place]
        end = min(len(frame), start + lengths[place])
        if not has_payload[place]:
            ether_type, start = network_header(frame, link_types[place])
            end = len(frame)
            rows["ether_type"][place] = ether_type
            if layers[place] & LAYER_BIT["arp"] and start + 8 <= end:
                rows["arp_operation"][place] = min(int.from_bytes(frame[start + 6 : start + 8], "big"), 255)
        if start >= end:
            continue
        remembered = masking.remembered(records[place], end)
        shown, seen = masked_start(frame[:end], start, PAYLOAD_BYTES, masking, remembered)
        rows["cards"][place] = FOUND if seen or remembered else NONE if masking.scanning else NOT_LOOKED
        payload[place, : len(shown)] = np.frombuffer(shown, np.uint8)
        rows["payload_kept"][place] = len(shown)
    rows["payload"] = payload.view("V64").reshape(-1)
    return rows


def masked_start(
    data: bytes, start: int, length: int, masking: CardMasking, remembered: Sequence[int] = ()
) -> tuple[bytes, bool]:
    """(`length` bytes of `data` from `start`, with the card numbers that touch them masked; whether any was seen). remembered: positions in
    `data` that are known to belong to one."""
    begin = max(0, start - _LOOKAHEAD)
    near = bytearray(data[begin : start + length + _LOOKAHEAD])
    seen = masking.seen(bytes(near))
    for place in seen:
        near[place] = ord("*")
    for place in remembered:
        if begin <= place < begin + len(near):
            near[place - begin] = ord("*")
    return bytes(near[start - begin : start - begin + length]), bool(seen)
