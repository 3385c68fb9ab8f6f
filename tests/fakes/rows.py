"""FLOW rows written by hand."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import numpy as np

from app.wire.addresses import halves
from app.wire.records import FLOW_DTYPE

SECOND = 1_000_000_000
NOON = 1_760_000_000 * SECOND


def flow(number: int, src: str = "10.0.0.1:1000", dst: str = "192.0.2.1:443", **values: Any) -> np.ndarray:
    """One FLOW row; `src` and `dst` as `address:port` (IPv6 in brackets)."""
    row = np.zeros(1, FLOW_DTYPE)
    row["flow_id"] = number
    for end, text in (("src", src), ("dst", dst)):
        address, _, port = text.rpartition(":")
        parsed = ip_address(address.strip("[]"))
        row[f"{end}_hi"], row[f"{end}_lo"] = halves(parsed)
        row[f"{end}_port"] = int(port)
        row["ip_version"] = parsed.version
    row["protocol"] = 6
    row["start"] = NOON + number * SECOND
    row["end"] = NOON + number * SECOND + SECOND
    row["rtt_ns"] = -1
    row["conn_state"] = 2
    row["src_entropy"] = row["dst_entropy"] = np.nan
    for name, value in values.items():
        row[name] = value
    return row


def flows(*rows: np.ndarray) -> np.ndarray:
    return np.concatenate(rows) if rows else np.zeros(0, FLOW_DTYPE)
