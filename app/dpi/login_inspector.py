"""Protocols in which a client asks for a login, or for TLS, and the server agrees or does not. A base beside that of lines or of messages."""

from __future__ import annotations

from typing import Final

from app.dpi.inspector import DONE, MORE, FlowContext
from app.dpi.protocol_inspector import ProtocolInspector

LOGIN: Final = "login"
STARTTLS: Final = "starttls"
SASL_PLAIN: Final = "plain"  # the client sends the response of SASL PLAIN (RFC 4616) in a line of its own


class LoginInspector(ProtocolInspector):
    """What was asked last, by whom, and what became of it."""

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._user: bytes | None = None  # who logs in; None: not said, or not readable
        self._asked = ""  # what has no answer yet: LOGIN, STARTTLS, a word of the protocol's own; "": nothing

    def outcome(self, ts: int, succeeded: bool | None) -> None:
        """The login is over; None: nobody saw how it ended."""
        self._asked = ""
        self.login(ts, self._user, succeeded)

    def answered(self, ts: int, agreed: bool) -> bool:
        """The server's answer to what was asked. DONE behind a login, or before TLS: `flow.notes["starttls"]`."""
        asked, self._asked = self._asked, ""
        if asked == LOGIN:
            self.outcome(ts, agreed)
        elif asked == STARTTLS and agreed:
            self.flow.notes["starttls"] = True
        else:
            return MORE
        return DONE if agreed else MORE

    def close(self, ts: int) -> None:
        """A login whose outcome nobody saw."""
        if self._asked == LOGIN:
            self.outcome(ts or self._first_ts, None)
        super().close(ts)
