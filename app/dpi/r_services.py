"""Berkeley's r-services in the clear: rlogin (RFC 1282), rsh and rexec. Who logs in is told; rexec's password is not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.protocol_inspector import on_port
from app.dpi.signatures import TCP, begins, on_ports

_REXEC, _RLOGIN, _RSH = 512, 513, 514
_NAME: Final = rb"[A-Za-z_][A-Za-z0-9_.-]{0,31}"
_LOGIN: Final = re.compile(rb"\0(" + _NAME + rb")\0(" + _NAME + rb")\0[A-Za-z0-9_.+-]{1,40}/[0-9]{1,7}\0")
_SHELL: Final = re.compile(rb"[0-9]{0,5}\0(" + _NAME + rb")\0(" + _NAME + rb")\0[^\0]{1,1024}\0")
_EXEC: Final = re.compile(rb"[0-9]{0,5}\0(" + _NAME + rb")\0[^\0]{1,128}\0[^\0]{1,1024}\0")
_REFUSED: Final = re.compile(rb"incorrect|denied|refused|failed", re.IGNORECASE)


class RServiceInspector(LoginInspector):
    """The first message, and the server's first byte: zero means that it agrees."""

    protocol = "rsh"

    def __init__(self, flow: FlowContext, protocol: str, user: bytes) -> None:
        super().__init__(flow)
        self.protocol = protocol  # type: ignore[misc]  # one class for three services
        self._user, self._asked = user, LOGIN if user else ""

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        if direction != RESPONDER or not data:
            return MORE
        agreed = data[:1] == b"\0" and not _REFUSED.search(data[:256])
        self.outcome(ts, agreed)
        return DONE


@begins(on_ports(TCP, _REXEC, _RLOGIN, _RSH))
def recognize_r_services(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The client's first message, at one of the three ports."""
    if flow.protocol != 6 or direction == RESPONDER or not on_port(flow, _REXEC, _RLOGIN, _RSH):
        return None
    if flow.dst_port == _RLOGIN:
        found = _LOGIN.match(data)
        return RServiceInspector(flow, "rlogin", found[2]) if found else None
    if flow.dst_port == _RSH:
        found = _SHELL.match(data)
        return RServiceInspector(flow, "rsh", found[2]) if found else None
    found = _EXEC.match(data)
    return RServiceInspector(flow, "rexec", found[1]) if found else None
