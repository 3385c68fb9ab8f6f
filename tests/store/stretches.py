"""Batches for the store, made up: deterministic by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.store.layout import FLOW_DTYPE

SECOND = 1_000_000_000
NOON = 1_760_000_040 * SECOND  # on a minute


def stretches(count: int, first: int = 1, at_ns: int = NOON, **values: Any) -> np.ndarray:
    """Ended flows, one a millisecond."""
    rows = np.zeros(count, FLOW_DTYPE)
    number = np.arange(first, first + count)
    rows["flow_id"] = number
    rows["start"] = rows["since"] = at_ns + (number - first) * 1_000_000
    rows["end"] = rows["start"] + 500_000_000
    rows["ip_version"] = 4
    rows["src_lo"] = np.uint64(0xFFFF_0A00_0001)  # 10.0.0.1
    rows["dst_lo"] = np.uint64(0xFFFF_C000_0200) + (number % 200).astype(np.uint64)  # 192.0.2.x
    rows["protocol"] = np.where(number % 4 == 0, 17, 6)
    rows["src_port"] = 32_768 + number % 20_000
    rows["dst_port"] = np.where(number % 4 == 0, 53, 443)
    rows["src_bytes"], rows["dst_bytes"] = 100 + number % 50, 1_000
    rows["src_packets"], rows["dst_packets"] = 2, 3
    rows["rtt_ns"] = -1
    rows["ended"] = 1
    rows["local_is_src"] = True
    rows["src_entropy"] = rows["dst_entropy"] = np.nan
    for name, value in values.items():
        rows[name] = value
    return rows


def batch(rows: np.ndarray, **parts: Any) -> dict[str, Any]:
    number = rows["flow_id"].tolist()
    texts = {
        "application": ["DNS" if n % 4 == 0 else "Google" for n in number],
        "hostname": [None if n % 4 == 0 else f"host{n % 10}.Example.org" for n in number],
        "pid": [n if n % 7 == 0 else None for n in number],
    }
    return {
        "run": {"boot": "b", "started_ns": NOON},
        "flows": rows.tobytes(),
        "texts": {**texts, **parts.pop("texts", {})},
        **parts,
    }
