"""What is carried in WebSocket frames (RFC 6455) after the upgrade: only whether it is another protocol's own greeting."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import begins

_FRAMES: Final = 16
_LIMIT: Final = 64 << 10
_CARRIED: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("ssh", re.compile(rb"SSH-[12]\.[0-9]")),
    ("tls", re.compile(rb"\x16\x03[\x00-\x04].{2}[\x01\x02]", re.DOTALL)),
    ("socks", re.compile(rb"\x05[\x01-\x04][\x00-\x02]{1,4}\Z")),
    ("rdp", re.compile(rb"\x03\x00.{3}\xe0", re.DOTALL)),
    ("vnc", re.compile(rb"RFB [0-9]{3}\.[0-9]{3}\n")),
    ("http", re.compile(rb"(?:GET|POST|CONNECT) [!-~]{1,256} HTTP/1\.[01]\r\n")),
)


class WebSocketInspector(ProtocolInspector):
    """The first frames of both sides."""

    protocol = "websocket"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = [bytearray(), bytearray()]
        self._payload = [bytearray(), bytearray()]
        self._frames = 0

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self.tell(ts)
        begun = self._begun[direction]
        begun += data[:_LIMIT]
        while (frame := _frame(begun)) is not None:
            payload, used = frame
            del begun[:used]
            self._frames += 1
            self._payload[direction] += payload[:256]
            for name, greeting in _CARRIED:
                if greeting.match(self._payload[direction]):
                    self.note("carries", name)
                    self.flow.sink(Action(self.flow.flow_id, ts, "websocket", "carries", name, direction))
                    return DONE
        return MORE if self._frames < _FRAMES and len(begun) < _LIMIT else DONE


def _frame(data: bytearray) -> tuple[bytes, int] | None:
    """Payload (unmasked) and length of the frame at the front, None: not complete."""
    if len(data) < 2:
        return None
    length, at = data[1] & 0x7F, 2
    if length > 125:
        size = 2 if length == 126 else 8
        if len(data) < at + size:
            return None
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    mask = b""
    if data[1] & 0x80:
        mask, at = bytes(data[at : at + 4]), at + 4
    if len(data) < at + length:
        return None
    payload = bytes(data[at : at + min(length, 256)])
    if len(mask) == 4:
        payload = bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))
    return payload, at + length


@begins()
def recognize_websocket(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """After an upgrade to it."""
    return WebSocketInspector(flow) if flow.protocol == 6 and flow.notes.get("upgrade") == "websocket" else None
