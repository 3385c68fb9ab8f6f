"""JA3 and JA4: fingerprints of a ClientHello.

JA3: MD5 of version, ciphers, extensions, groups and point formats in the order sent (github.com/salesforce/ja3, BSD-3-Clause).
JA4: readable counts, then hashes of the sorted lists, so that shuffled extensions do not change it
(github.com/FoxIO-LLC/ja4, technical_details/JA4.md; JA4 itself, the TLS client's fingerprint, is BSD-3-Clause).
GREASE values are gone already (`app.dpi.tls_hello`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from app.dpi.tls_hello import EXT_ALPN, EXT_SERVER_NAME, ClientHello

LETTERS: Final = {"tls": "t", "dtls": "d", "quic": "q"}  # by transport
_VERSIONS: Final = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}
_NONE: Final = "000000000000"  # the hash of an empty list
_Numbers = tuple[int, ...]
_HIDDEN: Final = (EXT_SERVER_NAME, EXT_ALPN)  # not in the hash: they depend on the site


def ja3_text(hello: ClientHello) -> str:
    """The string that JA3 hashes: decimal numbers, lists joined by dashes."""
    parts = (hello.ciphers, hello.extensions, hello.groups, hello.point_formats)
    return f"{hello.version}," + ",".join("-".join(map(str, numbers)) for numbers in parts)


def ja3(hello: ClientHello) -> str:
    """MD5 in hex; empty for a hello in the form of SSL 2.0, for which JA3 is not defined."""
    if hello.ssl2:
        return ""
    ciphers, extensions = tuple(hello.ciphers), tuple(hello.extensions)
    return _ja3(hello.version, ciphers, extensions, tuple(hello.groups), tuple(hello.point_formats))


def ja4_text(hello: ClientHello, transport: str) -> str:
    """JA4 with the sorted lists in place of their hashes (FoxIO's `JA4_r`)."""
    return "_".join((_counts(hello, transport), *_joined(*_lists(hello))))


def ja4(hello: ClientHello, transport: str) -> str:
    """The fingerprint, e.g. `t13d1516h2_8daaf6152771_b186095e22b6`. `transport`: tls, dtls, quic."""
    return f"{_counts(hello, transport)}_{_hashes(*_lists(hello))}"


def _counts(hello: ClientHello, transport: str) -> str:
    version = _VERSIONS.get(_version(hello, transport), "00")
    name = "d" if hello.server_name is not None else "i"
    ciphers, extensions = min(len(hello.ciphers), 99), min(len(hello.extensions), 99)
    return f"{LETTERS[transport]}{version}{name}{ciphers:02d}{extensions:02d}{_alpn(hello)}"


def _version(hello: ClientHello, transport: str) -> int:
    """The highest number offered: an experimental one hides the version. Those of DTLS count down."""
    return max(hello.versions) if hello.versions and transport != "dtls" else hello.highest_version


def _alpn(hello: ClientHello) -> str:
    """First and last character of the first protocol; of its hexadecimal form where one of the two is no letter or digit."""
    if not hello.alpn:
        return "00"
    name = hello.alpn[0]
    ends = chr(name[0]) + chr(name[-1])
    if ends.isascii() and ends.isalnum():
        return ends
    digits = name.hex()
    return digits[0] + digits[-1]


def _lists(hello: ClientHello) -> tuple[_Numbers, _Numbers, _Numbers]:
    return tuple(hello.ciphers), tuple(hello.extensions), tuple(hello.signature_algorithms)


def _joined(ciphers: _Numbers, extensions: _Numbers, algorithms: _Numbers) -> tuple[str, str]:
    first = ",".join(sorted(f"{n:04x}" for n in ciphers))
    second = ",".join(sorted(f"{n:04x}" for n in extensions if n not in _HIDDEN))
    if algorithms:
        second += "_" + ",".join(f"{n:04x}" for n in algorithms)
    return first, second


# One program says the same in all its hellos, but for the order of its extensions: few fingerprints are asked for again and again.
@lru_cache(1024)
def _ja3(version: int, ciphers: _Numbers, extensions: _Numbers, groups: _Numbers, formats: _Numbers) -> str:
    text = ja3_text(ClientHello(version, ciphers, extensions, groups, formats))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(1024)
def _hashes(ciphers: _Numbers, extensions: _Numbers, algorithms: _Numbers) -> str:
    first, second = _joined(ciphers, extensions, algorithms)
    return f"{_hash(first)}_{_hash(second)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else _NONE
