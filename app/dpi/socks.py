"""SOCKS 4, 4a and 5 (RFC 1928, 1929): where the proxy connects to and who asks; then the connection is handed on.

After the proxy's consent the inspector is DONE and leaves `flow.notes["tunnel"]` and "rest", as HTTP's CONNECT does.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from app.dpi.inspector import DONE, MORE, ORIGINATOR, RESPONDER, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import TCP, begins, pattern

_LIMIT: Final = 1024
_COMMANDS: Final = {1: "connect", 2: "bind", 3: "udp associate"}


class SocksInspector(ProtocolInspector):
    """One connection to a proxy. Each side's bytes are taken apart step by step."""

    protocol = "socks"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._bytes = [bytearray(), bytearray()]
        self._client_steps = ["greeting"]
        self._server_steps = ["method"]
        self._user: bytes | None = None

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._bytes[direction] += data
        if len(self._bytes[direction]) > _LIMIT + len(data):
            return self._end(ts)
        steps = self._client_steps if direction == ORIGINATOR else self._server_steps
        while steps:
            used = getattr(self, f"_{steps[0]}")(self._bytes[direction], ts)
            if used == 0:
                return MORE
            if used < 0:
                return self._end(ts)
            steps.pop(0)
            del self._bytes[direction][:used]
            if not self._client_steps and not self._server_steps:
                self.flow.notes["tunnel"] = True
                rest = {side: bytes(left) for side, left in enumerate(self._bytes) if left}
                if rest:
                    self.flow.notes["rest"] = rest
                return self._end(ts)
        return MORE

    def _end(self, ts: int) -> bool:
        self.tell(ts)
        return DONE

    def _greeting(self, data: bytearray, ts: int) -> int:
        """Client: SOCKS 4's request, or SOCKS 5's list of methods."""
        if data[0] == 4:
            return self._request4(data)
        if len(data) < 2 or len(data) < 2 + data[1]:
            return 0
        self.note("version", 5)
        self._client_steps.append("request5")
        return 2 + data[1]

    def _request4(self, data: bytearray) -> int:
        if len(data) < 9 or (end := data.find(0, 8)) < 0:
            return 0
        host = str(ipaddress.IPv4Address(bytes(data[4:8])))
        self.note("version", 4)
        self.note("user", bytes(data[8:end]))
        if data[4:7] == b"\0\0\0" and data[7]:  # 4a: a name follows
            start, end = end + 1, data.find(0, end + 1)
            if end < 0:
                return 0
            self.note("destination", bytes(data[start:end]) + b":%d" % int.from_bytes(data[2:4], "big"))
        self.note("destination", f"{host}:{int.from_bytes(data[2:4], 'big')}")
        self._server_steps[:] = ["reply4"]
        return end + 1

    def _method(self, data: bytearray, ts: int) -> int:
        """Server: the method of authentication it chose."""
        if len(data) < 2:
            return 0
        if data[0] != 5 or data[1] not in (0, 2):
            return -1
        if data[1] == 2:
            self._client_steps.insert(max(0, len(self._client_steps) - 1), "password")
            self._server_steps.append("verdict")
        self._server_steps.append("reply5")
        return 2

    def _password(self, data: bytearray, ts: int) -> int:
        """Client: user name and password (RFC 1929); the password is passed over."""
        if len(data) < 2 or len(data) < 3 + data[1]:
            return 0
        length = 3 + data[1] + data[2 + data[1]]
        if data[0] != 1 or len(data) < length:
            return 0 if data[0] == 1 else -1
        self._user = bytes(data[2 : 2 + data[1]])
        return length

    def _verdict(self, data: bytearray, ts: int) -> int:
        if len(data) < 2:
            return 0
        self.login(ts, self._user, data[1] == 0)
        return 2 if data[1] == 0 else -1

    def _request5(self, data: bytearray, ts: int) -> int:
        length = _address_length(data)
        if length <= 0 or len(data) < length:
            return min(length, 0)
        if data[0] != 5:
            return -1
        kind, port = data[3], int.from_bytes(data[length - 2 : length], "big")
        host = (
            bytes(data[5 : length - 2])
            if kind == 3
            else str(ipaddress.ip_address(bytes(data[4 : length - 2]))).encode()
        )
        self.note("command", _COMMANDS.get(data[1], str(data[1])))
        self.note("destination", host + b":%d" % port)
        return length

    def _reply5(self, data: bytearray, ts: int) -> int:
        length = _address_length(data)
        if length <= 0 or len(data) < length:
            return min(length, 0)
        return length if data[0] == 5 and data[1] == 0 else -1

    def _reply4(self, data: bytearray, ts: int) -> int:
        if len(data) < 8:
            return 0
        return 8 if data[0] == 0 and data[1] == 90 else -1


def _address_length(data: bytearray) -> int:
    """Length of a SOCKS 5 request or reply; 0: not known yet, -1: none."""
    if len(data) < 5:
        return 0
    return {1: 10, 3: 7 + data[4], 4: 22}.get(data[3], -1)


@begins(pattern(TCP, "04 01", "04 02", "05 0?"))
def recognize_socks(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A client's first message, whole: methods of SOCKS 5, or a request of SOCKS 4."""
    if flow.protocol != 6 or direction == RESPONDER or len(data) < 3:
        return None
    five = (
        data[0] == 5
        and 0 < data[1] <= 8
        and len(data) == 2 + data[1]
        and all(m in (0, 1, 2, 3, 5, 6, 8) for m in data[2:])
    )
    four = (
        data[0] == 4
        and data[1] in (1, 2)
        and len(data) >= 9
        and data[-1] == 0
        and data[2:4] != b"\0\0"
        and all(32 < c < 127 for c in data[8:-1] if c)
    )
    return SocksInspector(flow) if five or four else None
