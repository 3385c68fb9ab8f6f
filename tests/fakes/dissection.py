"""A packet taken apart, as a sensor answers: four layers, and bytes that a page must not take for its own."""

from __future__ import annotations

from typing import Any


def dissected() -> dict[str, Any]:
    frame = bytes(range(54)) + b"<b>hostile</b> GET / HTTP/1.1"
    return {
        "tree": [
            _layer("Ether", "Ethernet", 0, 14, [_field("dst", "Destination", "00:01:02:03:04:05", 0, 6)]),
            _layer("IP", "IPv4", 14, 20, [_field("ttl", "Time to live", "64", 22, 1)]),
            _layer("TCP", "TCP", 34, 20, [_field("sport", "Source port", "443", 34, 2)]),
            _layer(
                "Raw",
                "Payload",
                54,
                len(frame) - 54,
                [_field("load", "Bytes", "<b>hostile</b>", 54, len(frame) - 54)],
            ),
        ],
        "summary": "Ether / IP / TCP / Raw",
        "info": "https",
        "hex": frame.hex(),
        "link_type": 1,
        "masked": False,
        "error": None,
    }


def _layer(name: str, label: str, offset: int, length: int, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "label": label, "offset": offset, "length": length, "fields": fields}


def _field(name: str, label: str, value: str, offset: int, length: int) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "value": value,
        "offset": offset,
        "length": length,
        "bit_offset": None,
        "bit_length": None,
    }
