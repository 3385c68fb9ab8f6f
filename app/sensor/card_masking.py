"""Frames about to leave the sensor: which of their bytes may not be shown. What a frame shows by itself, and what the scanner remembers of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.dpi.cards.hiding import Hiding
from app.sensor.card_places import CardPlaces

NOT_LOOKED, NONE, FOUND = 0, 1, 2  # PACKET_ROW.cards


class CardMasking:
    """places: of the capture that runs, None = nothing was scanned."""

    def __init__(self, places: Callable[[], CardPlaces | None] = lambda: None) -> None:
        self._places = places
        self._hiding: Hiding | None = None

    @property
    def scanning(self) -> bool:
        """Whether anybody looks for card numbers."""
        return self._places() is not None

    def remembered(self, record: np.void, length: int) -> list[int]:
        """Offsets into the frame that the scanner knows of. record: STORED_DTYPE; length: bytes of the frame."""
        places = self._places()
        if places is None or not places.any:
            return []
        start = int(record["payload_offset"])
        room = min(length - start, int(record["payload_len"]))
        return [start + offset for offset in places.hidden(record, room)] if room > 0 else []

    def seen(self, data: bytes) -> list[int]:
        """Positions in bytes that anybody would recognise as a card number's."""
        if self._hiding is None:
            self._hiding = Hiding()
        return self._hiding.positions(data)

    def hidden(self, record: np.void, frame: bytes) -> list[int]:
        """Both, in rising order."""
        return sorted({*self.remembered(record, len(frame)), *self.seen(frame)})

    def masked(self, record: np.void, frame: bytes) -> bytes:
        """The frame with asterisks in place of what may not be shown."""
        hidden = self.hidden(record, frame)
        if not hidden:
            return frame
        changed = bytearray(frame)
        for position in hidden:
            changed[position] = ord("*")
        return bytes(changed)
