"""SIP (RFC 3261): who calls and registers, with which outcome. Digests are not looked at, bodies neither."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from app.dpi.facts import Action, LoginAttempt
from app.dpi.head_protocols import USERINFO, HeadInspector
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.printable import printable
from app.dpi.signatures import TCP, UDP, begins, pattern

_SIP: Final = re.compile(rb"(?:SIP/2\.0 [1-6][0-9]{2}[ \r\n]|[A-Z]{3,12} (?:sips?|tel):[^\s\0]{1,512} SIP/2\.0\r?\n)")
_ADDRESS: Final = re.compile(rb"(?:sips?|tel):([^>;\s]{1,200})")
_MESSAGES: Final = 1000  # of one flow
_FIELDS: Final[dict[bytes, str]] = {
    b"from": "from", b"f": "from", b"to": "to", b"t": "to", b"call-id": "call_id", b"i": "call_id", b"cseq": "cseq",
    b"contact": "contact", b"m": "contact", b"user-agent": "agent", b"server": "agent", b"authorization": "authorization",
    b"proxy-authorization": "authorization", b"via": "via", b"v": "via",
}  # fmt: skip


class SipInspector(HeadInspector):
    """The flow's details from its first message; then each message as a step."""

    protocol = "sip"
    fields: ClassVar[dict[bytes, str]] = {
        b"from": "from",
        b"f": "from",
        b"to": "to",
        b"t": "to",
        b"user-agent": "user_agent",
        b"server": "server",
    }

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._messages = 0
        self._proved = ""  # the method whose last request carried a digest

    def keep(self, name: str, value: bytes) -> None:
        """Addresses without display name and parameters."""
        self.note(name, address_of(value) if name in ("from", "to") else value)

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`. Over TCP the begin of a segment is taken for the begin of a message where it looks like one."""
        if not self._told:
            super().data(direction, data, ts)
        self._messages += 1
        if _SIP.match(data):
            self._step(direction, data[:8192], ts)
        return MORE if self._messages < _MESSAGES else DONE

    def _step(self, direction: int, data: bytes, ts: int) -> None:
        lines = data.partition(b"\r\n\r\n")[0].split(b"\n")
        known: dict[str, bytes] = {}
        for line in lines[1:60]:
            word, _, value = line.partition(b":")
            field = _FIELDS.get(word.strip().lower())
            if field:
                known.setdefault(field, value.strip())
        words = lines[0].split()
        method = printable(known.get("cseq", b"").rpartition(b" ")[2], 16).upper()
        details: dict[str, str] = {
            name: printable(address_of(known[name]), 128) for name in ("from", "to", "contact") if name in known
        }
        details |= {name: printable(known[name], 128) for name in ("call_id", "agent") if name in known}
        subject = details.get("to", "")
        if words[0].startswith(b"SIP/"):
            status = printable(words[1], 3) if len(words) > 1 else ""
            details["status"] = status
            details["method"] = method
            self._outcome(method, status, details.get("to"), ts)
            name = "response"
        else:
            name = method = printable(words[0], 16)
            self._proved = method if "authorization" in known else ""
            details["target"] = printable(USERINFO.sub(rb"\1@", words[1]), 128) if len(words) > 1 else ""
        self.flow.sink(Action(self.flow.flow_id, ts, "sip", name.lower(), subject, direction, details))

    def _outcome(self, method: str, status: str, user: str | None, ts: int) -> None:
        """A digest was refused or taken; 404 to a registration says that there is no such user."""
        if method not in ("REGISTER", "INVITE", "OPTIONS"):
            return
        refused = status in ("401", "403", "407") and self._proved == method
        if refused or (method == "REGISTER" and status in ("403", "404")):
            self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "sip", user, False, status))
        elif status == "200" and self._proved == method:
            self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "sip", user, True, status))


def address_of(value: bytes) -> bytes:
    """`user@host` of a header's value, without display name, password and parameters."""
    found = _ADDRESS.search(value)
    return USERINFO.sub(rb"\1@", found[0]).partition(b":")[2] if found else value


@begins(
    pattern(TCP, "4? 4?", "4? 5?", "5? 4?", "5? 5?", spaced=True),
    pattern(UDP, "4? 4?", "4? 5?", "5? 4?", "5? 5?", spaced=True),
)
def recognize_sip(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A request or response of SIP/2.0, over UDP or TCP."""
    return SipInspector(flow) if _SIP.match(data) else None
