"""One message a tick for the web process: counters, top lists, changed flows and new packets as columns (docs/architecture.md, "The link")."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.detect.alert_documents import alert_document
from app.model.columns import RINGS
from app.sensor.cards import card_document
from app.sensor.evidence import EvidenceCutter
from app.sensor.fact_documents import (
    dns_document,
    host_document,
    http_document,
    known_row,
    login_document,
    tls_document,
)
from app.sensor.pipeline import Pipeline
from app.sensor.summary import host_text
from app.wire.records import BUCKET_DTYPE, FLOW_DTYPE
from app.wire.row_copies import copied, joined

MAX_FLOWS: Final = 20_000  # rows of flows in one snapshot; the rest follows
MAX_KNOWN: Final = 10_000  # flows of which something new is known
MAX_FACTS: Final = 1_000  # of each kind in one snapshot
MAX_ALERTS: Final = 500  # new or changed ones in one snapshot; the rest follows
MAX_CARDS: Final = 500  # findings in one snapshot; the rest follows
MAX_PACKETS: Final = 200  # newest packets of the tick
MAX_ENDED: Final = 65_536  # ended flows that wait for a snapshot; more are lost and counted
TOP: Final = 50
LATE_BUCKETS: Final = 3  # of a time ring are sent again, for packets that came out of order


class LiveList(Protocol):
    """The part of the packet store that a snapshot needs."""

    def newest(self, count: int, after_id: int = 0) -> NDArray[np.void]: ...

    @property
    def newest_id(self) -> int: ...

    def statistics(self) -> dict[str, int | None]: ...


class SnapshotMaker:
    """Remembers what the last snapshot said. `watch` a pipeline before the first `make`."""

    def __init__(self) -> None:
        self._pipeline: Pipeline | None = None
        self._store: LiveList | None = None
        self.evidence: EvidenceCutter | None = None
        self._generation = -1
        self._seq = 0
        self._forget()

    def watch(self, pipeline: Pipeline, store: LiveList | None) -> None:
        self._pipeline, self._store = pipeline, store

    def _forget(self) -> None:
        """A new capture: nothing has been said of it."""
        self._ended: list[NDArray[np.void]] = []
        self._ended_rows = 0
        self.ended_lost = 0
        self._pass_from = 0  # tick since which changes are collected …
        self._next_from = 0  # … and since which the next pass will
        self._slot = 0  # where the pass goes on
        self._packets = self._bytes = self._flows = 0
        self._packet_id = self._store.newest_id if self._store is not None else 0
        self._newest_bucket = [0] * len(RINGS)
        self._time = time.monotonic()

    def take_ended(self, records: NDArray[np.void]) -> None:
        """Flows that ended (FLOW_DTYPE; copied). The pipeline calls this."""
        self._follow()
        room = MAX_ENDED - self._ended_rows
        if room < len(records):
            self.ended_lost += len(records) - max(room, 0)
            records = records[: max(room, 0)]
        if len(records):
            self._ended.append(copied(records))
            self._ended_rows += len(records)

    def _follow(self) -> None:
        if self._pipeline is not None and self._pipeline.generation != self._generation:
            self._generation = self._pipeline.generation
            self._forget()

    def make(
        self, capture: dict[str, Any], losses: dict[str, int], health: dict[str, Any], live: bool, up_to_now: bool
    ) -> dict[str, Any]:
        """The next snapshot. capture, losses, health: what the loop knows; live: the capture's clock is the wall clock; up_to_now: no
        packets wait that are older."""
        assert self._pipeline is not None, "watch() comes first"
        pipeline = self._pipeline
        self._follow()
        wall_ns = time.time_ns()
        pipeline.kernel_drops = losses.get("kernel_drops", 0)
        if up_to_now:
            pipeline.expire(wall_ns)
        closed = pipeline.close_tick()
        flows, deferred = self._changed_flows(closed)
        self._seq += 1
        return {
            "type": "snapshot",
            "seq": self._seq,
            "wall_ns": wall_ns,
            "now_ns": wall_ns if live else pipeline.clock_ns,
            "capture": capture,
            "totals": self._totals(),
            "rates": self._rates(),
            "layers": [list(row) for row in pipeline.counts.layers()],
            "sizes": [list(row) for row in pipeline.counts.sizes()],
            **self._top_lists(),
            "flows": flows,
            "flows_deferred": deferred,
            "flows_active": pipeline.table.active,
            **self._new_packets(),
            "series": self._series(live),
            **self._facts(),
            **self._alerts(),
            **self._cards(),
            "macs": pipeline.hardware.take_changed(),
            **self._entropy(),
            **(pipeline.owners.drain() if pipeline.owners is not None else {}),
            "losses": self._losses(losses),
            "latency": self._latency(),
            "store": self._stored(),
            "health": health,
        }

    def _changed_flows(self, closed: int) -> tuple[bytes, int]:
        """Ended flows first, then changed ones: a pass over the table that may take several ticks. Returns (FLOW rows, rows that had to wait)."""
        assert self._pipeline is not None
        ended = joined(self._ended) if self._ended else np.zeros(0, FLOW_DTYPE)
        now, later = ended[:MAX_FLOWS], ended[MAX_FLOWS:]
        self._ended = [later] if len(later) else []
        self._ended_rows = len(later)
        room = MAX_FLOWS - len(now)
        if room == 0:
            return now.tobytes(), len(later)
        if self._slot == 0:
            self._next_from = closed + 1
        rows, self._slot, waiting = self._pipeline.table.collect(self._pass_from, room, self._slot)
        if self._pipeline.watch is not None:
            self._pipeline.watch.fill(rows)
        if self._slot == 0:
            self._pass_from = self._next_from
        return now.tobytes() + rows.tobytes(), waiting

    def _totals(self) -> dict[str, Any]:
        assert self._pipeline is not None
        counts, table = self._pipeline.counts, self._pipeline.table
        return {
            "packets": counts.packets,
            "bytes": counts.bytes,
            "captured_bytes": counts.captured_bytes,
            "flows": table.created,
            "tcp_packets": table.tcp_packets,
            "tcp_retransmissions": table.tcp_retransmissions,
            "first_ns": counts.first_ns,
            "last_ns": counts.last_ns,
        }

    def _rates(self) -> dict[str, float]:
        assert self._pipeline is not None
        counts, table = self._pipeline.counts, self._pipeline.table
        now = time.monotonic()
        interval = max(now - self._time, 1e-3)
        rates = {
            "interval_s": round(interval, 3),
            "pps": (counts.packets - self._packets) / interval,
            "bps": (counts.bytes - self._bytes) * 8 / interval,
            "new_flows": (table.created - self._flows) / interval,
        }
        self._packets, self._bytes, self._flows, self._time = counts.packets, counts.bytes, table.created, now
        return rates

    def _top_lists(self) -> dict[str, list[Any]]:
        assert self._pipeline is not None
        rolls = self._pipeline.roll_ups
        return {
            "hosts": [[host_text(row[0], row[1]), *row[3:7]] for row in rolls.top_hosts(TOP).tolist()],
            "ports": [list(row) for row in rolls.top_ports(TOP)],
            "conversations": [
                [host_text(row[0], row[1]), host_text(row[2], row[3]), row[5], row[6]]
                for row in rolls.top_conversations(TOP).tolist()
            ],
        }

    def _new_packets(self) -> dict[str, Any]:
        if self._store is None:
            return {"packets": b"", "packets_skipped": 0}
        rows = self._store.newest(MAX_PACKETS, self._packet_id)
        seen = self._store.newest_id - self._packet_id
        self._packet_id = self._store.newest_id
        return {"packets": rows.tobytes(), "packets_skipped": max(seen - len(rows), 0)}

    def _facts(self) -> dict[str, Any]:
        """What inspectors found since the last snapshot: facts once, and flows with something new (docs/architecture.md)."""
        assert self._pipeline is not None
        insight = self._pipeline.insight
        if insight is None:
            return {}
        findings = insight.findings
        return {
            "dns": [dns_document(fact) for fact in findings.drain(findings.dns, MAX_FACTS)],
            "tls": [tls_document(hello, answer) for hello, answer in findings.take_hellos(MAX_FACTS)],
            "http": [http_document(fact) for fact in findings.drain(findings.http, MAX_FACTS)],
            "logins": [login_document(fact) for fact in findings.drain(findings.logins, MAX_FACTS)],
            "names": [host_document(fact) for fact in findings.drain(findings.hosts, MAX_FACTS)],
            "known": [[flow_id, *known_row(known)] for flow_id, known in findings.take_changed(MAX_KNOWN)],
            "insight": insight.state(),
        }

    def _entropy(self) -> dict[str, Any]:
        """Samples since the last snapshot, and how many slots are in use."""
        assert self._pipeline is not None
        watch = self._pipeline.watch
        return {} if watch is None else {"entropy": watch.rows(), "entropy_state": watch.statistics()}

    def _alerts(self) -> dict[str, Any]:
        """Alerts that are new or have a repeat, and how detection is."""
        assert self._pipeline is not None
        detection = self._pipeline.detection
        if detection is None:
            return {}
        changed = detection.folding.take_changed(MAX_ALERTS)
        said: dict[str, Any] = {"alerts": [alert_document(alert) for alert in changed], "detection": detection.state()}
        if self.evidence is not None:
            said["evidence"] = self.evidence.take()
            said["detection"]["evidence_lost"] = self.evidence.lost
        return said

    def _cards(self) -> dict[str, Any]:
        """Card numbers that were found or seen again, masked, and what was looked at."""
        assert self._pipeline is not None
        cards = self._pipeline.cards
        if cards is None:
            return {}
        found = [card_document(card) for card in cards.take_changed(MAX_CARDS)]
        return {"cards": found, "card_scan": cards.coverage()}

    def _series(self, live: bool) -> dict[str, bytes]:
        """Buckets that may have changed. A file's time can go anywhere within a tick, so all of its buckets are said."""
        assert self._pipeline is not None
        parts = {}
        for i, (step, _) in enumerate(RINGS):
            ring = self._pipeline.counts.rings[i]
            since = self._newest_bucket[i] - LATE_BUCKETS * step if live else 1
            changed = np.sort(ring[(ring["start"] >= max(since, 1))], order="start")
            if len(changed):
                self._newest_bucket[i] = int(changed["start"][-1])
            parts[str(step)] = changed.astype(BUCKET_DTYPE, copy=False).tobytes()
        return parts

    def _losses(self, losses: dict[str, int]) -> dict[str, Any]:
        assert self._pipeline is not None
        stored = self._store.statistics() if self._store is not None else {}
        return {
            **losses,
            "undecoded": self._pipeline.counts.undecoded(),
            "flows_evicted": self._pipeline.table.evicted,
            "ended_flows_lost": self.ended_lost,
            "hosts_evicted": self._pipeline.roll_ups.hosts_evicted,
            "conversations_evicted": self._pipeline.roll_ups.conversations_evicted,
            "packets_overwritten": stored.get("packets_overwritten") or 0,
        }

    def _latency(self) -> dict[str, Any]:
        """Of the last 1,024 TCP handshakes at most."""
        assert self._pipeline is not None
        samples = self._pipeline.table.handshake_rtts()
        if not len(samples):
            return {"rtt_ms_median": None, "rtt_ms_p95": None, "samples": 0}
        median, high = np.percentile(samples, (50, 95)) / 1e6
        return {
            "rtt_ms_median": round(float(median), 3),
            "rtt_ms_p95": round(float(high), 3),
            "samples": len(samples),
        }

    def _stored(self) -> dict[str, Any]:
        if self._store is None:
            return {"packets": 0, "bytes": 0, "capacity_bytes": 0, "oldest_ns": None}
        statistics = self._store.statistics()
        return {name: statistics[name] for name in ("packets", "bytes", "capacity_bytes", "oldest_ns")}
