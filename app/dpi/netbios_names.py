"""NetBIOS names in messages of the name service (RFC 1001 § 14, RFC 1002 § 4.2): half-ASCII names, their suffix, addresses, node status."""

from __future__ import annotations

from socket import AF_INET, inet_ntop
from typing import Final

from app.dpi.dns_reader import Malformed, Reader
from app.dpi.dns_text import generic, name_text, unquoted

GROUP: Final = " group"  # ends the text of a name or address that a group shares
_STATUS_NAMES: Final = 64  # of one node status
_ENCODED: Final = 32


def read_name(reader: Reader) -> str:
    """A name as `NAME<suffix>`, with its scope behind a dot; a name that is not encoded so stays as it is."""
    labels, whole = reader.labels()
    if not labels or not whole:
        return name_text(labels)
    first = decode_label(labels[0])
    if first is None:
        return name_text(labels)
    return first if len(labels) == 1 else f"{first}.{name_text(labels[1:])}"


def decode_label(label: bytes) -> str | None:
    """Undo the first-level encoding: each octet is two letters from A to P. None when it is none."""
    if len(label) != _ENCODED or not all(0x41 <= octet <= 0x50 for octet in label):
        return None
    halves = [octet - 0x41 for octet in label]
    return suffixed(bytes(high << 4 | low for high, low in zip(halves[::2], halves[1::2], strict=True)))


def suffixed(name: bytes) -> str:
    """16 octets as text: 15 of name, padded with spaces or zeros, then what kind of service it is."""
    return f"{unquoted(name[:15].rstrip(b' ' + bytes(1)))}<{name[15]:02x}>".replace("\\032", " ")


def host_of(name: str) -> str | None:
    """`WORKSTATION<00>` or `<20>` → WORKSTATION; None for other suffixes."""
    return name[:-4] if name.endswith(("<00>", "<20>")) and len(name) > 4 and name[0] != "*" else None


def read_rdata(reader: Reader, kind: str, length: int) -> tuple[list[str], bytes | None]:
    """The values of an NB or NBSTAT record (RFC 1002 § 4.2.1.3, § 4.2.18), and the unit's MAC address."""
    data = reader.take(length)
    try:
        if kind == "NB":
            return _addresses(data, reader), None
        return _status(data, reader)
    except IndexError:
        return [generic(data)], None


def _addresses(data: bytes, reader: Reader) -> list[str]:
    if len(data) % 6:
        return [generic(data)]
    reader.spend(len(data) // 6)
    return [
        inet_ntop(AF_INET, data[at + 2 : at + 6]) + (GROUP if data[at] & 0x80 else "") for at in range(0, len(data), 6)
    ]


def _status(data: bytes, reader: Reader) -> tuple[list[str], bytes | None]:
    count = data[0]
    end = 1 + 18 * count
    if count > _STATUS_NAMES or len(data) < end:
        raise Malformed("a node status is cut short")
    reader.spend(count)
    names = [
        suffixed(data[at : at + 16]) + (GROUP if data[at + 16] & 0x80 else "")
        for at in range(1, end, 18)
    ]  # fmt: skip
    unit = data[end : end + 6]
    return names, unit if len(unit) == 6 and any(unit) else None
