"""Flows by rate: what each did between two looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.services import service_name
from app.model.layers import protocol_name
from app.sensor.findings import FlowFindings
from app.sensor.pipeline import Pipeline
from app.wire.addresses import format_address

LOOKED_AT: Final = 20_000  # changed flows of one tick
SHOWN: Final = 200
REMEMBERED: Final = 65_536
_PORTED: Final = frozenset({6, 17, 33, 132, 136})
_NOTHING: Final = FlowFindings()


@dataclass(slots=True)
class TopFlow:
    """One line. Rates in bits per second and packets per second; `sent` is what the originator sent."""

    flow_id: int
    protocol: str
    src: str
    dst: str
    app: str | None
    host: str | None
    bps: float
    pps: float
    sent_bytes: int
    received_bytes: int
    packets: int
    start_ns: int
    src_address: str
    dst_address: str


class FlowRates:
    """`tick` once a second or so."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._since = 0
        self._before: dict[int, tuple[int, int]] = {}  # flow → bytes, packets at the last look

    def tick(self, seconds: float) -> list[TopFlow]:
        """The flows that did something, fastest first."""
        closed = self._pipeline.close_tick()
        rows, _, _ = self._pipeline.table.collect(self._since, LOOKED_AT, 0)
        self._since = closed + 1
        if not len(rows):
            return []
        octets = (rows["src_bytes"] + rows["dst_bytes"]).astype(np.int64)
        packets = (rows["src_packets"] + rows["dst_packets"]).astype(np.int64)
        ids = rows["flow_id"].tolist()
        nothing = (0, 0)
        earlier = np.array([self._before.get(flow_id, nothing) for flow_id in ids], np.int64)
        if len(self._before) > REMEMBERED:
            self._before.clear()
        self._before.update(zip(ids, zip(octets.tolist(), packets.tolist(), strict=True), strict=True))
        bps = (octets - earlier[:, 0]) * 8 / max(seconds, 1e-3)
        pps = (packets - earlier[:, 1]) / max(seconds, 1e-3)
        order = np.argsort(-bps, kind="stable")[:SHOWN]
        return [self._flow(rows[i], float(bps[i]), float(pps[i])) for i in order.tolist()]

    def _flow(self, row: NDArray[np.void], bps: float, pps: float) -> TopFlow:
        value = dict(zip(row.dtype.names or (), row.item(), strict=True))
        insight = self._pipeline.insight
        known = insight.findings.flows.get(value["flow_id"], _NOTHING) if insight is not None else _NOTHING
        protocol = protocol_name(value["protocol"])
        service = service_name(protocol, value["dst_port"]) if value["protocol"] in _PORTED else None
        return TopFlow(
            value["flow_id"],
            protocol,
            _end(value, "src"),
            _end(value, "dst"),
            known.app or known.protocol or service,
            known.server_name,
            bps,
            pps,
            value["src_bytes"],
            value["dst_bytes"],
            value["src_packets"] + value["dst_packets"],
            value["start"],
            _address(value, "src"),
            _address(value, "dst"),
        )


def _address(row: dict[str, int], side: str) -> str:
    return format_address(row[f"{side}_hi"], row[f"{side}_lo"], row["ip_version"]) or "?"


def _end(row: dict[str, int], side: str) -> str:
    address = _address(row, side)
    if row["protocol"] not in _PORTED:
        return address
    port = row[f"{side}_port"]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
