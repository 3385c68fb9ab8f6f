"""XMPP (RFC 6120) without TLS: who logs in by SASL (PLAIN, or a challenge), or by the older query jabber:iq:auth (XEP-0078). Passwords are not looked at."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import LoginAttempt
from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import plain_user
from app.dpi.signatures import TCP, begins, exactly

_STREAM: Final = re.compile(rb"\s*(?:<\?xml [^>]{0,80}\?>\s*)?<stream:stream\b[^>]{0,1000}")
_AUTH: Final = re.compile(
    rb"<auth\b[^>]{0,300}\bmechanism\s*=\s*['\"]([A-Za-z0-9-]{1,30})['\"][^>]{0,300}>([^<]{0,2000})"
)
_QUERY: Final = re.compile(rb"<query\b[^>]{0,100}jabber:iq:auth['\"][^>]{0,100}>(.{0,2000}?)</query>", re.DOTALL)
_NAME: Final = re.compile(rb"<username>([^<]{1,200})</username>")
_VERDICT: Final = re.compile(rb"<success\b|<failure\b|<iq\b[^>]{0,200}type\s*=\s*['\"](result|error)['\"]")
_KEPT: Final = 4096  # bytes of a direction in which a sign may go on
_VERDICT_KEPT: Final = 256
_BUDGET: Final = 64 << 10


class XmppInspector(LoginInspector):
    """One stream up to its login or STARTTLS (`flow.notes["starttls"]`)."""

    protocol = "xmpp"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = [bytearray(), bytearray()]
        self._mechanism = ""  # of the login that is awaited
        self._left = _BUDGET

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        self.tell(ts)
        self._left -= len(data)
        begun = self._begun[direction]
        begun += data
        done = self._answer(begun, ts) if direction == RESPONDER else self._ask(begun)
        del begun[: -(_VERDICT_KEPT if direction == RESPONDER else _KEPT)]
        return DONE if done or self._left < 0 else MORE

    def _ask(self, begun: bytearray) -> bool:
        """Looked at when a login is whole, and then forgotten: what does not end costs no search."""
        if b"</auth>" not in begun and b"</query>" not in begun:
            return False
        if found := _AUTH.search(begun):
            self._mechanism, self._asked = bytes(found[1]).decode("ascii").upper(), LOGIN
            self._user = plain_user(bytes(found[2])) if self._mechanism == "PLAIN" else None
        elif (found := _QUERY.search(begun)) and (b"<password>" in found[1] or b"<digest>" in found[1]):
            self._mechanism, self._asked = "PLAIN" if b"<password>" in found[1] else "DIGEST", LOGIN
            name = _NAME.search(found[1])
            self._user = bytes(name[1]) if name else None
        begun.clear()
        return False

    def _answer(self, begun: bytearray, ts: int) -> bool:
        """What the server says of TLS and of a login; True: there is nothing more to read."""
        if b"<proceed" in begun:
            self.flow.notes["starttls"] = True
            return True
        found = _VERDICT.search(begun) if self._asked else None
        if found is None:
            return False
        agreed = found[0].startswith(b"<success") or found[1] == b"result"
        begun.clear()
        return self.answered(ts, agreed) is DONE

    def login(self, ts: int, username: bytes | None, succeeded: bool | None) -> None:
        """Only with PLAIN the password travels readable; two mechanisms have none."""
        if self._mechanism == "PLAIN":
            super().login(ts, username, succeeded)
        elif self._mechanism not in ("ANONYMOUS", "EXTERNAL"):
            user = printable(username) if username else None
            self.flow.sink(LoginAttempt(self.flow.flow_id, ts, self.protocol, user, succeeded, self._mechanism))


@begins(exactly(TCP, b"<?xml ", b"<stream:stream"))
def recognize_xmpp(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The opening of a stream, with or without XML's declaration before it."""
    return XmppInspector(flow) if flow.protocol == 6 and _STREAM.match(data[:2048]) else None
