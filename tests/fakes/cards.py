"""Findings of card numbers as a sensor tells them."""

from __future__ import annotations

from typing import Any

from app.model.timestamps import rfc3339

_FOUND = (
    ("visa", "411111******1111", "HTTP request body, JSON", 0.98, ["written in groups as on a card", "the field's name says so"]),
    ("mastercard", "222300******3222", "HTTP request header Cookie", 0.94, ["the field's name says so"]),
    ("amex", "378282*****0005", "FTP data payload", 0.45, []),
    ("maestro", "679999*********0019", "mail body, base64", 0.85, ["words about cards before it"]),
    ("visa", "401288******1881", "TCP payload, track 1", 0.99, ["track 1 data"]),
    ("unionpay", "625094******8599", "HTTP response body, HTML, gzip", 0.8, ["words about cards before it"]),
)  # fmt: skip


def card_rows(now: int, flow_id: int = 7) -> list[dict[str, Any]]:
    """Six of them, the same in each snapshot."""
    return [
        {
            "id": number,
            "flow_id": str(flow_id),
            "timestamp": rfc3339(now - (10 - number) * 1_000_000_000),
            "last_seen": rfc3339(now),
            "brand": brand,
            "masked": masked,
            "fingerprint": f"{number:032x}",
            "packet": 100 + number,
            "where": where,
            "direction": "responder" if "response" in where else "originator",
            "source": "192.168.1.23:50123",
            "destination": f"203.0.113.{number}:80",
            "encrypted": False,
            "confidence": confidence,
            "reasons": [f"digits with a {brand} prefix and a valid check digit", *reasons],
            "count": number,
        }
        for number, (brand, masked, where, confidence, reasons) in enumerate(_FOUND, 1)
    ]


SCAN = {
    "bytes_scanned": 91_234_567,
    "bytes_encrypted": 812_345_678,
    "bytes_undecoded": 0,
    "packets_cut_short": 0,
    "failures": 0,
    "findings_forgotten": 0,
}
