"""Kerberos (RFC 4120): who asks for which ticket with which encryption, and what the server refuses. Nothing is decrypted."""

from __future__ import annotations

from typing import ClassVar, Final

from app.dpi.ber import element, elements, fields, inside, number
from app.dpi.facts import Action, LoginAttempt
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.printable import printable
from app.dpi.protocol_inspector import MessageInspector, on_port
from app.dpi.signatures import TCP, UDP, begins, pattern

_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, _ERROR = 0x6A, 0x6B, 0x6C, 0x6D, 0x7E
_TAGS: Final = frozenset((_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, 0x6E, 0x6F, _ERROR))
_SEQUENCE, _INTEGER = 0x30, 0x02
_LENGTHS: Final = ("??", "81 ??", "82 ?? ??", "83 ?? ?? ??", "84 ?? ?? ?? ??")  # forms of a length before the sequence
_PRE_AUTHENTICATION: Final = 2  # padata: PA-ENC-TIMESTAMP
# RFC 4120 section 7.5.9, with the words of its names
ERRORS: Final[dict[int, str]] = {
    6: "client unknown", 7: "server unknown", 12: "policy", 14: "encryption not supported", 18: "client revoked", 23: "password expired",
    24: "wrong password", 25: "pre-authentication required", 31: "integrity check failed", 37: "clock skew", 52: "too big for UDP", 68: "wrong realm",
}  # fmt: skip
ETYPES: Final[dict[int, str]] = {
    1: "des-cbc-crc",
    3: "des-cbc-md5",
    17: "aes128",
    18: "aes256",
    23: "rc4-hmac",
    24: "rc4-hmac-exp",
}


class KerberosInspector(MessageInspector):
    """Messages of one client with one server: datagrams, or behind four bytes of length over TCP."""

    protocol = "kerberos"
    messages: ClassVar[int] = 200

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._user: str | None = None
        self._proves = False  # the last AS-REQ carried a proof of the password

    def size(self, direction: int, begun: bytearray) -> int | None:
        """RFC 4120 section 7.2.2."""
        if len(begun) < 4:
            return 0
        length = int.from_bytes(begun[:4], "big")
        return 4 + length if 0 < length < 1 << 20 else None

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if self.flow.protocol == 6:
            return super().data(direction, data, ts)
        self._count += 1
        return self._message(direction, data, ts) and self._count < self.messages

    def message(self, direction: int, message: bytes, ts: int) -> bool:
        """One message behind its length."""
        return self._message(direction, message[4:], ts)

    def _message(self, direction: int, data: bytes, ts: int) -> bool:
        tag = data[0] if data else 0
        found = element(data, 0)
        body = inside(data[found[1] :], _SEQUENCE) if found and tag in _TAGS else None
        if body is None:
            return DONE
        self.tell(ts)
        if tag in (_AS_REQ, _TGS_REQ):
            self._request(tag, body, direction, ts)
        elif tag in (_AS_REP, _TGS_REP):
            self._reply(tag, body, direction, ts)
        elif tag == _ERROR:
            self._error(fields(body), direction, ts)
        return MORE

    def _request(self, tag: int, body: bytes, direction: int, ts: int) -> None:
        """KDC-REQ: [3] padata, [4] body with [1] client, [2] realm, [3] service, [8] encryption types."""
        parts = fields(body)
        asked = inside(parts.get(0xA4, b""), _SEQUENCE) or b""
        inner = fields(asked)
        etypes = [
            number(value)
            for kind, value in elements(inside(inner.get(0xA8, b""), _SEQUENCE) or b"")
            if kind == _INTEGER
        ]
        details = {
            "client": _principal(inner.get(0xA1)),
            "realm": _string(inner.get(0xA2)),
            "etypes": " ".join(ETYPES.get(etype, str(etype)) for etype in etypes[:16]),
        }
        if tag == _AS_REQ:
            self._user = details["client"] or None
            kinds = [
                number(inside(entry, 0xA1, _INTEGER))
                for _, entry in elements(inside(parts.get(0xA3, b""), _SEQUENCE) or b"")
            ]
            self._proves = _PRE_AUTHENTICATION in kinds
            details["proof"] = "yes" if self._proves else "no"
        name = "as_req" if tag == _AS_REQ else "tgs_req"
        self._act(ts, name, _principal(inner.get(0xA3)), direction, details)

    def _reply(self, tag: int, body: bytes, direction: int, ts: int) -> None:
        """KDC-REP: [4] client, [5] ticket with [3] its encryption, [6] the part for the client."""
        parts = fields(body)
        ticket = inside(parts.get(0xA5, b""), 0x61, _SEQUENCE) or b""
        ticket_etype = number(inside(ticket, 0xA3, _SEQUENCE, 0xA0, _INTEGER))
        part_etype = number(inside(parts.get(0xA6, b""), _SEQUENCE, 0xA0, _INTEGER))
        client = _principal(parts.get(0xA4))
        details = {
            "client": client,
            "etype": ETYPES.get(ticket_etype, str(ticket_etype)),
            "reply_etype": ETYPES.get(part_etype, str(part_etype)),
        }
        if tag == _AS_REP:
            details["proof"] = "yes" if self._proves else "no"
            self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "kerberos", client or None, True))
        service = _principal((fields(ticket)).get(0xA2))
        self._act(ts, "as_rep" if tag == _AS_REP else "tgs_rep", service, direction, details)

    def _error(self, parts: dict[int, bytes], direction: int, ts: int) -> None:
        """KRB-ERROR: [6] code, [8] client, [10] service."""
        code = number(inside(parts.get(0xA6, b""), _INTEGER))
        reason = ERRORS.get(code, str(code))
        client = _principal(parts.get(0xA8)) or self._user or ""
        self._act(
            ts, "error", _principal(parts.get(0xAA)), direction, {"client": client, "code": str(code), "reason": reason}
        )
        if code in (6, 18, 24):
            self.flow.sink(LoginAttempt(self.flow.flow_id, ts, "kerberos", client or None, False, reason))

    def _act(self, ts: int, name: str, subject: str, direction: int, details: dict[str, str]) -> None:
        self.flow.sink(Action(self.flow.flow_id, ts, "kerberos", name, subject, direction, details))


def _principal(wrapped: bytes | None) -> str:
    """PrincipalName: [0] type, [1] parts."""
    parts = inside(wrapped or b"", _SEQUENCE, 0xA1, _SEQUENCE)
    return "/".join(printable(value) for tag, value in elements(parts or b"") if tag == 0x1B)[:256]


def _string(wrapped: bytes | None) -> str:
    return printable(inside(wrapped or b"", 0x1B) or b"")


@begins(
    pattern(UDP, *(f"{tag:02x} {length} 30" for tag in _TAGS for length in _LENGTHS)),
    pattern(TCP, *(f"00 ?? ?? ?? {tag:02x} {length} 30" for tag in _TAGS for length in _LENGTHS)),
)
def recognize_kerberos(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """An application tag of Kerberos around a sequence that begins with version 5; over TCP behind a length."""
    body = data[4:] if flow.protocol == 6 else data
    if len(body) < 12 or body[0] not in _TAGS or (flow.protocol == 6 and data[0]):
        return None
    found = element(body, 0)
    outer = element(body, found[1]) if found else None
    if outer is None or outer[0] != _SEQUENCE:
        return None
    version = body[outer[1] : outer[1] + 5]
    fits = version in (b"\xa0\x03\x02\x01\x05", b"\xa1\x03\x02\x01\x05")
    return KerberosInspector(flow) if fits and (on_port(flow, 88) or found) else None
