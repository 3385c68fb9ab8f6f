"""Samples of entropy to rows for the web process, and to notes for the detectors. Work per tick is bounded by the slots.

What a flow speaks is often known a moment after its first bytes, so a sample that does not fit the expectations waits two seconds of the capture's clock (or for
the end of the capture) before it is judged.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.flow.flow_entropy import EntropySettings, FlowEntropy, Samples
from app.flow.table import FlowTable
from app.model.entropy import (
    ALERT_DROP,
    ALERT_MISMATCH,
    ALERT_SPIKE,
    COMPRESSED,
    ENCRYPTED,
    ENTROPY_ENDED,
    HIGH,
    TEXT,
    VERDICTS,
)
from app.sensor.entropy_rows import measured_rows, side
from app.stats import entropy_expectation as expect
from app.stats import entropy_layout as at
from app.stats.entropy_note import EntropyNote
from app.wire.row_copies import chosen as chosen_rows
from app.wire.row_copies import joined

SECOND: Final = 1_000_000_000
PATIENCE_NS: Final = 2 * SECOND
BATCH: Final = 2048  # samples that wait before they are looked at between two ticks
MOST_ROWS: Final = 20_000  # that wait for a snapshot
MOST_CANDIDATES: Final = 4_096
MOST_TOLD: Final = 16_384  # flows whose alerts are remembered


class Known(Protocol):
    """What is known of a flow."""

    app: str | None
    app_source: str | None
    protocol: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample that may not fit, until it is judged."""

    due_ns: int
    ids: tuple[int, ...]
    sides: tuple[expect.Side, expect.Side]


def _nobody(note: EntropyNote) -> None:
    """There are no detectors."""


class EntropyWatch:
    """`begin` a capture; then `take` blocks, `ended` records, `close_tick`, `finish`; `rows` are for the snapshot."""

    def __init__(self, settings: EntropySettings, rows: bool = True) -> None:
        self._settings = settings
        self._wants_rows = rows
        self.last: dict[int, np.void] | None = None if rows else {}  # a file: each flow's last row, by flow id

    def begin(
        self,
        capacity: int,
        known: Callable[[int], Known | None],
        say: Callable[[EntropyNote], object] = _nobody,
    ) -> None:
        """A new capture over a flow table of `capacity` rows. `say` hears what detectors may want to tell."""
        self.slots = FlowEntropy(self._settings, capacity)
        self.learnt = expect.LearntRanges()
        self.rows_lost = 0
        self._known, self._say = known, say
        self._rows: list[NDArray[np.void]] = []
        self._rows_waiting = 0
        self._candidates: deque[Candidate] = deque()
        self._told: OrderedDict[int, int] = OrderedDict()  # flow id → alert bits
        self._settled: set[int] = (
            set()
        )  # of a file: flows of which only a change can say more, for they are what they may be
        self._unsaid: dict[int, list[int]] = {}  # of a file: ports and kind of flows whose row is not complete
        if self.last is not None:
            self.last.clear()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def take(
        self, data: NDArray[np.uint8], packets: NDArray[np.void], flow_ids: NDArray[np.uint64], table: FlowTable
    ) -> None:
        """A decoded block that went through the flow table."""
        self.slots.add(data, packets, flow_ids, table)
        table.drain()  # flows that ended in this block have all their bytes now
        if self.slots.samples_waiting >= BATCH:
            self._look()

    def ended(self, records: NDArray[np.void]) -> None:
        """Flows that end; their entropies go into the records."""
        self.slots.ended(records)

    def fill(self, records: NDArray[np.void]) -> None:
        """Write the entropies of active flows into their records."""
        self.slots.fill(records)

    def close_tick(self, now_ns: int, table: FlowTable) -> None:
        """A second is over."""
        self.slots.settle(now_ns)
        self.slots.free_forgotten(table)
        self._look()
        self._release(now_ns)

    def finish(self) -> None:
        """The capture is over: everything is judged."""
        self._look()
        self._release(None)
        self._say_expected()

    def rows(self) -> bytes:
        """ENTROPY rows since the last call, oldest first."""
        taken, self._rows, self._rows_waiting = self._rows, [], 0
        return joined(taken).tobytes() if taken else b""

    def statistics(self) -> dict[str, Any]:
        """Slots and losses, for the snapshot."""
        counted = self.slots.statistics()
        return {**counted, "samples_lost": counted["samples_lost"] + self.rows_lost}

    # -- samples --------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        taken = self.slots.take_samples()
        if taken:
            ids, values = ([getattr(one, name) for one in taken] for name in ("ids", "values"))
            self._look_at(Samples(np.concatenate(ids), np.concatenate(values)))

    def _look_at(self, samples: Samples) -> None:
        rows = measured_rows(samples)
        odd = self._odd(rows, samples)
        if self.last is not None:  # a file: only the last row of a flow is wanted, and what may not fit
            flow_ids = samples.ids[:, at.I_FLOW].tolist()
            settled = np.fromiter(map(self._settled.__contains__, flow_ids), np.bool_, len(flow_ids))
            chosen = (odd & ~settled) | (samples.ids[:, at.I_FLAGS] != 0)
            self._put_off(samples.ids[~chosen], chosen_rows(rows, ~chosen))
            samples, rows, odd = (
                Samples(samples.ids[chosen], samples.values[chosen]),
                chosen_rows(rows, chosen),
                odd[chosen],
            )
        count = len(rows)
        limits = np.full((count, 2), np.nan)
        known = np.zeros(count, np.bool_)
        lives = [(rows[f"{end}_life_bytes"].tolist(), rows[f"{end}_life"].tolist()) for end in ("src", "dst")]
        ids = samples.ids[:, [at.I_FLOW, at.I_FLAGS, at.I_ENDS + 4, at.I_ENDS + 5]].tolist()
        for n, ((flow_id, flags, ports, kind), is_odd) in enumerate(zip(ids, odd.tolist(), strict=True)):
            protocol, port = kind & 0xFF, ports & 0xFFFF
            spoken = self._spoken(flow_id)
            table_row = expect.expectation(protocol, port, spoken)
            usual = expect.expected_range(table_row, self.learnt.range(protocol, port))
            if usual is not None:
                limits[n] = usual
            known[n] = self._sealed(table_row, spoken)
            if self.last is not None and not flags and (known[n] or (table_row and table_row.kind == expect.MIXED)):
                self._settled.add(flow_id)
            elif is_odd:
                self._note_odd(samples, rows, n, spoken, table_row, usual)
            if flow_id in self._told:
                rows["alert"][n] |= self._told[flow_id] & ALERT_MISMATCH
            if flags & at.ENDED:
                for sizes, values in lives:
                    if sizes[n] >= expect.LEAST_TEXT:
                        self.learnt.learn(protocol, port, values[n])
        for end in ("src", "dst"):
            rows[f"{end}_expected_low"], rows[f"{end}_expected_high"] = limits[:, 0], limits[:, 1]
            for name in (f"{end}_verdict", f"{end}_life_verdict"):  # the protocol says which
                rows[name][known & ((rows[name] == COMPRESSED) | (rows[name] == HIGH))] = ENCRYPTED
        rows["flags"][samples.ids[:, at.I_FLAGS] & at.ENDED != 0] = ENTROPY_ENDED
        if self.last is not None:
            self.last.update(zip(samples.ids[:, at.I_FLOW].tolist(), rows, strict=True))
        if self._wants_rows:
            self._keep(rows)

    def _put_off(self, ids: NDArray[np.int64], rows: NDArray[np.void]) -> None:
        """Rows that are the last of their flows only where another flow takes the slot: what was expected of them is said at the end."""
        assert self.last is not None
        flows = ids[:, at.I_FLOW].tolist()
        self.last.update(zip(flows, rows, strict=True))
        self._unsaid.update(zip(flows, ids[:, [at.I_ENDS + 4, at.I_ENDS + 5]].tolist(), strict=True))

    def _say_expected(self) -> None:
        """What was expected of the rows that were put off and stayed."""
        for flow_id, (ports, kind) in self._unsaid.items():
            row = self.last[flow_id] if self.last is not None else None
            if row is None or row["flags"] & ENTROPY_ENDED:
                continue
            protocol, port = kind & 0xFF, ports & 0xFFFF
            spoken = self._spoken(flow_id)
            table_row = expect.expectation(protocol, port, spoken)
            usual = expect.expected_range(table_row, self.learnt.range(protocol, port))
            row["alert"] |= self._told.get(flow_id, 0) & ALERT_MISMATCH
            for end in ("src", "dst"):
                row[f"{end}_expected_low"], row[f"{end}_expected_high"] = usual or (math.nan, math.nan)
                for name in (f"{end}_verdict", f"{end}_life_verdict"):
                    if row[name] in (COMPRESSED, HIGH) and self._sealed(table_row, spoken):
                        row[name] = ENCRYPTED
        self._unsaid.clear()

    @staticmethod
    def _sealed(table_row: expect.Expectation | None, spoken: str | None) -> bool:
        """Whether the protocol says that all is encrypted."""
        return table_row is not None and table_row.kind == expect.SEALED and spoken in table_row.spoken

    @staticmethod
    def _odd(rows: NDArray[np.void], samples: Samples) -> NDArray[np.bool_]:
        """The samples that some rule may say something of: it is asked about no others."""
        odd = np.asarray(samples.ids[:, at.I_FLAGS] & ~at.ENDED != 0, np.bool_)
        for end in ("src", "dst"):
            for low, size in ((f"{end}_life_low", f"{end}_life_bytes"), (f"{end}_low", f"{end}_bytes")):
                odd |= (rows[size] >= expect.LEAST_BYTES) & (rows[low] >= expect.RANDOM_BITS)
            odd |= (rows[f"{end}_life_verdict"] == TEXT) & (rows[f"{end}_life_bytes"] >= expect.LEAST_TEXT)
        return odd

    def _note_odd(
        self,
        samples: Samples,
        rows: NDArray[np.void],
        n: int,
        spoken: str | None,
        table_row: expect.Expectation | None,
        usual: tuple[float, float] | None,
    ) -> None:
        if table_row is not None and table_row.kind == expect.MIXED:
            return
        ids = samples.ids[n].tolist()
        changed = ids[at.I_FLAGS] & ~at.ENDED != 0
        if not changed and (
            self._told.get(ids[at.I_FLOW], 0) & ALERT_MISMATCH or not self._worth(ids, spoken, table_row)
        ):
            return
        row = rows[n]
        sides = (side(row, "src", samples, n, 0), side(row, "dst", samples, n, 1))
        if changed:
            rows["alert"][n] = self._changes(ids, sides, table_row, usual, spoken)
        if self._may_not_fit(ids, sides, table_row, spoken) and len(self._candidates) < MOST_CANDIDATES:
            self._candidates.append(Candidate(ids[at.I_TIME] + PATIENCE_NS, tuple(ids), sides))

    @staticmethod
    def _worth(ids: list[int], spoken: str | None, table_row: expect.Expectation | None) -> bool:
        """Whether a rule about whole flows applies to this one at all."""
        if table_row is not None and (table_row.kind == expect.PLAIN or spoken not in table_row.spoken):
            return True
        kind = ids[at.I_ENDS + 5]
        return spoken is None and kind & 0xFF == 6 and bool(kind & at.CERTAIN)

    def _spoken(self, flow_id: int) -> str | None:
        known = self._known(flow_id)
        if known is None:
            return None
        if known.protocol:
            return known.protocol.lower()
        if known.app and known.app_source != "port" and known.app.lower() != "unknown":
            return known.app.partition(".")[0].lower()
        return None

    def _changes(
        self,
        ids: list[int],
        sides: tuple[expect.Side, expect.Side],
        table_row: expect.Expectation | None,
        expected: tuple[float, float] | None,
        spoken: str | None,
    ) -> int:
        """Spikes and drops are judged at once; returns alert bits."""
        bits = 0
        for direction, one in enumerate(sides):
            flags = ids[at.I_FLAGS] >> at.FLAG_BITS * direction
            if flags & (at.SPIKE | at.DROP) and expect.change_matters(one, table_row, expected):
                bit = ALERT_SPIKE if flags & at.SPIKE else ALERT_DROP
                if not self._told.get(ids[at.I_FLOW], 0) & bit:
                    name = "spike" if flags & at.SPIKE else "drop"
                    found = expect.Mismatch(name, direction, one.quarter, one.level)
                    self._tell(ids, sides, found, table_row, spoken)
                bits |= bit
        return bits

    @staticmethod
    def _may_not_fit(
        ids: list[int],
        sides: tuple[expect.Side, expect.Side],
        table_row: expect.Expectation | None,
        spoken: str | None,
    ) -> bool:
        """Whether a sample deserves a second look, when more may be known of what is spoken."""
        if table_row is not None and table_row.kind == expect.MIXED:
            return False
        flags = ids[at.I_FLAGS]
        if (flags | flags >> at.FLAG_BITS) & at.FELL:
            return True
        if table_row is not None and table_row.kind == expect.SEALED and expect.plaintext(sides, table_row, spoken):
            return True
        plain = table_row is not None and table_row.kind == expect.PLAIN
        return (plain or spoken is None) and any(expect.is_random(one) for one in sides)

    # -- judgement ------------------------------------------------------------------------------------------------------

    def _release(self, now_ns: int | None) -> None:
        while self._candidates and (now_ns is None or self._candidates[0].due_ns <= now_ns):
            self._judge(self._candidates.popleft())

    def _judge(self, candidate: Candidate) -> None:
        ids, sides = list(candidate.ids), candidate.sides
        flow_id, kind = ids[at.I_FLOW], ids[at.I_ENDS + 5]
        if self._told.get(flow_id, 0) & ALERT_MISMATCH:
            return
        spoken = self._spoken(flow_id)
        ports = ids[at.I_ENDS + 4]
        row = expect.expectation(kind & 0xFF, ports & 0xFFFF, spoken)
        flags = ids[at.I_FLAGS]
        heads = (ids[at.I_HEADS], ids[at.I_HEADS + 1])
        fallen = (bool(flags & at.FELL), bool(flags >> at.FLAG_BITS & at.FELL))
        found = (
            expect.plaintext(sides, row, spoken)
            or expect.random_bytes(sides, row, spoken, (ports >> 16, ports & 0xFFFF), heads)
            or expect.fell(sides, fallen, row)
            or expect.no_handshake(sides, row, spoken, kind & 0xFF == 6, bool(kind & at.CERTAIN), heads)
        )
        if found is not None:
            self._tell(ids, sides, found, row, spoken)

    def _tell(
        self,
        ids: list[int],
        sides: tuple[expect.Side, expect.Side],
        found: expect.Mismatch,
        table_row: expect.Expectation | None,
        spoken: str | None,
    ) -> None:
        flow_id, ends, one = ids[at.I_FLOW], ids[at.I_ENDS :], sides[found.direction]
        bit = {"spike": ALERT_SPIKE, "drop": ALERT_DROP}.get(found.what, ALERT_MISMATCH)
        self._told[flow_id] = self._told.pop(flow_id, 0) | bit
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)
        whole = found.what in ("plaintext", "random", "no_handshake")
        self._say(
            EntropyNote(
                what=found.what,
                flow_id=flow_id,
                ts=ids[at.I_TIME],
                source=(ends[0] & _WORD, ends[1] & _WORD),
                source_port=ends[4] >> 16,
                target=(ends[2] & _WORD, ends[3] & _WORD),
                target_port=ends[4] & 0xFFFF,
                protocol=ends[5] & 0xFF,
                direction=found.direction,
                measured=found.measured,
                limit=found.limit,
                low=one.life_low if whole else one.low,
                high=one.life_high if whole else one.high,
                bytes=one.life_bytes if whole else one.bytes,
                verdict=VERDICTS[one.life_verdict if whole else one.verdict],
                expected=table_row.name if table_row else None,
                spoken=spoken,
                ratio=self._settings.ratio,
            )
        )

    def _keep(self, rows: NDArray[np.void]) -> None:
        if self._rows_waiting + len(rows) > MOST_ROWS:
            self.rows_lost += len(rows)
            return
        self._rows.append(rows)
        self._rows_waiting += len(rows)


_WORD: Final = (1 << 64) - 1
