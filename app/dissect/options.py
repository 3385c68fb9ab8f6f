"""Options that scapy hands over as one list: TCP's (RFC 9293 § 3.1) and DHCP's (RFC 2132), one node each, with their bytes.

Both are kind, length, value; the two one-byte kinds differ, and DHCP's length does not count its own two bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from scapy.layers.dhcp import DHCPOptions
from scapy.layers.inet import TCPOptions

from app.dissect.values import bytes_text, clean

_TCP_LABELS: Final = {
    "SAckOK": "SACK permitted",
    "SAck": "SACK",
    "MSS": "Maximum segment size",
    "WScale": "Window scale",
}


def tcp_options(data: bytes) -> Iterator[tuple[int, int, str, str]]:
    """(offset, length, label, value) of the options in the bytes between the TCP header and its data."""
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 0:
            yield at, len(data) - at, "End of options", ""
            return
        if kind == 1:
            yield at, 1, "No operation", ""
            at += 1
            continue
        length = max(2, data[at + 1]) if at + 1 < len(data) else 1
        length = min(length, len(data) - at)
        known = TCPOptions[0].get(kind)
        name = str(known[0]) if known else f"Option {kind}"
        yield at, length, _TCP_LABELS.get(name, name), _tcp_value(kind, data[at + 2 : at + length])
        at += length


def _tcp_value(kind: int, value: bytes) -> str:
    if kind in (2, 3) and value:
        return str(int.from_bytes(value, "big"))
    if kind in (5, 8) and len(value) % 4 == 0:
        numbers = [int.from_bytes(value[i : i + 4], "big") for i in range(0, len(value), 4)]
        return ", ".join(map(str, numbers))
    return bytes_text(value)


def dhcp_options(data: bytes) -> Iterator[tuple[int, int, str, str]]:
    """(offset, length, label, value) of DHCP options."""
    at = 0
    while at < len(data):
        code = data[at]
        if code == 255:
            yield at, 1, "End", ""
            at += 1
        elif code == 0:
            start = at
            while at < len(data) and data[at] == 0:
                at += 1
            yield start, at - start, "Padding", ""
        elif at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            yield at, len(data) - at, f"Option {code} (cut)", ""
            return
        else:
            length = 2 + data[at + 1]
            known: Any = DHCPOptions.get(code)
            name = known if isinstance(known, str) else getattr(known, "name", f"option {code}")
            label = str(name).replace("_", " ").replace("-", " ")
            yield at, length, label[:1].upper() + label[1:], _dhcp_value(known, data[at + 2 : at + length])
            at += length


def _dhcp_value(known: Any, value: bytes) -> str:
    if known is None or isinstance(known, str):
        return bytes_text(value)
    texts: list[str] = []
    rest = value
    try:
        while rest and len(texts) < 32:
            shorter, item = known.getfield(None, rest)
            if len(shorter) >= len(rest):
                break
            rest = shorter
            texts.append(str(known.i2repr(None, item)))
    except Exception:  # scapy's field over hostile bytes: shown as bytes instead
        return bytes_text(value)
    return clean(", ".join(texts))
