"""SSH: the identification strings of both sides (RFC 4253 section 4.2), and the software they name."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.protocol_inspector import LineInspector
from app.dpi.signatures import TCP, begins, exactly

_BANNER: Final = re.compile(rb"SSH-([12]\.[0-9]{1,2})-([ -~]{1,250})\r?\n?")


class SshInspector(LineInspector):
    """DONE when both banners came."""

    protocol = "ssh"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._seen = [False, False]

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """The first line of a side that begins with SSH-; a server may send others before."""
        if self._seen[direction] or not line.startswith(b"SSH-"):
            return MORE
        self._seen[direction] = True
        side = "client" if direction == ORIGINATOR else "server"
        self.note(side, line)
        found = _BANNER.match(line)
        if found:
            self.note(f"{side}_software", found[2].partition(b" ")[0])
        return DONE if all(self._seen) else MORE


@begins(exactly(TCP, b"SSH-"))
def recognize_ssh(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """`SSH-2.0-…`."""
    return SshInspector(flow) if flow.protocol == 6 and _BANNER.match(data) else None
