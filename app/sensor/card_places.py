"""Where numbers were found, so that packets of theirs are masked wherever they are shown or written: also numbers in two packets, or in coded
bytes, that nobody recognises in a packet alone. Bounded; a flow with more places than can be kept is masked whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

MOST_PACKETS: Final = 8192
MOST_FLOWS: Final = 4096
MOST_SPANS: Final = 512  # of one flow
FAR: Final = 1 << 30

End = tuple[int, int]  # (low half of the sender's address, port)


class CardPlaces:
    """By packet: offsets into its payload. By TCP stream: sequence numbers, which hold for retransmissions too."""

    def __init__(self) -> None:
        self._packets: OrderedDict[int, set[int]] = OrderedDict()
        self._streams: OrderedDict[int, list[tuple[End, int, int]]] = OrderedDict()
        self._whole: OrderedDict[int, None] = OrderedDict()

    def clear(self) -> None:
        self._packets.clear()
        self._streams.clear()
        self._whole.clear()

    def in_packet(self, packet_id: int, offsets: Iterable[int]) -> None:
        """Offsets into the payload of one packet."""
        self._packets.setdefault(packet_id, set()).update(offsets)
        if len(self._packets) > MOST_PACKETS:
            self._packets.popitem(last=False)

    def in_stream(self, flow_id: int, sender: End, first: int, length: int) -> None:
        """`length` bytes from sequence number `first` on."""
        spans = self._streams.setdefault(flow_id, [])
        if (sender, first, length) in spans[-32:]:
            return
        spans.append((sender, first, length))
        if len(spans) > MOST_SPANS:
            del self._streams[flow_id]
            self._whole[flow_id] = None
            if len(self._whole) > MOST_FLOWS:
                self._whole.popitem(last=False)
        elif len(self._streams) > MOST_FLOWS:
            self._streams.popitem(last=False)

    def hidden(self, record: np.void | dict[str, Any], payload_length: int) -> list[int]:
        """Offsets into the payload of a packet that may not be shown. record: packet_id, flow_id, src_lo, src_port, seq, tcp_flags."""
        offsets = set(self._packets.get(int(record["packet_id"]), ()))
        flow_id = int(record["flow_id"])
        if flow_id in self._whole:
            return list(range(payload_length))
        spans = self._streams.get(flow_id)
        if spans:
            sender = (int(record["src_lo"]), int(record["src_port"]))
            seq = int(record["seq"]) + (int(record["tcp_flags"]) >> 1 & 1)
            for who, first, length in spans:
                if who != sender:
                    continue
                begin = (first - seq + (1 << 31)) % (1 << 32) - (1 << 31)
                offsets.update(range(max(0, begin), min(payload_length, begin + length)))
        return sorted(offset for offset in offsets if offset < payload_length)

    @property
    def any(self) -> bool:
        """Whether anything was found."""
        return bool(self._packets or self._streams or self._whole)
