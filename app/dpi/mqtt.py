"""MQTT 3.1, 3.1.1 and 5: the CONNECT packet's client and user, and the server's verdict. Passwords are not looked at."""

from __future__ import annotations

from typing import ClassVar, Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, exactly

_VERSIONS: Final = {3: "3.1", 4: "3.1.1", 5: "5"}
_CONNECT, _CONNACK = 0x10, 0x20
_WILL, _PASSWORD, _USER = 0x4, 0x40, 0x80


class MqttInspector(LoginInspector, MessageInspector):
    """CONNECT and CONNACK."""

    protocol = "mqtt"
    messages: ClassVar[int] = 4

    def size(self, direction: int, begun: bytearray) -> int | None:
        """Type, then the remaining length in up to four bytes of seven bits."""
        length, used = _varint(begun, 1)
        return None if used < 0 else length + used if used else 0

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """The first packet of each side."""
        start = _varint(message, 1)[1]
        if direction == RESPONDER:
            if message[0] == _CONNACK and len(message) >= start + 2 and self._asked:
                self.outcome(ts, message[start + 1] == 0)
            return DONE
        if message[0] != _CONNECT:
            return DONE
        self._connect(message, start)
        return MORE

    def _connect(self, message: bytes, place: int) -> None:
        place = _field(message, place)[1]
        if len(message) < place + 4:
            return
        level, flags = message[place], message[place + 1]
        self.note("version", _VERSIONS.get(level, str(level)))
        place = _past_properties(message, place + 4, level)
        client, place = _field(message, place)
        self.note("client", client)
        if flags & _WILL:
            place = _past_properties(message, place, level)
            place = _field(message, place)[1]
            place = _field(message, place)[1]
        if flags & _USER:
            self._user = _field(message, place)[0]
            self.note("user", self._user)
        if flags & (_USER | _PASSWORD):
            self._asked = LOGIN
            self.note("password", "sent" if flags & _PASSWORD else "none")


def _varint(data: bytes | bytearray, place: int) -> tuple[int, int]:
    """A variable byte integer and the place behind it; place 0: not complete, -1: too long."""
    value = 0
    for index in range(4):
        if place + index >= len(data):
            return 0, 0
        value |= (data[place + index] & 0x7F) << 7 * index
        if data[place + index] < 0x80:
            return value, place + index + 1
    return 0, -1


def _field(data: bytes, place: int) -> tuple[bytes, int]:
    """A string or binary field with two bytes of length, and the place behind it."""
    length = int.from_bytes(data[place : place + 2], "big")
    return data[place + 2 : place + 2 + length], place + 2 + length


def _past_properties(data: bytes, place: int, level: int) -> int:
    """Version 5 puts properties there."""
    if level != 5:
        return place
    length, behind = _varint(data, place)
    return behind + length if behind > 0 else len(data)


@begins(exactly(TCP, b"\x10"))
def recognize_mqtt(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """CONNECT with the protocol's name."""
    if flow.protocol != 6 or data[:1] != b"\x10":
        return None
    place = _varint(data, 1)[1]
    named = place > 0 and data[place : place + 7] in (b"\0\4MQTT\3", b"\0\4MQTT\4", b"\0\4MQTT\5")
    old = place > 0 and data[place : place + 9] == b"\0\6MQIsdp\3"
    return MqttInspector(flow) if named or old else None
