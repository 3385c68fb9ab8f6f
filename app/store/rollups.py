"""Roll-ups: sums of flows by segment of time and by group, so that a question over everything reads some hundred thousand rows in place of many millions.

A segment is a part of time in which about SEGMENT_ROWS stretches ended; it begins where the one before ends, and is summed up a while after it is over. A stretch belongs to the
segment that its end lies in. One that is told of later is added to its segment as a row of sums of its own: sums are summed once more when they are asked for, so they
are exact at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.store.layout import FLOW_TEXTS
from app.store.reading_groups import GROUPS, of_end

if TYPE_CHECKING:
    import duckdb

SEGMENT_ROWS: Final = 200_000
MINUTE_NS: Final = 60_000_000_000
GRACE_NS: Final = 10 * MINUTE_NS  # a flow that times out is told of long after its last packet

_BYTES: Final = "sum(src_bytes + dst_bytes)::UBIGINT"
_SENT: Final = f"sum({of_end('bytes', True)})::UBIGINT"
_PACKETS: Final = "sum(src_packets + dst_packets)::UBIGINT"
_TOTALS: Final = (
    f"{_BYTES} AS traffic, {_SENT} AS sent, {_PACKETS} AS packets, count(*) FILTER (stretch = 0) AS flows, count(*) AS stretches, "
    'min(since) AS since, max("end") AS until'
)
TOTAL_COLUMNS: Final = (
    ("traffic", "UBIGINT"), ("sent", "UBIGINT"), ("packets", "UBIGINT"), ("flows", "UBIGINT"), ("stretches", "UBIGINT"),
    ("since", "BIGINT"), ("until", "BIGINT"),
)  # fmt: skip
GROUP_COLUMNS: Final = (("traffic", "UBIGINT"), ("packets", "UBIGINT"), ("stretches", "UBIGINT"))


TOTALS: Final = "rolled_totals"


def table_of(group: str) -> str:
    """Where the sums of a group are: `segment`, its keys as `k0`, `k1` …, `traffic`, `packets`, `stretches`."""
    return f"rolled_{group}"


def tables() -> dict[str, tuple[tuple[str, str], ...]]:
    """The tables of sums with their columns and types; `segment` first."""
    found: dict[str, tuple[tuple[str, str], ...]] = {TOTALS: (("segment", "UINTEGER"), *TOTAL_COLUMNS)}
    for name, keys in GROUPS.items():
        columns = ((f"k{i}", key.sql_type) for i, key in enumerate(keys))
        found[table_of(name)] = (("segment", "UINTEGER"), *columns, *GROUP_COLUMNS)
    return found


def names_of(group: str) -> str:
    """The keys of a group in its table."""
    return ", ".join(f"k{i}" for i in range(len(GROUPS[group])))


def _keys(group: str) -> str:
    return ", ".join(f"{key.expression} AS k{i}" for i, key in enumerate(GROUPS[group]))


def group_keys(group: str, source: str) -> str:
    """The SELECT of a group's keys over `source` (rows of flows), each once."""
    return f"SELECT DISTINCT {_keys(group)} FROM {source}"


def group_sums(group: str, source: str, segment: str = "") -> str:
    """The SELECT of a group's keys and sums over `source`; `segment`: a column that is a key as well."""
    return (
        f"SELECT {_and(segment)}{_keys(group)}, {_BYTES} AS traffic, {_PACKETS} AS packets, count(*) AS stretches FROM {source} "
        f"GROUP BY {_and(segment)}{names_of(group)}"
    )


def total_sums(source: str, segment: str = "") -> str:
    """The SELECT of TOTAL_COLUMNS over `source`; sums of no rows are NULL."""
    return f"SELECT {_and(segment)}{_TOTALS} FROM {source}" + (f" GROUP BY {segment}" if segment else "")


def _and(segment: str) -> str:
    return f"{segment}, " if segment else ""


@dataclass(frozen=True, slots=True)
class Cover:
    """Segments that lie within a time, by number: they hold what ended after `after_ns` and not after `until_ns`."""

    first: int
    last: int
    after_ns: int
    until_ns: int

    @property
    def condition(self) -> str:
        """Over a table of sums."""
        return f"segment BETWEEN {self.first} AND {self.last}"

    def outside(self) -> tuple[str, str]:
        """Over flows: what ended before these segments, and after them."""
        return f'"end" <= {self.after_ns}', f'"end" > {self.until_ns}'


def cover(connection: duckdb.DuckDBPyConnection, first_ns: int, last_ns: int) -> Cover | None:
    """The segments that lie within a time, both ends included; None where none does."""
    ((first, last, after, until),) = connection.execute(
        "SELECT min(segment), max(segment), min(after_ns), max(until_ns) FROM segments "
        f"WHERE after_ns >= {first_ns - 1} AND until_ns <= {last_ns}"
    ).fetchall()
    return None if first is None else Cover(int(first), int(last), int(after), int(until))


class Rollups:
    """Keeps the sums of one database. Raises what DuckDB raises."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.forget()

    def forget(self) -> None:
        """After a transaction that failed, or a change of the tables: looks again how things stand."""
        ((after, until, number),) = self._ask(
            "SELECT min(after_ns), coalesce(max(until_ns), -1), coalesce(max(segment), 0) FROM segments"
        )
        self._after: int | None = None if after is None else int(after)
        self._until, self._number = int(until), int(number)
        ((waiting,),) = self._ask(f'SELECT count(*) FROM flows WHERE "end" > {self._until}')
        self._waiting = int(waiting)
        self._planned: list[int] = []  # where the next segments end

    def add(self, rows: int, oldest_end_ns: int, columns: Collection[str]) -> None:
        """Within the transaction of a batch, whose flows are there as `batch` with these columns: those that ended in a segment which is summed up are
        added to its sums."""
        self._waiting += rows  # some of them too many; the next plan counts anew
        if self._after is None or oldest_end_ns > self._until:
            return
        if oldest_end_ns <= self._after:
            self._after = oldest_end_ns - 1
            self._ask(
                "UPDATE segments SET after_ns = ? WHERE segment = (SELECT min(segment) FROM segments)", [self._after]
            )
        untold = "".join(f", NULL AS {name}" for name in FLOW_TEXTS if name not in columns)
        self._insert(
            f'(SELECT batch.*, segment{untold} FROM batch JOIN segments ON batch."end" > after_ns AND batch."end" <= until_ns)'
        )

    def roll(self) -> bool:
        """Sums up the oldest part of time that is over and was not yet; whether there was one. A transaction of its own."""
        if self._waiting < SEGMENT_ROWS or not (self._planned or self._plan()):
            return False
        until, number = self._planned.pop(0), self._number + 1
        try:
            self._ask("BEGIN")
            rows = self._sum_up(number, self._until, until)
            if self._after is None:
                ((oldest,),) = self._ask('SELECT min("end") FROM flows')
                self._after = int(oldest) - 1
            self._ask("INSERT INTO segments VALUES (?, ?, ?)", [number, max(self._until, self._after), until])
            self._ask("COMMIT")
        except BaseException:
            self._ask("ROLLBACK")
            self.forget()
            raise
        self._until, self._number = until, number
        self._waiting -= rows
        return True

    def cut(self, ns: int) -> None:
        """Within the transaction that deletes flows that ended before `ns`: sums say what is left."""
        gone = self._ask(f"SELECT segment, until_ns FROM segments WHERE after_ns < {ns - 1}")
        if not gone:
            return
        listed = ", ".join(str(segment) for segment, _ in gone)
        for table in ("segments", *tables()):
            self._ask(f"DELETE FROM {table} WHERE segment IN ({listed})")
        segment, until = max(gone)
        if until >= ns:
            self._sum_up(segment, ns - 1, until)
            self._ask("INSERT INTO segments VALUES (?, ?, ?)", [segment, ns - 1, until])

    # -- inside --------------------------------------------------------------------------------------------------------

    def _plan(self) -> bool:
        """Where the next segments end: on minutes, once enough rows have ended between; whether there is one."""
        minutes = self._ask(
            f'SELECT "end" // {MINUTE_NS} AS minute, count(*) FROM flows WHERE "end" > {self._until} GROUP BY minute ORDER BY minute'
        )
        self._waiting = sum(count for _, count in minutes)
        over = minutes[-1][0] - GRACE_NS // MINUTE_NS if minutes else 0
        rows = 0
        for minute, count in minutes:
            rows += count
            if rows >= SEGMENT_ROWS and minute < over:
                self._planned.append((minute + 1) * MINUTE_NS - 1)
                rows = 0
        if not self._planned:  # nobody asks again before there is more
            self._waiting = min(self._waiting, SEGMENT_ROWS - SEGMENT_ROWS // 10)
        return bool(self._planned)

    def _sum_up(self, number: int, after: int, until: int) -> int:
        """Puts the sums of one segment into the tables; how many rows they are of."""
        source = f'(SELECT *, {number} AS segment FROM flows WHERE "end" > {after} AND "end" <= {until})'
        self._insert(source)
        ((rows,),) = self._ask(f"SELECT coalesce(sum(stretches), 0)::BIGINT FROM {TOTALS} WHERE segment = {number}")
        return int(rows)

    def _insert(self, source: str) -> None:
        self._ask(f"INSERT INTO {TOTALS} {total_sums(source, 'segment')}")
        for group in GROUPS:
            self._ask(f"INSERT INTO {table_of(group)} {group_sums(group, source, 'segment')}")

    def _ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()
