"""Questions to history, each answered from SQL with what the user wrote as parameters: pages of flows and facts, top lists, series, totals.

A page's rows are found by number first and read whole afterwards, so that ordering millions of stretches touches one column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np

from app.store.conditions import Sql, condition
from app.store.fields import FIELDS, PLACES
from app.store.layout import (
    DOCUMENTS,
    FACTS,
    FLOW_DTYPE,
    FLOW_INTEGERS,
    FLOW_NUMBERS,
    FLOW_TEXTS,
    MINUTE_COUNTERS,
    WHOLE,
)
from app.store.rollups import TOTAL_COLUMNS, TOTALS, cover, group_keys, group_sums, names_of, table_of, total_sums
from app.store.schema import quoted
from app.wire.filter import Query, parse
from app.wire.filter_facets import AddressFacet

_NUMBERS: Final = tuple(name for name, _, _ in FLOW_NUMBERS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question is about. Times in ns, both included; a stretch belongs to a time when it overlaps it."""

    q: str = ""
    first_ns: int = 0
    last_ns: int = (1 << 63) - 1
    now_ns: int = 0

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Wanted:
        last = message.get("last_ns")
        return cls(
            str(message.get("q") or ""),
            int(message.get("first_ns") or 0),
            (1 << 63) - 1 if last is None else int(last),
            int(message.get("now_ns") or 0),
        )


class Reader:
    """Answers. Raises what DuckDB and the query language raise."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def flows(
        self, wanted: Wanted, limit: int, before: tuple[int, int] | None, offset: int, count: bool
    ) -> dict[str, Any]:
        """`{flows (FLOW_DTYPE as bytes), texts {key: list}, runs, before, total}`, newest end first unless the query sorts; `before` of the answer
        goes on behind the last row, None at the end or where the query sorts."""
        query = parse(wanted.q, FIELDS["flows"])
        found = self._flow_condition(query, wanted)
        places = found
        if before is not None and not query.sort_keys:
            end, row = before
            places = Sql(f'({found.text}) AND ("end" < {end} OR ("end" = {end} AND rowid < {row}))', found.values)
        order = self._order(query, "flows", '"end" DESC, rowid DESC')
        numbers = self._connection.execute(
            f"SELECT rowid, \"end\" FROM flows WHERE {places.text} ORDER BY {order} LIMIT {limit + 1} OFFSET {offset}", places.values
        ).fetchall()  # fmt: skip
        shown, more = numbers[:limit], len(numbers) > limit
        answer = self._rows([number for number, _ in shown])
        goes_on = more and not query.sort_keys
        answer["before"] = [shown[-1][1], shown[-1][0]] if goes_on else None
        answer["more"] = more
        answer["total"] = self._count("flows", found) if count else None
        return answer

    def _rows(self, numbers: Sequence[int]) -> dict[str, Any]:
        """The stretches of these row numbers, in that order."""
        place = {number: i for i, number in enumerate(numbers)}
        wanted = ", ".join(map(quoted, (*_NUMBERS, *FLOW_TEXTS, *FLOW_INTEGERS)))
        listed = ", ".join(map(str, sorted(numbers))) or "-1"
        columns = self._connection.execute(  # a join: for a list after IN it would read all columns of every row group that a number lies in
            f"SELECT flows.rowid, run, {wanted} FROM (SELECT unnest([{listed}]) AS number) JOIN flows ON flows.rowid = number"
        ).fetchnumpy()
        order = np.argsort([place[number] for number in columns["rowid"].tolist()]) if numbers else np.zeros(0, np.intp)
        rows = np.zeros(len(order), FLOW_DTYPE)
        for name in _NUMBERS:
            column = columns[name]
            if isinstance(column, np.ma.MaskedArray):  # an entropy that was not measured is NULL there, and NaN here
                column = column.filled(np.nan)
            rows[name] = column[order]
        texts = {name: _plain(columns[name], order) for name in (*FLOW_TEXTS, *FLOW_INTEGERS)}
        return {"flows": rows.tobytes(), "texts": texts, "runs": columns["run"][order].tolist()}

    def facts(
        self, kind: str, wanted: Wanted, limit: int, before: tuple[int, int] | None, offset: int, count: bool
    ) -> dict[str, Any]:
        """`{facts, before, total}`: documents with `run` and `ns`, newest first unless the query sorts."""
        query = parse(wanted.q, FIELDS[kind])
        found = self._fact_condition(kind, query, wanted)
        places = found
        if before is not None and not query.sort_keys:
            ns, row = before
            places = Sql(f"({found.text}) AND (ns < {ns} OR (ns = {ns} AND rowid < {row}))", found.values)
        order = self._order(query, kind, "ns DESC, rowid DESC")
        keys = [key for key, _ in FACTS[kind]]
        rows = self._connection.execute(
            f"SELECT rowid, run, ns, flow_id, {', '.join(map(quoted, keys))} FROM {quoted(kind)} WHERE {places.text} "
            f"ORDER BY {order} LIMIT {limit + 1} OFFSET {offset}",
            places.values,
        ).fetchall()
        shown, more = rows[:limit], len(rows) > limit
        documents = [
            {"run": row[1], "ns": row[2], "flow_id": row[3], **{key: _value(key, sql, value) for (key, sql), value in zip(FACTS[kind], row[4:], strict=True)}}
            for row in shown
        ]  # fmt: skip
        goes_on = more and not query.sort_keys
        before_next = [shown[-1][2], shown[-1][0]] if goes_on else None
        return {
            "facts": documents,
            "before": before_next,
            "more": more,
            "total": self._count(kind, found) if count else None,
        }

    def documents(self, table: str, wanted: Wanted, limit: int, offset: int) -> dict[str, Any]:
        """`{documents, total}`, newest first."""
        if table not in DOCUMENTS:
            raise ValueError(table)
        inside = f"ns BETWEEN {wanted.first_ns} AND {wanted.last_ns}"
        rows = self._connection.execute(
            f"SELECT document FROM {quoted(table)} WHERE {inside} ORDER BY ns DESC, id LIMIT {limit} OFFSET {offset}"
        ).fetchall()
        return {"documents": [json.loads(row[0]) for row in rows], "total": self._count(table, Sql(inside))}

    def top(self, by: str, wanted: Wanted, limit: int) -> list[list[Any]]:
        """[key columns…, bytes, packets, stretches] of a group, most bytes first."""
        names = names_of(by)
        sums, values = self._sums(
            wanted,
            lambda rows: group_sums(by, rows),
            f"SELECT {names}, traffic, packets, stretches FROM {table_of(by)}",
        )
        rows = self._connection.execute(
            f"SELECT {names}, sum(traffic)::DOUBLE AS traffic, sum(packets)::DOUBLE, sum(stretches)::BIGINT FROM ({sums}) "
            f"GROUP BY {names} ORDER BY traffic DESC, {names} LIMIT {limit}",
            values,
        ).fetchall()
        return [[*row[:-3], int(row[-3]), int(row[-2]), row[-1]] for row in rows]

    def totals(self, wanted: Wanted) -> dict[str, Any]:
        """Sums over a time: `{bytes, bytes_sent, bytes_recv, packets, flows, stretches, hosts, dns_queries, first_ns, last_ns}`."""
        sums, values = self._sums(wanted, total_sums, f"SELECT {_names(TOTAL_COLUMNS)} FROM {TOTALS}")
        (row,) = self._connection.execute(
            "SELECT coalesce(sum(traffic), 0)::DOUBLE, coalesce(sum(sent), 0)::DOUBLE, coalesce(sum(packets), 0)::DOUBLE, coalesce(sum(flows), 0)::BIGINT, "
            f"coalesce(sum(stretches), 0)::BIGINT, min(since), max(until) FROM ({sums})",
            values,
        ).fetchall()
        queries = self._count("dns", Sql(f"ns BETWEEN {wanted.first_ns} AND {wanted.last_ns}"))
        sent, total = int(row[1]), int(row[0])
        return {
            "bytes": total,
            "bytes_sent": sent,
            "bytes_recv": total - sent,
            "packets": int(row[2]),
            "flows": row[3],
            "stretches": row[4],
            "hosts": self._hosts(wanted),
            "dns_queries": queries,
            "first_ns": row[5],
            "last_ns": row[6],
        }

    def _hosts(self, wanted: Wanted) -> int:
        """Addresses of other ends."""
        names = names_of("host")
        sums, values = self._sums(
            wanted, lambda rows: group_keys("host", rows), f"SELECT {names} FROM {table_of('host')}"
        )
        ((count,),) = self._connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM ({sums}))", values
        ).fetchall()
        return int(count)

    def _sums(self, wanted: Wanted, of_rows: Callable[[str], str], kept: str) -> tuple[str, Sequence[Any]]:
        """Sums over a time as one SELECT with its values: those that are kept of the segments within it, and `of_rows` of the flows outside of them. With a
        query of flows alone."""
        query = parse(wanted.q, FIELDS["flows"])
        found = self._flow_condition(query, wanted)
        covered = cover(self._connection, wanted.first_ns, wanted.last_ns) if query.condition is None else None
        if covered is None:
            return of_rows(f"flows WHERE {found.text}"), found.values
        parts = [of_rows(f"flows WHERE {found.text} AND {outside}") for outside in covered.outside()]
        return " UNION ALL ".join([f"{kept} WHERE {covered.condition}", *parts]), found.values

    def series(self, wanted: Wanted, step: int) -> list[list[int]]:
        """[start in s, counters…] of buckets of `step` seconds (a multiple of 60), from the minutes that were kept."""
        first, last = wanted.first_ns // 10**9 - step, wanted.last_ns // 10**9
        sums = ", ".join(f"sum({quoted(name)})::DOUBLE" for name in MINUTE_COUNTERS)
        rows = self._connection.execute(
            f"SELECT start // {step} * {step} AS bucket, {sums} FROM minutes WHERE start > {first} AND start <= {last} GROUP BY bucket ORDER BY bucket"
        ).fetchall()
        return [[int(value) for value in row] for row in rows]

    def oldest_ns(self) -> int | None:
        """Begin of the oldest stretch; None where there is none."""
        ((oldest,),) = self._connection.execute("SELECT min(since) FROM flows").fetchall()
        return None if oldest is None else int(oldest)

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: self._count(name, Sql("TRUE")) for name in ("flows", *FACTS, "minutes", *DOCUMENTS)}

    # -- inside --------------------------------------------------------------------------------------------------------

    def _flow_condition(self, query: Query, wanted: Wanted) -> Sql:
        found = condition(query, FIELDS["flows"], PLACES["flows"], wanted.now_ns)
        return Sql(f'("end" >= {wanted.first_ns} AND since <= {wanted.last_ns} AND {found.text})', found.values)

    def _fact_condition(self, kind: str, query: Query, wanted: Wanted) -> Sql:
        found = condition(query, FIELDS[kind], PLACES[kind], wanted.now_ns)
        return Sql(f"(ns BETWEEN {wanted.first_ns} AND {wanted.last_ns} AND {found.text})", found.values)

    def _order(self, query: Query, kind: str, usual: str) -> str:
        keys: list[str] = []
        for key in query.sort_keys:
            expressions = PLACES[kind][key.name].ordered
            if isinstance(key.field.facets[0], AddressFacet):  # by its halves
                expressions = (f"{expressions[1]}_hi", f"{expressions[1]}_lo")
            keys.extend(
                f"{one} {'DESC' if key.descending else 'ASC'} NULLS LAST"
                for one in expressions[: 2 if len(expressions) > 1 else 1]
            )
        return ", ".join([*keys, usual])

    def _count(self, table: str, where: Sql) -> int:
        ((count,),) = self._connection.execute(
            f"SELECT count(*) FROM {quoted(table)} WHERE {where.text}", where.values
        ).fetchall()
        return int(count)


def _names(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in columns)


def _plain(column: Any, order: Any) -> list[Any]:
    """A column with None for NULL."""
    if isinstance(column, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(column)[order]
        values = np.asarray(column.data)[order].tolist()
        return [None if hidden else value for hidden, value in zip(mask.tolist(), values, strict=True)]
    return list(column[order].tolist())


def _value(key: str, sql: str, value: Any) -> Any:
    if value is None:
        return None
    if sql == "JSON":
        return json.loads(value)
    return int(value) if key in WHOLE else value
