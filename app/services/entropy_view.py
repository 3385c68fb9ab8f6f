"""Entropy of flows as REST and Socket.IO tell it: filtered, alerts first, with graphs of the first N."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from app.model.entropy import ALERT_NAMES, ENTROPY_ENDED, TOO_LITTLE, VERDICTS, alert_text
from app.model.layers import protocol_name
from app.model.timestamps import rfc3339
from app.services.query_errors import BadRequest
from app.wire.addresses import format_address

if TYPE_CHECKING:
    from app.services.mirror import Mirror

MAX_TOP: Final = 200
DEFAULT_TOP: Final = 20
_PART: Final = re.compile(r"[0-9A-Fa-f:.]{1,45}\Z")
_FIELDS: Final = (
    "value",
    "low",
    "high",
    "life",
    "life_low",
    "life_high",
    "plain",
    "level",
    "expected_low",
    "expected_high",
)


@dataclass(frozen=True, slots=True)
class EntropyRequest:
    """Checked. `BadRequest` names what is wrong."""

    top: int = DEFAULT_TOP
    protocol: str = ""
    ip: str = ""

    @classmethod
    def parse(cls, top: Any, protocol: Any, ip: Any) -> EntropyRequest:
        number = DEFAULT_TOP if top is None else top
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_TOP:
            raise BadRequest("top is not allowed", "top", [f"a whole number 1..{MAX_TOP}"])
        for name, value in (("protocol", protocol), ("ip", ip)):
            if not (value is None or (isinstance(value, str) and len(value) <= 64)):
                raise BadRequest(f"{name} is not a short text", name, ["text of at most 64 characters"])
        if ip and not _PART.match(ip):
            _network(ip)
        return cls(number, (protocol or "").strip().lower(), (ip or "").strip().lower())


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadRequest(f"{text[:60]!r} is no address", "ip", ["an address, its beginning, or a network"]) from None


def _matches_ip(wanted: str, ends: tuple[str, str]) -> bool:
    if "/" in wanted:
        network = _network(wanted)
        return any(ipaddress.ip_address(end.partition("%")[0]) in network for end in ends if end)
    return any(end.startswith(wanted) for end in ends)


def number(value: float, digits: int = 3) -> float | None:
    """None for NaN."""
    return round(float(value), digits) if math.isfinite(value) else None


def entropy_document(mirror: Mirror, wanted: EntropyRequest) -> dict[str, Any]:
    """`{time, flows, total, alerts, slots}`; flows in alert first, then by bytes."""
    rows, view = mirror.entropy_rows(), mirror.flow_view()
    state = mirror.part("entropy_state")
    order, places = _ordered(rows, view.flows)
    documents: list[dict[str, Any]] = []
    total = alerts = 0
    for index, place in zip(order.tolist(), places.tolist(), strict=True):
        flow, row = view.flows[place], rows[index]
        known = view.facts.of([int(row["flow_id"])])[0]
        head = _head(flow, known.spoken, known.server_name)
        if wanted.ip and not _matches_ip(wanted.ip, (head["src_ip"] or "", head["dst_ip"] or "")):
            continue
        if wanted.protocol and wanted.protocol not in f"{head['protocol']} {head['detailed_protocol'] or ''}".lower():
            continue
        total += 1
        alerts += bool(row["alert"])
        if len(documents) < wanted.top:
            documents.append({**head, **_measured(row)})
    series = mirror.entropy_series([int(one["flow_id"]) for one in documents])
    for one in documents:
        points = series.get(int(one["flow_id"]))
        one["series"] = [] if points is None else _points(points)
    return {
        "time": rfc3339(mirror.now_ns),
        "flows": documents,
        "total": total,
        "alerts": alerts,
        "slots": {
            "total": state.get("slots"),
            "used": state.get("used"),
            "flows_without": state.get("flows_without"),
            "taken_over": state.get("taken_over"),
            "samples_lost": state.get("samples_lost"),
        },
        "settings": {
            "window_packets": state.get("window_packets"),
            "refresh_s": state.get("refresh_s"),
            "flow_bytes": state.get("life_bytes"),
            "threshold_ratio": state.get("ratio"),
        },
    }


def _ordered(rows: NDArray[np.void], flows: NDArray[np.void]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(places in rows, places in flows) of the flows that both have: those with an alert first, then by bytes."""
    _, in_rows, in_flows = np.intersect1d(rows["flow_id"], flows["flow_id"], return_indices=True)
    sizes = flows["src_bytes"][in_flows].astype(np.float64) + flows["dst_bytes"][in_flows]
    order = np.lexsort((-sizes, flows["ended"][in_flows] != 0, rows["alert"][in_rows] == 0))
    return in_rows[order], in_flows[order]


def _head(flow: np.void, spoken: str | None, server_name: str | None) -> dict[str, Any]:
    version = int(flow["ip_version"])
    return {
        "flow_id": str(int(flow["flow_id"])),
        "protocol": protocol_name(int(flow["protocol"])),
        "detailed_protocol": spoken,
        "server_name": server_name,
        "src_ip": format_address(int(flow["src_hi"]), int(flow["src_lo"]), version),
        "src_port": int(flow["src_port"]),
        "dst_ip": format_address(int(flow["dst_hi"]), int(flow["dst_lo"]), version),
        "dst_port": int(flow["dst_port"]),
        "bytes": int(flow["src_bytes"]) + int(flow["dst_bytes"]),
    }


def _measured(row: np.void) -> dict[str, Any]:
    bits = int(row["alert"])
    return {
        "time": rfc3339(int(row["ts"])),
        "ended": bool(row["flags"] & ENTROPY_ENDED),
        "alert": alert_text(bits),
        "alerts": [name for i, name in enumerate(ALERT_NAMES) if bits >> i & 1],
        "src": _side(row, "src"),
        "dst": _side(row, "dst"),
    }


def _side(row: np.void, end: str) -> dict[str, Any] | None:
    if not row[f"{end}_life_bytes"]:
        return None
    return {
        **{name: number(row[f"{end}_{name}"]) for name in _FIELDS},
        "chi_square": number(row[f"{end}_chi"], 1),
        "serial_correlation": number(row[f"{end}_serial"], 4),
        "bytes": int(row[f"{end}_bytes"]),
        "life_bytes": int(row[f"{end}_life_bytes"]),
        "verdict": _word(int(row[f"{end}_verdict"])),
        "life_verdict": _word(int(row[f"{end}_life_verdict"])),
    }


def _word(index: int) -> str:
    return VERDICTS[index] if index < len(VERDICTS) else VERDICTS[TOO_LITTLE]


def _points(points: NDArray[np.void]) -> list[list[float | None]]:
    """[[unix seconds, from the originator, to it], …]"""
    return [
        [round(ts / 1e9, 3), number(src), number(dst)]
        for ts, src, dst in zip(points["ts"].tolist(), points["src"].tolist(), points["dst"].tolist(), strict=True)
    ]
