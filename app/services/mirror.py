"""What the sensor last said: the web process's one picture of the capture, applied snapshot by snapshot.

One writer (the link reader), many readers. Readers get copies or objects that are never written again. A new capture,
told by the sensor's boot id and the capture's start time, empties flows, packets and rings; only totals of the new one remain.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.concurrency import shared_lock
from app.services.alert_mirror import AlertMirror
from app.services.card_mirror import CardMirror
from app.services.connection_rows import Rows
from app.services.entropy_mirror import EntropyMirror
from app.services.fact_documents import Fact
from app.services.fact_mirror import FactMirror
from app.services.flow_mirror import FlowMirror, FlowView
from app.services.host_table import HostTable
from app.services.owner_book import Process
from app.services.process_mirror import ProcessMirror
from app.services.time_rings import TimeRings
from app.wire.records import ENTROPY_DTYPE, FLOW_DTYPE, PACKET_ROW_DTYPE
from app.wire.row_copies import joined

SLICE: Final = 2_000  # flows that are taken over at once: about 10 ms
KEPT_PACKETS: Final = 2_000
KEPT_NOTICES: Final = 50

# What a snapshot carries besides the columns; taken over whole.
PLAIN_PARTS: Final = (
    "card_scan", "capture", "totals", "rates", "layers", "sizes", "hosts", "ports", "conversations", "losses",
    "latency", "store", "health", "insight", "entropy_state", "detection",
)  # fmt: skip


@dataclass(slots=True)
class SensorState:
    """How the sensor is. `state`: starting, connected, silent, restarting, gone."""

    state: str = "starting"
    pid: int | None = None
    boot: str | None = None
    since: float = field(default_factory=time.time)
    restarts: int = 0
    message: str | None = None


class Mirror:
    """Thread-safe; `changed` wakes whoever waits for the next snapshot or change of state."""

    def __init__(self) -> None:
        self._lock = shared_lock()  # some pages are made in real threads and read here
        self.changed = threading.Condition(self._lock)
        self.generation = 0  # grows with every change
        self.ended = False  # nobody wants it any more: who works for it in the background stops
        self.flows = FlowMirror()
        self.facts = FactMirror(self.flows)
        self.alerts = AlertMirror()
        self.processes = ProcessMirror(self.flows, self.facts)
        self.cards = CardMirror()
        self.rings = TimeRings()
        self.entropy = EntropyMirror()
        self.sensor = SensorState()
        self.progress: dict[str, Any] | None = None
        self.snapshots = 0
        self.snapshot_time = 0.0  # monotonic
        self.snapshot_boot: str | None = None  # of the sensor that sent the last snapshot
        self.malformed = 0
        self._parts: dict[str, Any] = {}
        self._identity: tuple[Any, ...] | None = None
        self.captures = 0  # captures seen so far; packet and flow numbers hold within one
        self._packets: deque[NDArray[np.void]] = deque()
        self._packets_kept = 0
        self.before_clear: Callable[[], None] = lambda: None  # a capture is about to be forgotten
        self._notices: deque[dict[str, Any]] = deque(maxlen=KEPT_NOTICES)
        self.notice_count = 0  # of all notices so far
        self.packets_skipped = 0
        self.flows_active = 0
        self.flows_deferred = 0
        self.now_ns = 0
        self.wall_ns = 0

    # -- writing: the link reader ------------------------------------------------------------------------------------

    def apply(self, snapshot: dict[str, Any]) -> None:
        """Takes over one snapshot, a piece after the other, so that a large one keeps nobody waiting: others may read between two of them, and are woken
        after the last. Parts of a wrong type are left out and counted in `malformed`."""
        pieces, last = self._pieces(snapshot), False
        while not last:
            time.sleep(0)  # whoever waits, first
            with self.changed:
                last = next(pieces, True)

    def _pieces(self, snapshot: dict[str, Any]) -> Iterator[bool]:
        """Each step, under the lock, takes over some of it; True with the last."""
        self._follow_capture(snapshot.get("capture"))
        for name in PLAIN_PARTS:
            part = snapshot.get(name)
            if isinstance(part, (dict, list)):
                self._parts[name] = part
        flows = self._columns(snapshot.get("flows"), FLOW_DTYPE)
        if flows is not None:
            for first in range(0, len(flows), SLICE):
                self.flows.apply(flows[first : first + SLICE])
                yield False
        for _ in self.facts.pieces(snapshot, _count(snapshot.get("now_ns"))):
            yield False
        self.alerts.apply(snapshot.get("alerts"))
        self.processes.apply(snapshot, self.sensor.boot)
        samples = self._columns(snapshot.get("entropy"), ENTROPY_DTYPE)
        if samples is not None:
            self.entropy.apply(samples)
        self.cards.apply(snapshot.get("cards"))
        packets = self._columns(snapshot.get("packets"), PACKET_ROW_DTYPE)
        if packets is not None and len(packets):
            self._keep_packets(packets)
        self._end_of(snapshot)
        self._notify()
        yield True

    def _end_of(self, snapshot: dict[str, Any]) -> None:
        """Curves and counts, after all rows."""
        series = snapshot.get("series")
        if isinstance(series, dict):
            self.rings.apply(series)
        self.packets_skipped += _count(snapshot.get("packets_skipped"))
        self.flows_active = _count(snapshot.get("flows_active"))
        self.flows_deferred = _count(snapshot.get("flows_deferred"))
        self.now_ns = _count(snapshot.get("now_ns"))
        self.wall_ns = _count(snapshot.get("wall_ns"))
        self.snapshots += 1
        self.snapshot_boot = self.sensor.boot
        if self.progress is not None and self.progress.get("task") == "kernels":
            self.progress = None  # a sensor that counts has compiled
        self.snapshot_time = time.monotonic()
        if self.sensor.state == "silent":
            self._set_sensor("connected", None)

    def add_alerts(self, documents: list[dict[str, Any]]) -> None:
        """Alerts that this process raised itself, with the keys of the sensor's."""
        with self.changed:
            self.alerts.apply(documents)
            self._notify()

    def hello(self, pid: int | None, boot: str | None) -> None:
        """A sensor has said hello."""
        with self.changed:
            if self.sensor.boot is not None:
                self.sensor.restarts += 1
            self.sensor.pid, self.sensor.boot = pid, boot
            self.snapshot_time = time.monotonic()
            self.progress = None
            self._set_sensor("connected", None)
            self._notify()

    def sensor_state(self, state: str, message: str | None) -> None:
        """The link reader saw the sensor go, stay silent, or refuse the version."""
        with self.changed:
            if (self.sensor.state, self.sensor.message) != (state, message):
                self._set_sensor(state, message)
                self._notify()

    def notice(self, level: str, text: str) -> dict[str, Any]:
        """Keeps something the user should know; returns it as it is shown."""
        entry = {"time_ns": time.time_ns(), "level": level, "text": text}
        with self.changed:
            self._notices.append(entry)
            self.notice_count += 1
            self._notify()
        return entry

    def end(self) -> None:
        """Stops those who work for it in the background."""
        with self.changed:
            self.ended = True
            self._notify()

    def nudge(self) -> None:
        """Wakes whoever waits for a change: somebody new wants to see what there is."""
        with self.changed:
            self._notify()

    def set_progress(self, message: dict[str, Any]) -> None:
        with self.changed:
            self.progress = message
            self._notify()

    def own_addresses(self, addresses: list[tuple[int, int]]) -> None:
        with self.changed:
            self.flows.own_addresses(addresses)

    def place_hosts(self, hosts: HostTable, first: int, rows: NDArray[np.void]) -> None:
        """More is known of the hosts from number `first` on (HOST_DTYPE); nothing happens where another table has taken their place."""
        with self.changed:
            if hosts is not self.flows.hosts:
                return
            last = first + len(rows)
            hosts.rows[first:last] = rows
            hosts.looked_up = max(hosts.looked_up, last)
            self.flows.touch_hosts(first, last)

    def learn_names(self, names: dict[str, str]) -> None:
        """address → name that reverse DNS gave."""
        with self.changed:
            book = self.facts.facts.names
            for address, name in names.items():
                book.learn_reverse(address, name, self.now_ns)
            self.flows.touch_addresses(book.take_changed())
            self._notify()

    def learn_pings(self, hosts: HostTable, milliseconds: dict[int, float]) -> None:
        """Number in `hosts` → round trip; nothing happens where another table has taken their place."""
        with self.changed:
            if hosts is not self.flows.hosts:
                return
            for number, ms in milliseconds.items():
                hosts.rows["ping_ms"][number] = ms
                self.flows.touch_hosts(number, number + 1)
            self._notify()

    # -- reading -----------------------------------------------------------------------------------------------------

    def wait(self, generation: int, timeout: float) -> int:
        """Returns as soon as something changed after `generation`, at the latest after `timeout` seconds."""
        with self.changed:
            if self.generation == generation:
                self.changed.wait(timeout)
            return self.generation

    @property
    def sensor_ready(self) -> bool:
        """The sensor that is connected has sent a snapshot: its kernels are compiled and it takes commands."""
        return self.sensor.boot is not None and self.snapshot_boot == self.sensor.boot

    def wait_ready(self, boot: str | None) -> bool:
        """Waits until the sensor of that boot is ready; False when it has gone first."""
        with self.changed:
            while self.sensor.boot == boot and self.sensor.state in ("connected", "silent"):
                if self.sensor_ready:
                    return True
                self.changed.wait(1.0)
        return False

    def own_keys(self) -> frozenset[tuple[int, int]]:
        """This machine's addresses as halves."""
        with self._lock:
            return frozenset(self.flows.own)

    def flow_view(self) -> FlowView:
        with self._lock:
            return self.flows.view()

    def newest_facts(self, kind: str) -> list[Fact]:
        """Facts of a kind (dns, tls, http, logins), newest first."""
        with self._lock:
            return self.facts.newest_first(kind)

    # -- for the history ---------------------------------------------------------------------------------------------

    def ended_rows(self, data: Any, interfaces: list[str]) -> Rows | None:
        """Flows that ended in a snapshot (its `flows`), with what is known beside them; None where none did."""
        if not isinstance(data, bytes) or len(data) % FLOW_DTYPE.itemsize:
            return None
        flows = np.frombuffer(data, FLOW_DTYPE)
        flows = flows[(flows["ended"] != 0) & (flows["flow_id"] != 0)]
        if not len(flows):
            return None
        with self._lock:
            return Rows(flows, self.flows.derived_of(flows), interfaces, self.facts.facts, self.flows.hosts)

    def active_rows(self, begun_before_ns: int, interfaces: list[str]) -> Rows | None:
        """Flows that have not ended and began before a time (0: all of them)."""
        view = self.flow_view()
        chosen = view.flows["ended"] == 0
        if begun_before_ns:
            chosen &= view.flows["start"] <= begun_before_ns
        places = np.flatnonzero(chosen)
        return Rows.of(view, places, interfaces) if len(places) else None

    def facts_after(self, kind: str, number: int) -> tuple[list[Fact], int]:
        """Facts of a kind with a larger number, oldest first, and how many of those are no longer held."""
        with self._lock:
            return self.facts.after(kind, number)

    def alerts_after(self, number: int) -> list[Fact]:
        """Alerts of which something was said after that number."""
        return [fact for fact in self.newest_alerts() if fact.number > number]

    def processes_after(self, number: int) -> list[Process]:
        """Programs at work that the sensor described after that number, in the order of their numbers."""
        with self._lock:
            return sorted(one for one in self.processes.records.values() if one.number > number)

    def newest_alerts(self) -> list[Fact]:
        """Alerts, the one seen last first."""
        with self._lock:
            return self.alerts.newest_first()

    def entropy_rows(self) -> NDArray[np.void]:
        """The newest ENTROPY row of each flow that is kept."""
        with self._lock:
            return self.entropy.rows()

    def entropy_series(self, flow_ids: list[int]) -> dict[int, NDArray[np.void]]:
        with self._lock:
            return self.entropy.series(flow_ids)

    def take_unlogged_entropy(self) -> list[NDArray[np.void]]:
        with self._lock:
            return self.entropy.take_unlogged()

    def newest_cards(self) -> list[Fact]:
        """Card numbers that were found, the newest first."""
        with self._lock:
            return self.cards.newest_first()

    def packets(self) -> NDArray[np.void]:
        """The packets of the last ticks (PACKET_ROW), oldest first."""
        with self._lock:
            parts = list(self._packets)
        return joined(parts) if parts else np.zeros(0, PACKET_ROW_DTYPE)

    def part(self, name: str) -> Any:
        """One plain part of the last snapshot, {} or [] if there was none. Not to be changed."""
        with self._lock:
            return self._parts.get(name, [] if name in ("layers", "sizes", "hosts", "ports", "conversations") else {})

    def notices_since(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """How many notices there were in all, and those after the first `number` that are still kept."""
        with self._lock:
            fresh = min(self.notice_count - number, len(self._notices))
            return self.notice_count, list(self._notices)[len(self._notices) - fresh :] if fresh > 0 else []

    def buckets(self, step: int, first: int, last: int) -> NDArray[np.void]:
        with self._lock:
            return self.rings.between(step, first, last)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _follow_capture(self, capture: Any) -> None:
        if not isinstance(capture, dict):
            return
        identity = (self.sensor.boot, capture.get("source"), capture.get("started_ns"), capture.get("file"))
        if not capture.get("started_ns") or identity == self._identity:
            return
        self.before_clear()
        self._identity = identity
        self.captures += 1
        self.flows.clear()
        self.facts.clear()
        self.alerts.clear()
        self.processes.clear()
        self.cards.clear()
        self.rings.clear()
        self.entropy.clear()
        self._packets.clear()
        self._packets_kept = 0
        self.packets_skipped = 0
        self._parts.clear()

    def _columns(self, data: Any, dtype: np.dtype[Any]) -> NDArray[np.void] | None:
        if not isinstance(data, bytes) or len(data) % dtype.itemsize:
            self.malformed += data is not None
            return None
        return np.frombuffer(data, dtype)

    def _keep_packets(self, packets: NDArray[np.void]) -> None:
        packets = packets[-KEPT_PACKETS:]
        self._packets.append(packets)
        self._packets_kept += len(packets)
        while self._packets_kept - len(self._packets[0]) >= KEPT_PACKETS:
            self._packets_kept -= len(self._packets.popleft())

    def _set_sensor(self, state: str, message: str | None) -> None:
        self.sensor.state, self.sensor.message, self.sensor.since = state, message, time.time()

    def _notify(self) -> None:
        self.generation += 1
        self.changed.notify_all()


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
