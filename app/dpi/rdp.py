"""RDP's connection request and confirm ([MS-RDPBCGR] 2.2.1.1): the user of its cookie, and the security that was agreed."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, begins, pattern

_COOKIE: Final = re.compile(rb"Cookie: mstshash=([^\r\n]{1,100})\r\n")
_SECURITY: Final = {0: "rdp", 1: "tls", 2: "credssp", 4: "rdstls", 8: "credssp early"}
_RESERVED_CHANNEL: Final = b"MS_T120\0"  # in the client's network data ([MS-RDPBCGR] 2.2.1.3.4), readable without TLS
_REQUEST, _CONFIRM = 0xE0, 0xD0


class RdpInspector(MessageInspector):
    """Two messages, and without TLS a third. After them the connection goes on with TLS (`flow.notes["starttls"]`) or with RDP's own encryption."""

    protocol = "rdp"

    def size(self, direction: int, begun: bytearray) -> int | None:
        """TPKT (RFC 1006 section 6)."""
        if len(begun) < 4:
            return 0
        length = int.from_bytes(begun[2:4], "big")
        return length if begun[0] == 3 and length >= 7 else None

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """The X.224 connection request or confirm."""
        if message[5] == _REQUEST:
            found = _COOKIE.search(message)
            if found:
                self.note("user", found[1])
            return MORE
        if message[5] == _CONFIRM and len(message) >= 19 and message[11] == 2:
            chosen = int.from_bytes(message[15:19], "little")
            self.note("security", _SECURITY.get(chosen, str(chosen)))
            if chosen:
                self.flow.notes["starttls"] = True
            else:
                self.tell(ts)
                return MORE
        elif direction == ORIGINATOR and _RESERVED_CHANNEL in message[:4096]:
            self.flow.sink(Action(self.flow.flow_id, ts, "rdp", "channel_ms_t120"))
        return DONE


@begins(pattern(TCP, "03 00 ?? ?? ?? e0"))
def recognize_rdp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A connection request with RDP's cookie or its request for a security protocol."""
    if flow.protocol != 6 or len(data) < 11 or data[:2] != b"\3\0" or data[5] != _REQUEST:
        return None
    length = int.from_bytes(data[2:4], "big")
    if length != len(data) or data[4] != length - 5:
        return None
    asks = length >= 19 and data[length - 8] == 1 and data[length - 6 : length - 4] == b"\x08\0"
    return RdpInspector(flow) if asks or _COOKIE.search(data) else None
