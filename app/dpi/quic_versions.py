"""QUIC versions: their names, and the salts and labels from which the keys of Initial packets are made."""

from __future__ import annotations

from typing import Final

V1: Final = 1
V2: Final = 0x6B3343CF
V2_DRAFT: Final = 0x709A50C4

_SALT_22: Final = bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")
_SALT_23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_SALT_29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_SALT_33: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001 § 5.2
_SALT_V2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")  # RFC 9369 § 3.3.1
_SALT_V2_DRAFT: Final = bytes.fromhex("a707c203a59b47184a1d62ca570406ea7ae3e5d3")
_SALT_Q050: Final = bytes.fromhex("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45")
_SALT_T051: Final = bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d")

_DRAFT: Final = 0xFF000000
_SALTS: Final[dict[int, tuple[str, bytes]]] = {
    V1: ("1", _SALT_33),
    V2: ("2", _SALT_V2),
    V2_DRAFT: ("2-draft", _SALT_V2_DRAFT),
    **{_DRAFT | n: (f"draft-{n}", _SALT_22) for n in (21, 22)},
    **{_DRAFT | n: (f"draft-{n}", _SALT_23) for n in range(23, 29)},
    **{_DRAFT | n: (f"draft-{n}", _SALT_29) for n in range(29, 33)},
    **{_DRAFT | n: (f"draft-{n}", _SALT_33) for n in (33, 34)},
    0xFACEB001: ("mvfst-1", _SALT_22),
    0xFACEB002: ("mvfst-2", _SALT_23),
    0xFACEB00E: ("mvfst-e", _SALT_23),
    int.from_bytes(b"Q050", "big"): ("Q050", _SALT_Q050),
    int.from_bytes(b"T051", "big"): ("T051", _SALT_T051),
}
READABLE: Final = tuple(_SALTS)  # versions whose Initial packets can be opened


def version_name(version: int) -> str:
    """ "1", "2", "draft-29", "Q046"; else the number. Reserved ones (RFC 9000 § 15) are said to be so."""
    known = _SALTS.get(version)
    if known is not None:
        return known[0]
    if is_reserved(version):
        return f"reserved-{version:08x}"
    if version >> 24 in b"QT" and all(48 <= version >> shift & 0xFF <= 57 for shift in (0, 8, 16)):
        return version.to_bytes(4, "big").decode("ascii")
    return f"draft-{version & 0xFF}" if version & 0xFFFFFF00 == _DRAFT else f"0x{version:08x}"


def salts(version: int) -> tuple[bytes, ...]:
    """Those that its Initial packets may be opened with; none: a version that cannot be read. A client that tries with a reserved version whether the
    server negotiates takes the salt of the version that it goes on with."""
    known = _SALTS.get(version)
    if known is not None:
        return (known[1],)
    return (_SALT_33, _SALT_29) if is_reserved(version) else ()


def is_reserved(version: int) -> bool:
    """RFC 9000 § 15: of no version, to exercise negotiation."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


def is_v2(version: int) -> bool:
    """Version 2 numbers its packet types and calls its keys differently (RFC 9369 § 3)."""
    return version in (V2, V2_DRAFT)


def is_google(version: int) -> bool:
    """Google's versions between its own QUIC and the standard."""
    return version >> 24 in b"QT"
