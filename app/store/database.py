"""The database itself: opening and migrating it, writing batches, keeping it small. Only the store's own process uses this.

A batch is one transaction: after a crash it is there whole or not at all. What DuckDB has committed is on disk.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from app.model.errors import NetglassError
from app.store.layout import (
    DOCUMENTS,
    FACTS,
    FLOW_DTYPE,
    FLOW_INTEGERS,
    FLOW_NUMBERS,
    FLOW_TEXTS,
    MINUTE_COUNTERS,
)
from app.store.rollups import Rollups
from app.store.schema import MIGRATIONS, VERSION, quoted

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
MEMORY: Final = "64MB"
THREADS: Final = 1
# Bytes of the log that are gathered before they go into the file. Each time the youngest rows, up to 122,880 of them, are compressed anew: with DuckDB's 16 MB that is every
# second batch of 20,000, and most of what writing costs.
LOG_BYTES: Final = 64 << 20
FREE_BYTES: Final = 256 << 20  # left on the disk, whatever happens
TIMED: Final[dict[str, str]] = {
    "flows": '"end"',
    **dict.fromkeys(FACTS, "ns"),
    "minutes": "start * 1000000000",
    **dict.fromkeys(DOCUMENTS, "ns"),
}
SPARE_BYTES: Final = 64 << 20  # of a file that may hold nothing, and as much again as what it holds; more is given back
SHRINK: Final = 0.05  # share of the oldest rows that go when the file is too large


class StoreError(NetglassError):
    """The store cannot do it; `code` is stable: `locked`, `newer`, `damaged`, `disk_full`, `failed`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Database:
    """One connection to one file. Raises StoreError only."""

    def __init__(self, path: Path, memory: str = MEMORY, threads: int = THREADS) -> None:
        self.path = path
        self.moved_aside: Path | None = None
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "checkpoint_threshold": f"{LOG_BYTES >> 20}MB",
            "temp_directory": str(path.with_suffix(".tmp")),
            "max_temp_directory_size": "1GB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self.connection = self._open()
        self._run: tuple[str, int, int] | None = None

    # -- opening -----------------------------------------------------------------------------------------------------

    def _open(self) -> duckdb.DuckDBPyConnection:
        os.umask(0o077)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if free_bytes(self.path.parent) < FREE_BYTES:
            raise self._full()
        for left in (compacted(self.path), wal_of(compacted(self.path))):
            left.unlink(missing_ok=True)
        try:
            return self._connected()
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise StoreError(
                    "locked", "Another Netglass writes to the same history; this one keeps none."
                ) from None
            if not self.path.exists():
                raise StoreError("failed", f"The history cannot be written to {self.path}: {_line(error)}") from None
            return self._begun_anew()
        except (
            duckdb.SerializationException,
            duckdb.InternalException,
            duckdb.FatalException,
            duckdb.CatalogException,
        ):
            return self._begun_anew()
        except duckdb.Error as error:
            raise StoreError("failed", f"The history cannot be opened: {_line(error)}") from None

    def _connected(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(self.path), config=self._config)
        try:
            connection.execute("SET enable_external_access = false")
            connection.execute(
                "SET pandas_analyze_sample = 0"
            )  # columns of objects are text, whatever their first rows hold
            self._migrate(connection)
            self._rollups = Rollups(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begun_anew(self) -> duckdb.DuckDBPyConnection:
        """A file that cannot be read is moved aside, never deleted."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self.moved_aside = self.path.with_name(f"{self.path.stem}-damaged-{stamp}{self.path.suffix}")
        for path, target in ((self.path, self.moved_aside), (wal_of(self.path), wal_of(self.moved_aside))):
            if path.exists():
                path.rename(target)
        try:
            return self._connected()
        except duckdb.Error as error:
            raise StoreError("damaged", f"The history is damaged and none can be begun: {_line(error)}") from None

    def _migrate(self, connection: duckdb.DuckDBPyConnection) -> None:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        version = 0
        if "meta" in tables:
            found = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchall()
            version = int(found[0][0]) if found else 0
        if version > VERSION:
            raise StoreError("newer", f"The history was written by a later Netglass (version {version} of its tables).")
        for number in range(version, VERSION):
            connection.execute("BEGIN")
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute("DELETE FROM meta WHERE key = 'version'")
            connection.execute("INSERT INTO meta VALUES ('version', ?)", [str(number + 1)])
            connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, batch: Mapping[str, Any]) -> int:
        """One batch, in one transaction; the number of its rows. `batch`: `run` {boot, started_ns}, `flows` (rows of FLOW_DTYPE as bytes), `texts`
        {key: list}, `facts` {kind: documents with `ns`}, `minutes` [[start, …]], `documents` {table: [[id, ns, JSON]]}."""
        if free_bytes(self.path.parent) < FREE_BYTES:
            raise self._full()
        try:
            self.connection.execute("BEGIN")
            run = self._run_number(batch["run"])
            count = self._write_flows(run, batch) + self._write_facts(run, batch.get("facts") or {})
            count += self._write_minutes(run, batch.get("minutes") or [])
            for table, rows in (batch.get("documents") or {}).items():
                count += self._write_documents(run, table, rows)
            self.connection.execute("COMMIT")
        except duckdb.Error as error:
            self._rollback()
            raise self._translated(error) from None
        except BaseException:
            self._rollback()
            raise
        return count

    def roll(self) -> bool:
        """Sums up one part of time that is over; whether there was one. Some tenths of a second, so not more than one between two answers."""
        try:
            return self._rollups.roll()
        except duckdb.Error as error:
            raise self._translated(error) from None

    def _rollback(self) -> None:
        self._run = None
        try:
            self.connection.execute("ROLLBACK")
            self._rollups.forget()
        except duckdb.Error:
            return  # the transaction has ended by itself, or the database with it

    def _run_number(self, said: Mapping[str, Any]) -> int:
        boot, started = str(said.get("boot") or ""), int(said.get("started_ns") or 0)
        if self._run is not None and self._run[:2] == (boot, started):
            return self._run[2]
        run = self._one("SELECT max(run) FROM runs WHERE boot = ? AND started_ns = ?", [boot, started])
        if run is None:
            run = int(self._one("SELECT coalesce(max(run), 0) + 1 FROM runs"))
            self.connection.execute("INSERT INTO runs VALUES (?, ?, ?)", [run, boot, started])
        self._run = (boot, started, int(run))
        return self._run[2]

    def _write_flows(self, run: int, batch: Mapping[str, Any]) -> int:
        rows = np.frombuffer(batch.get("flows") or b"", FLOW_DTYPE)
        if not len(rows):
            return 0
        texts = batch.get("texts") or {}
        columns: dict[str, np.ndarray[Any, Any]] = {"run": np.full(len(rows), run, np.uint32)}
        columns.update((name, np.ascontiguousarray(rows[name])) for name, _, _ in FLOW_NUMBERS)
        told = (name for name in (*FLOW_TEXTS, *FLOW_INTEGERS) if name in texts)  # the others stay NULL
        columns.update((name, _objects(texts[name], len(rows))) for name in told)
        return self._insert("flows", columns, lambda: self._rollups.add(len(rows), int(rows["end"].min()), columns))

    def _write_facts(self, run: int, facts: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
        count = 0
        for kind, documents in facts.items():
            if kind not in FACTS or not documents:
                continue
            columns: dict[str, np.ndarray[Any, Any]] = {
                "run": np.full(len(documents), run, np.uint32),
                "ns": np.array([document["ns"] for document in documents], np.int64),
                "flow_id": _objects([document.get("flow_id") for document in documents], len(documents)),
            }
            for key, sql in FACTS[kind]:
                values = [document.get(key) for document in documents]
                if sql == "JSON":
                    values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
                columns[key] = _objects(values, len(values))
            count += self._insert(kind, columns)
        return count

    def _write_minutes(self, run: int, rows: Sequence[Sequence[int]]) -> int:
        if not rows:
            return 0
        self.connection.execute(
            f"DELETE FROM minutes WHERE run = {run} AND start IN ({', '.join(str(int(row[0])) for row in rows)})"
        )
        columns: dict[str, np.ndarray[Any, Any]] = {"run": np.full(len(rows), run, np.uint32)}
        for place, name in enumerate(("start", *MINUTE_COUNTERS)):
            columns[name] = np.array([row[place] for row in rows], np.int64)
        return self._insert("minutes", columns)

    def _write_documents(self, run: int, table: str, rows: Sequence[Sequence[Any]]) -> int:
        if table not in DOCUMENTS or not rows:
            return 0
        newest = {str(row[0]): row for row in rows}
        self.connection.execute(f"DELETE FROM {quoted(table)} WHERE list_contains(?, id)", [list(newest)])
        columns: dict[str, np.ndarray[Any, Any]] = {
            "run": np.full(len(newest), run, np.uint32),
            "id": _objects(list(newest), len(newest)),
            "ns": np.array([int(row[1]) for row in newest.values()], np.int64),
            "document": _objects([str(row[2]) for row in newest.values()], len(newest)),
        }
        return self._insert(table, columns)

    def _insert(
        self, table: str, columns: dict[str, np.ndarray[Any, Any]], then: Callable[[], None] = lambda: None
    ) -> int:
        """Adds rows; `then` runs while they are there as `batch`."""
        names = ", ".join(map(quoted, columns))
        self.connection.register("batch", columns)
        self.connection.execute(f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM batch")
        then()
        self.connection.unregister("batch")
        return len(next(iter(columns.values())))

    # -- keeping it small ----------------------------------------------------------------------------------------------

    def tidy(self, now_ns: int, days: int, max_bytes: int) -> int:
        """Deletes what is older than `days`, and the oldest while more than `max_bytes` are used; the number of rows that went."""
        gone = 0
        try:
            gone += self._delete_before(now_ns - days * DAY_NS)
            for _ in range(20):
                if self.used_bytes() <= max_bytes:
                    break
                removed = self._delete_oldest()
                gone += removed
                if not removed:
                    break
                self.connection.execute("CHECKPOINT")
            if gone:
                self.connection.execute("CHECKPOINT")
            if self.path.stat().st_size - self.used_bytes() > max(SPARE_BYTES, self.used_bytes()):
                self._compact()
        except duckdb.Error as error:
            raise self._translated(error) from None
        return gone

    def _compact(self) -> None:
        """Writes what is used into a new file, which then takes the place of the old one: deleting frees blocks for what comes, but the file stays
        as large as it ever was. Ended in the middle, the old file is as it was, and the new one is deleted at the next opening."""
        if free_bytes(self.path.parent) < FREE_BYTES + self.used_bytes():
            return
        new = compacted(self.path)
        new.unlink(missing_ok=True)
        self.connection.close()  # writes the log into the file
        try:
            copying = duckdb.connect(config=self._config)
            try:
                for path, name in ((self.path, "old"), (new, "new")):
                    quoted_path = str(path).replace("'", "''")
                    copying.execute(f"ATTACH '{quoted_path}' AS {name}" + (" (READ_ONLY)" if name == "old" else ""))
                copying.execute("COPY FROM DATABASE old TO new")
                copying.execute("CHECKPOINT new")
            finally:
                copying.close()
            os.replace(new, self.path)
        finally:
            new.unlink(missing_ok=True)
            wal_of(new).unlink(missing_ok=True)
            self.connection = self._connected()

    def _delete_before(self, ns: int) -> int:
        count = 0
        self.connection.execute("BEGIN")
        try:
            for table, time_column in TIMED.items():
                count += int(self._one(f"DELETE FROM {quoted(table)} WHERE {time_column} < {ns}") or 0)
            self._rollups.cut(ns)
            self.connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        self._rollups.forget()
        return count

    def _delete_oldest(self) -> int:
        oldest = self._one(f'SELECT quantile_disc("end", {SHRINK}) FROM flows')
        return 0 if oldest is None else self._delete_before(int(oldest) + 1)

    def used_bytes(self) -> int:
        """Bytes of the file that hold something, and of the log beside it."""
        used = self._one("SELECT block_size * used_blocks FROM pragma_database_size()")
        wal = wal_of(self.path)
        return int(used or 0) + (wal.stat().st_size if wal.exists() else 0)

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first value of an answer, read to its end: the connection takes nothing else before."""
        rows = self.connection.execute(sql, values).fetchall()
        return rows[0][0] if rows else None

    def checkpoint(self) -> None:
        try:
            self.connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise self._translated(error) from None

    def _full(self) -> StoreError:
        return StoreError(
            "disk_full",
            f"Less than {FREE_BYTES >> 20} MiB are free on the disk of {self.path.parent}; history is not written until there is room.",
        )

    def _translated(self, error: duckdb.Error) -> StoreError:
        text = str(error).lower()
        if "no space" in text or "disk full" in text or "could not write" in text:
            return self._full()
        return StoreError("failed", f"History: {_line(error)}")


def _objects(values: Sequence[Any] | None, length: int) -> np.ndarray[Any, Any]:
    column = np.empty(length, np.object_)
    if values is not None:
        column[:] = values
    return column


def _line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]


def compacted(path: Path) -> Path:
    """Where a smaller file is written before it takes the place of `path`."""
    return path.with_name(f"{path.name}.compact")


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free
