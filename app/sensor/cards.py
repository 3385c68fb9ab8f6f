"""Card numbers of one capture: the scan behind one door, and its findings for those who ask. Bounded; what falls off the end is counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.flow.table import FlowTable
from app.model.card import CardFinding
from app.model.timestamps import rfc3339
from app.sensor.card_places import CardPlaces
from app.sensor.card_scan import SECONDS_PER_TICK, CardScan

MAX_FINDINGS: Final = 5000

Told = Callable[[CardFinding], None]


class Cards:
    """key: of the fingerprints. patient: a file is read, so everything is decoded. limit: findings kept, None = all."""

    def __init__(self, key: bytes, patient: bool = False, limit: int | None = MAX_FINDINGS) -> None:
        self._key = key
        self._patient = patient
        self._limit = limit
        self.findings: OrderedDict[int, CardFinding] = OrderedDict()
        self.changed: OrderedDict[int, CardFinding] = OrderedDict()  # since the last `take_changed`
        self.forgotten = 0
        self.scan: CardScan | None = None
        self.protocol_of: Callable[[int], str | None] = lambda _: None
        self.on_finding: Told | None = None

    def begin(self, capacity: int) -> None:
        """A new capture over a flow table of `capacity` rows."""
        self.findings.clear()
        self.changed.clear()
        self.forgotten = 0
        seconds = None if self._patient else SECONDS_PER_TICK
        self.scan = CardScan(capacity, self._key, self._take, lambda flow_id: self.protocol_of(flow_id), seconds)

    def take(
        self,
        data: NDArray[np.uint8],
        packets: NDArray[np.void],
        flow_ids: NDArray[np.uint64],
        table: FlowTable,
        first_id: int,
    ) -> None:
        """A decoded block that went through the flow table. first_id: number of its first packet."""
        assert self.scan is not None, "begin() comes first"
        self.scan.take(data, packets, flow_ids, table, first_id)

    def ended(self, records: NDArray[np.void]) -> None:
        """Flows ended (FLOW_DTYPE)."""
        if self.scan is not None:
            self.scan.ended(records["flow_id"].tolist())

    def next_tick(self) -> None:
        if self.scan is not None:
            self.scan.next_tick()

    @property
    def places(self) -> CardPlaces | None:
        """What must be masked in packets."""
        return self.scan.places if self.scan is not None else None

    def take_changed(self, most: int) -> list[CardFinding]:
        """Findings that are new or were seen again, at most `most`; the others next time."""
        return [self.changed.popitem(last=False)[1] for _ in range(min(most, len(self.changed)))]

    def coverage(self) -> dict[str, int]:
        """Bytes of payload looked at and passed over, and what else was left out."""
        scan = self.scan
        if scan is None:
            return {}
        return {
            "bytes_scanned": scan.bytes_scanned,
            "bytes_encrypted": scan.bytes_skipped,
            "bytes_undecoded": scan.bytes_undecoded,
            "packets_cut_short": scan.places_left_out,
            "failures": scan.failures,
            "findings_forgotten": self.forgotten,
        }

    def _take(self, finding: CardFinding) -> None:
        if finding.card_id not in self.findings:
            if self._limit is not None and len(self.findings) >= self._limit:
                self.findings.popitem(last=False)
                self.forgotten += 1
            self.findings[finding.card_id] = finding
            if self.on_finding is not None:
                self.on_finding(finding)
        self.changed[finding.card_id] = finding
        if self._limit is not None and len(self.changed) > self._limit:
            self.changed.popitem(last=False)
            self.forgotten += 1


def card_document(finding: CardFinding) -> dict[str, Any]:
    """A finding as a row of the JSON document and of the snapshot."""
    return {
        "id": finding.card_id,
        "flow_id": str(finding.flow_id),
        "timestamp": rfc3339(finding.ts),
        "last_seen": rfc3339(finding.last_ts),
        "brand": finding.brand,
        "masked": finding.masked,
        "fingerprint": finding.fingerprint,
        "packet": finding.packet,
        "where": finding.where,
        "direction": finding.direction,
        "source": finding.source,
        "destination": finding.destination,
        "encrypted": finding.encrypted,
        "confidence": finding.confidence,
        "reasons": finding.reasons,
        "count": finding.count,
    }
