"""The head of an HTTP/1.x message (RFC 9112): start line, the header fields we want, and how long its body is.

Lenient in what servers in the field accept: bare LF, folded lines, spaces in targets. What is not looked at is not kept.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from app.dpi.http1_body import Body, Chunked, Length, UntilClose

_WANTED: Final = frozenset(
    (
        b"host", b"user-agent", b"referer", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding",
        b"server", b"authorization", b"proxy-authorization", b"upgrade", b"connection",
    )
)  # fmt: skip
# RFC 9110, 5789, 4918 and what is seen beside them
METHODS: Final = frozenset(
    b"GET POST PUT HEAD DELETE OPTIONS PATCH TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH CCM_POST".split()
)
_TARGET: Final = re.compile(rb"/|\*|https?://|HTTP/")
_BROKEN_VERSION: Final = re.compile(rb"H(?:T(?:T(?:P(?:/(?:[0-9]\.?)?)?)?)?)?")  # cut short
_METHOD: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}")
_VERSION: Final = re.compile(rb"HTTP/([0-9]\.[0-9])")
_STATUS_LINE: Final = re.compile(rb"HTTP/([0-9]\.[0-9])[ \t]+([0-9]{3})(?![0-9])")
RAW_LIMIT: Final = 16 << 10
_VALUE_LIMIT: Final = 8192  # a value in several lines grows no longer than this and one line
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


@dataclass(slots=True)
class Head:
    """A parsed head. `method` is None in a response, `status` None in a request."""

    version: str
    method: bytes | None = None
    target: bytes = b""
    status: int | None = None
    fields: dict[bytes, bytes] = field(default_factory=dict)  # lower-case names; the first value of each
    raw: bytes = b""  # as sent, at most RAW_LIMIT


def request_line(line: bytes) -> Head | None:
    """`METHOD target HTTP/n.n`, or None. A known method's line without a (whole) version counts as HTTP/0.9."""
    method, _, rest = line.rstrip().partition(b" ")
    if not rest or not _METHOD.fullmatch(method):
        return None
    target, _, version = rest.rpartition(b" ")
    known = _VERSION.fullmatch(version)
    if known and target.strip():
        return Head(known[1].decode("ascii"), method, target.strip(b" "))
    if method not in METHODS or not _TARGET.match(rest):
        return None
    return Head("0.9", method, (target if _BROKEN_VERSION.fullmatch(version) and target else rest).strip(b" "))


def status_line(line: bytes) -> Head | None:
    """`HTTP/n.n NNN reason`, or None."""
    found = _STATUS_LINE.match(line)
    return Head(found[1].decode("ascii"), status=int(found[2])) if found else None


def start_line(line: bytes) -> Head | None:
    """A request's or a response's first line, or None."""
    return status_line(line) if line.startswith(b"HTTP/") else request_line(line)


def read_fields(head: Head, lines: list[bytes]) -> None:
    """Header lines (without their LF) into `head.fields`; folded lines are joined (RFC 9112 section 5.2)."""
    fields = head.fields
    name = b""
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if name and len(fields[name]) < _VALUE_LIMIT:
                fields[name] = (fields[name] + b" " + line.strip()).strip()
            continue
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if not colon or name not in _WANTED:
            name = b""
        elif name not in fields:
            fields[name] = value.strip()
        elif name == b"transfer-encoding" and len(fields[name]) < _VALUE_LIMIT:
            fields[name] += b", " + value.strip()
        else:
            name = b""  # a fold of a value that does not count


def body_of(head: Head, method: bytes | None) -> Body | None:
    """How the body is delimited (RFC 9112 section 6.3), None: there is none. `method`: of the request a response answers."""
    fields = head.fields
    if head.status is not None and (method == b"HEAD" or head.status in (204, 304) or head.status < 200):
        return None
    coding = fields.get(b"transfer-encoding", b"").lower()
    if coding:
        if b"chunked" in coding:
            return Chunked()
        return UntilClose() if head.status is not None else None
    announced = content_length(head)
    if announced is not None:
        return Length(announced) if announced else None
    return UntilClose() if head.status is not None else None


def content_length(head: Head) -> int | None:
    """The announced length, None where there is none or it is no number. Of several the first counts."""
    value = head.fields.get(b"content-length")
    if value is None:
        return None
    value = value.partition(b",")[0].strip()
    return int(value) if _LENGTH.fullmatch(value) else None


def basic_user(head: Head) -> bytes | None:
    """The user name of basic authentication (RFC 7617), to the server or to a proxy."""
    for name in (b"authorization", b"proxy-authorization"):
        user = basic_name(head.fields.get(name, b""))
        if user is not None:
            return user
    return None


def basic_name(value: bytes) -> bytes | None:
    """The user name in the value of an Authorization field, None where it is not `Basic`; the password is not looked at."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    token = token.strip()
    try:
        user, colon, _ = base64.b64decode(token + b"=" * (-len(token) % 4)).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return user if colon else None
