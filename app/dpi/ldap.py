"""LDAP (RFC 4511) in the clear: who binds how, and what is searched for. Passwords are not looked at."""

from __future__ import annotations

from typing import ClassVar, Final

from app.dpi.ber import element, elements, fields, number
from app.dpi.facts import Action, LoginAttempt
from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import MessageInspector
from app.dpi.signatures import TCP, UDP, begins, exactly

_BIND, _BIND_ANSWER, _SEARCH, _ENTRY, _EXTENDED, _EXTENDED_ANSWER, _REFERENCE = 0x60, 0x61, 0x63, 0x64, 0x77, 0x78, 0x73
_OPERATIONS: Final = frozenset((_BIND, _BIND_ANSWER, 0x42, _SEARCH, _ENTRY, 0x65, 0x66, 0x67, 0x68, 0x69, 0x4A, 0x6B, 0x6C, 0x6E, _REFERENCE, _EXTENDED, _EXTENDED_ANSWER))  # fmt: skip
_STARTTLS: Final = b"1.3.6.1.4.1.1466.20037"
_SCOPES: Final = {0: "base", 1: "one", 2: "subtree"}
_RESULTS: Final = {0: "success", 49: "invalid credentials", 53: "unwilling", 8: "stronger authentication required"}
_FILTER_DEPTH: Final = 8
_FILTER_LENGTH: Final = 512
_SASL: Final = "sasl"  # asked: a login whose password does not travel readable


class LdapInspector(LoginInspector, MessageInspector):
    """One connection (or one datagram's conversation)."""

    protocol = "ldap"
    messages: ClassVar[int] = 500
    limit: ClassVar[int] = 8192

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._asks_tls = False

    def size(self, direction: int, begun: bytearray) -> int | None:
        """A sequence. What is sealed by SASL begins with a length instead: it is not read."""
        if begun[0] != 0x30:
            return None
        found = element(bytes(begun[:8]), 0)
        return found[2] if found else 0 if len(begun) < 6 else None

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if self.flow.protocol == 6:
            return super().data(direction, data, ts)
        self._count += 1
        return self.message(direction, data, ts) and self._count < self.messages

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """One message: its number, then the operation."""
        found = element(message, 0)
        parts = list(elements(message[found[1] :])) if found else []
        if len(parts) < 2 or parts[0][0] != 2:
            return DONE
        self.tell(ts)
        operation, body = parts[1]
        if operation == _BIND and direction == ORIGINATOR:
            self._bind(body)
        elif operation == _BIND_ANSWER:
            self._bound(body, ts)
        elif operation == _SEARCH and direction == ORIGINATOR:
            self._search(body, ts)
        elif operation == _ENTRY and direction != ORIGINATOR:
            self._entry(body, ts)
        elif operation == _EXTENDED:
            self._asks_tls = _STARTTLS in body
        elif operation == _EXTENDED_ANSWER and self._asks_tls:  # RFC 4511 § 4.14.2: TLS begins after the answer
            self._asks_tls = False
            if number(fields(body).get(0x0A)) == 0:
                self.flow.notes["starttls"] = True
                return DONE
        return MORE

    def _bind(self, body: bytes) -> None:
        """Version, name, and [0] simple or [3] SASL."""
        parts = list(elements(body))
        if len(parts) < 3:
            return
        self._user = parts[1][1]
        if parts[2][0] == 0x80:
            self._asked = LOGIN if parts[2][1] and self._user else ""
        elif parts[2][0] == 0xA3:
            self._asked = _SASL

    def _bound(self, body: bytes, ts: int) -> None:
        code = number(fields(body).get(0x0A))
        if code == 14 or not self._asked:  # 14: SASL goes on
            return
        if self._asked == LOGIN:
            self.outcome(ts, code == 0)
        else:
            self._asked = ""
            reason = _RESULTS.get(code, str(code))
            self.flow.sink(
                LoginAttempt(self.flow.flow_id, ts, "ldap", printable(self._user or b"") or None, code == 0, reason)
            )

    def _search(self, body: bytes, ts: int) -> None:
        """Base, scope, aliases, limits, types only, filter, attributes."""
        parts = list(elements(body))
        if len(parts) < 7:
            return
        attributes = [printable(value, 64) for _, value in list(elements(parts[7][1]))[:32]] if len(parts) > 7 else []
        details = {
            "scope": _SCOPES.get(number(parts[1][1]), ""),
            "filter": _filter(parts[6][0], parts[6][1], 0)[:_FILTER_LENGTH],
            "attributes": " ".join(attributes),
        }
        self.flow.sink(Action(self.flow.flow_id, ts, "ldap", "search", printable(parts[0][1]), 0, details))

    def _entry(self, body: bytes, ts: int) -> None:
        """An entry that tells where Java code lies (RFC 2713) is worth a word."""
        if b"javaCodeBase" in body or b"javaFactory" in body:
            self.flow.sink(Action(self.flow.flow_id, ts, "ldap", "java_reference", "", 1))


def _filter(tag: int, value: bytes, depth: int) -> str:
    """A filter as text (RFC 4515), bounded in depth and length."""
    if depth > _FILTER_DEPTH:
        return "…"
    if tag in (0xA0, 0xA1, 0xA2):
        inner = "".join(_filter(kind, part, depth + 1) for kind, part in list(elements(value))[:32])
        return f"({'&|!'[tag - 0xA0]}{inner[:_FILTER_LENGTH]})"
    if tag == 0x87:
        return f"({printable(value, 64)}=*)"
    parts = [printable(part, 64) for _, part in list(elements(value))[:4]]
    if tag == 0xA9:
        return f"({':'.join(parts)})"
    return f"({'='.join(parts)})"


@begins(exactly(TCP, b"0"), exactly(UDP, b"0"))
def recognize_ldap(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A sequence of a message number and an operation of LDAP whose lengths agree."""
    if len(data) < 7 or data[0] != 0x30:
        return None
    outer = element(data, 0)
    first = element(data, outer[1]) if outer else None
    if outer is None or first is None or first[0] != 2 or not 1 <= first[2] - first[1] <= 4:
        return None
    second = element(data, first[2])
    if second is None or second[0] not in _OPERATIONS or second[2] > outer[2]:
        return None
    if flow.protocol == 17 and outer[2] != len(data):
        return None
    return LdapInspector(flow)
