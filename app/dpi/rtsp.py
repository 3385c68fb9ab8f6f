"""RTSP (RFC 7826, 2326): what is asked for, by which software, and logins by basic authentication. Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.http1_message import basic_name
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.printable import without_password
from app.dpi.protocol_inspector import LineInspector
from app.dpi.signatures import TCP, begins, pattern

_RTSP: Final = re.compile(
    rb"(?:RTSP/[12]\.0 [1-5][0-9]{2}[ \r\n]|[A-Z_]{3,16} (?:rtspu?://[^\s\0]{1,1024}|\*) RTSP/[12]\.0\r?\n)"
)
_REQUEST: Final = re.compile(rb"([A-Z_]{3,16}) (\S{1,1024}) RTSP/[12]\.0$")
_RESPONSE: Final = re.compile(rb"RTSP/[12]\.0 ([1-5][0-9]{2})(?: |$)")
_INTERLEAVED: Final = b"$"  # begins media within the connection (RFC 7826 § 14)
_REQUESTS: Final = 20  # logins come early


class RtspInspector(LoginInspector, LineInspector):
    """One connection up to a login, the first media, or enough requests."""

    protocol = "rtsp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._requests = 0
        self._in = False  # this client has shown its password and was let in

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if data.startswith(_INTERLEAVED):
            self.close(ts)
            return DONE
        return super().data(direction, data, ts)

    def line(self, direction: int, line: bytes, ts: int) -> bool:
        """A start line, a field, the end of a head, or a line of a description."""
        if not line:
            self.tell(ts)
            return MORE if not self._in and self._requests < _REQUESTS else DONE
        request = _REQUEST.match(line)
        if request:
            self._requests += 1
            self.note("method", request[1])
            self.note("target", without_password(request[2]))
            return MORE
        response = _RESPONSE.match(line)
        if response:
            self.note("status", response[1])
            self._answered(response[1], ts)
            return MORE
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name in (b"user-agent", b"server"):
            self.note(name.decode("ascii").replace("-", "_"), value.strip())
        elif name == b"authorization" and (user := basic_name(value.strip())) is not None:
            self._user, self._asked = user, LOGIN
        return MORE

    def _answered(self, status: bytes, ts: int) -> None:
        if self._asked:
            self._in = status != b"401"
            self.outcome(ts, self._in)


@begins(pattern(TCP, "4?", "5?", spaced=True))
def recognize_rtsp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A request or response of RTSP."""
    return RtspInspector(flow) if flow.protocol == 6 and _RTSP.match(data) else None
