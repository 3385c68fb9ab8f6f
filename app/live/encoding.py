"""The JSON of the live connection: what was written for several clients goes out as it is.

Socket.IO writes a packet anew for each client, because each has a number to acknowledge: a table of 1,000 changed rows took 25 ms for each of fifty clients. It also
searches every value of it for bytes, which an object that it does not know spares.
"""

from __future__ import annotations

import json
from typing import Any, Final

from engineio import json as engine_json

from app.services.written_frames import Written


class Raw:
    """A document that is JSON already."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def outgoing(frame: Any) -> Any:
    """What to hand to Socket.IO for a frame."""
    return Raw(frame.text) if isinstance(frame, Written) else frame


class LiveJson:
    """What Socket.IO takes for its `json` module."""

    # Engine.IO's own: it refuses numbers of thousands of digits.
    loads: Final = staticmethod(engine_json.loads)

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """JSON of a value; of an event `[name, Raw]` with the document as it was written."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], Raw):
            return f"[{json.dumps(value[0])},{value[1].text}]"
        return json.dumps(value, **options)
