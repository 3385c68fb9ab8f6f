"""ClientHello and ServerHello: the bytes of one handshake message to what it says.

The same parser serves TLS, DTLS and QUIC. It reads as far as the bytes make sense: a message whose fixed part is broken is none,
a broken extension ends the list. Values reserved for GREASE (RFC 8701) never leave this module. The number of values kept of each list
is bounded, so that a hostile message costs no more than a few milliseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

GREASE: Final = frozenset(0x0A0A + 0x1010 * i for i in range(16))  # RFC 8701 § 2
RETRY_RANDOM: Final = bytes.fromhex(  # a ServerHello with this random is a HelloRetryRequest (RFC 8446 § 4.1.3)
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
SSL2: Final = 0x0002
TLS12: Final = 0x0303
TLS13: Final = 0x0304
DTLS12: Final = 0xFEFD
DTLS13: Final = 0xFEFC

_VERSIONS: Final = {  # oldest first: the order is the rank
    SSL2: "SSL 2.0",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    TLS12: "TLS 1.2",
    TLS13: "TLS 1.3",
    0x0100: "DTLS 0.9",  # OpenSSL before the standard
    0xFEFF: "DTLS 1.0",
    DTLS12: "DTLS 1.2",
    DTLS13: "DTLS 1.3",
}
_RANK: Final = {version: rank for rank, version in enumerate(_VERSIONS)}

EXT_SERVER_NAME: Final = 0
EXT_GROUPS: Final = 10
EXT_POINT_FORMATS: Final = 11
EXT_SIGNATURE_ALGORITHMS: Final = 13
EXT_ALPN: Final = 16
EXT_SUPPORTED_VERSIONS: Final = 43
EXT_ECH: Final = 0xFE0D

_EXTENSION: Final = struct.Struct(">HH")  # type, length
_MAX_CIPHERS: Final = 4096
_MAX_EXTENSIONS: Final = 512
_MAX_VALUES: Final = 512  # of one extension's list
_MAX_ALPN: Final = 64


@dataclass(slots=True)
class ClientHello:
    """A ClientHello without its GREASE values; numbers as on the wire, in the order sent."""

    version: int  # the legacy field
    ciphers: Sequence[int] = ()
    extensions: Sequence[int] = ()
    groups: Sequence[int] = ()
    point_formats: Sequence[int] = ()
    signature_algorithms: Sequence[int] = ()
    versions: Sequence[int] = ()  # of supported_versions
    alpn: Sequence[bytes] = ()
    server_name: bytes | None = None
    ech: bool = False
    ssl2: bool = False  # sent in the form of SSL 2.0, which has no extensions and other cipher numbers

    @property
    def highest_version(self) -> int:
        """The newest version offered: supported_versions wins over the legacy field (RFC 8446 § 4.2.1)."""
        return _newest(tuple(self.versions)) if self.versions else self.version


@dataclass(slots=True)
class ServerHello:
    """A ServerHello, or a HelloRetryRequest (`retry`)."""

    version: int  # the one chosen
    cipher: int
    alpn: bytes | None = None
    retry: bool = False


@lru_cache(512)
def _newest(versions: tuple[int, ...]) -> int:
    return max(versions, key=lambda v: (_RANK.get(v, -1), v))


def version_name(version: int) -> str:
    """ "TLS 1.2"; a draft as such; else the number."""
    if version >> 8 == 0x7F:
        return f"TLS 1.3 draft {version & 0xFF}"
    return _VERSIONS.get(version) or f"0x{version:04x}"


def is_13(version: int) -> bool:
    """Whether a chosen version encrypts what follows the ServerHello."""
    return version in (TLS13, DTLS13) or version >> 8 == 0x7F


def parse_client_hello(body: bytes, *, datagram: bool = False) -> ClientHello | None:
    """The body of a handshake message of type 1 (RFC 8446 § 4.1.2); `datagram`: DTLS, with its cookie (RFC 6347 § 4.2.1)."""
    try:
        hello = ClientHello(body[0] << 8 | body[1])
        at = 35 + body[34]  # version, random, session id
        if datagram:
            at += 1 + body[at]
        length = body[at] << 8 | body[at + 1]
        at += 2
        if length & 1 or at + length > len(body):
            return None
        hello.ciphers = _numbers(body, at, length, _MAX_CIPHERS)
        at += length
        at += 1 + body[at]  # compression methods
        if at > len(body):
            return None
    except IndexError:
        return None
    found = _extensions(body, at)
    hello.extensions = tuple([kind for kind, _, _ in found])
    for kind, start, end in found:
        read = _READERS.get(kind)
        if read is not None:
            read(hello, body, start, end)
    return hello


def parse_ssl2_client_hello(body: bytes) -> ClientHello | None:
    """The CLIENT-HELLO of SSL 2.0, from its type byte on (RFC 6101 appendix E). Its cipher kinds of three bytes are no cipher suites."""
    if len(body) < 9 or body[0] != 1:
        return None
    _, version, ciphers, session, challenge = struct.unpack_from(">BHHHH", body)
    if ciphers % 3 or not ciphers or session not in (0, 16) or not 16 <= challenge <= 32:
        return None
    return ClientHello(version, ssl2=True) if 9 + ciphers + session + challenge <= len(body) else None


def parse_server_hello(body: bytes) -> ServerHello | None:
    """The body of a handshake message of type 2 (RFC 8446 § 4.1.3)."""
    if len(body) < 38:
        return None
    hello = ServerHello(body[0] << 8 | body[1], 0, retry=body[2:34] == RETRY_RANDOM)
    at = 35 + body[34]
    if (
        hello.version >> 8 == 0x7F and hello.version <= 0x7F15
    ):  # TLS 1.3 drafts to 21: no session id, no compression method
        at = 34
    if at + 2 > len(body):
        return None
    hello.cipher = body[at] << 8 | body[at + 1]
    for kind, start, end in _extensions(body, at + 2 + (at != 34)):
        if kind == EXT_SUPPORTED_VERSIONS and end - start == 2:
            hello.version = body[start] << 8 | body[start + 1]
        elif kind == EXT_ALPN and end - start > 3:
            hello.alpn = next(iter(_protocols(body, start, end)), None)
    return hello


def _extensions(body: bytes, at: int) -> list[tuple[int, int, int]]:
    """(type, start, end) of each extension whose bytes are there, without GREASE."""
    found: list[tuple[int, int, int]] = []
    if at + 2 > len(body):
        return found
    limit = min(len(body), at + 2 + (body[at] << 8 | body[at + 1]))
    at += 2
    while at + 4 <= limit and len(found) < _MAX_EXTENSIONS:
        kind, length = _EXTENSION.unpack_from(body, at)
        end = at + 4 + length
        if end > limit:
            break
        if kind not in GREASE:
            found.append((kind, at + 4, end))
        at = end
    return found


def _read_server_name(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    hello.server_name = _host_name(body, start, end)


def _read_alpn(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    hello.alpn = _protocols(body, start, end)


def _read_groups(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    if end - start >= 2:
        hello.groups = _long_list(body, start, end)


def _read_signature_algorithms(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    if end - start >= 2:
        hello.signature_algorithms = _long_list(body, start, end)


def _read_versions(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    if end > start:
        hello.versions = _numbers(body, start + 1, min(end - start - 1, body[start]), _MAX_VALUES)


def _read_point_formats(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    if end > start:
        hello.point_formats = tuple(body[start + 1 : start + 1 + min(end - start - 1, body[start])])


def _read_ech(hello: ClientHello, body: bytes, start: int, end: int) -> None:
    hello.ech = True  # real or GREASE: they look alike on purpose (RFC 9849 § 6.2)


_READERS: Final[dict[int, Callable[[ClientHello, bytes, int, int], None]]] = {
    EXT_SERVER_NAME: _read_server_name,
    EXT_GROUPS: _read_groups,
    EXT_POINT_FORMATS: _read_point_formats,
    EXT_SIGNATURE_ALGORITHMS: _read_signature_algorithms,
    EXT_ALPN: _read_alpn,
    EXT_SUPPORTED_VERSIONS: _read_versions,
    EXT_ECH: _read_ech,
}


def _long_list(body: bytes, start: int, end: int) -> tuple[int, ...]:
    """Two-byte numbers behind their length in two bytes."""
    return _numbers(body, start + 2, min(end - start - 2, body[start] << 8 | body[start + 1]), _MAX_VALUES)


def _numbers(body: bytes, start: int, length: int, most: int) -> tuple[int, ...]:
    """Two-byte numbers without GREASE."""
    count = min(length // 2, most)
    return _unpacked(body[start : start + 2 * count])


@lru_cache(512)
def _unpacked(numbers: bytes) -> tuple[int, ...]:
    """Programs send the same lists with every hello."""
    return tuple(n for n in struct.unpack(f">{len(numbers) // 2}H", numbers) if n not in GREASE)


def _host_name(body: bytes, start: int, end: int) -> bytes | None:
    """The first host_name of a server_name extension (RFC 6066 § 3)."""
    at = start + 2
    while at + 3 <= end:
        kind, length = body[at], body[at + 1] << 8 | body[at + 2]
        at += 3
        if at + length > end:
            return None
        if kind == 0:
            return body[at : at + length] if length else None
        at += length
    return None


def _protocols(body: bytes, start: int, end: int) -> list[bytes]:
    """The names of an ALPN extension (RFC 7301 § 3.1), without GREASE."""
    found: list[bytes] = []
    at = start + 2
    while at < end and len(found) < _MAX_ALPN:
        length = body[at]
        name = body[at + 1 : at + 1 + length]
        at += 1 + length
        if at > end:
            break
        if length and not (length == 2 and name[0] == name[1] and name[0] & 0x0F == 0x0A):
            found.append(name)
    return found
