"""NTP (RFC 5905): version, mode and stratum. There is little in it to recognise, so its port is asked too."""

from __future__ import annotations

import ipaddress
from typing import Final

from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector, on_port
from app.dpi.signatures import UDP, begins, on_ports

_MODES: Final = {
    1: "symmetric active",
    2: "symmetric passive",
    3: "client",
    4: "server",
    5: "broadcast",
    6: "control",
    7: "private",
}
_SERVER, _BROADCAST = 4, 5


class NtpInspector(ProtocolInspector):
    """The first answer tells the stratum."""

    protocol = "ntp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._left = 4

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """One datagram."""
        self._first_ts = self._first_ts or ts
        if not _is_ntp(data):
            return MORE
        mode = data[0] & 7
        self._left -= 1
        self.note("version", data[0] >> 3 & 7)
        self.note("mode", _MODES[mode])
        if mode in (_SERVER, _BROADCAST):
            self.note("stratum", data[1])
            self.note(
                "reference", data[12:16].rstrip(b"\0") if data[1] < 2 else str(ipaddress.IPv4Address(data[12:16]))
            )
        if mode not in (_SERVER, _BROADCAST) and self._left:
            return MORE
        self.tell(ts)
        return DONE


def _is_ntp(data: bytes) -> bool:
    if len(data) < 8:
        return False
    version, mode = data[0] >> 3 & 7, data[0] & 7
    if mode in (6, 7):
        return 1 <= version <= 4
    return len(data) >= 48 and 1 <= version <= 4 and 1 <= mode <= 5 and data[1] <= 16


@begins(on_ports(UDP, 123))
def recognize_ntp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A plausible first byte and length, on NTP's port."""
    return NtpInspector(flow) if flow.protocol == 17 and on_port(flow, 123) and _is_ntp(data) else None
