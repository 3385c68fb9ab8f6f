"""The store: what is written is found again, whole or not at all, within its size and age."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import app.store.database as database_module
from app.store.client import StoreClient, StoreRefused
from app.store.database import DAY_NS, Database, StoreError
from app.store.layout import FLOW_DTYPE
from app.store.reading import Reader, Wanted
from app.store.schema import VERSION
from tests.store.stretches import NOON, SECOND, batch, stretches


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "history.duckdb")
    yield found
    found.close()


def count(database: Database, q: str = "") -> int:
    return int(Reader(database.connection).flows(Wanted(q), 1, None, 0, True)["total"])


def test_everything_comes_back(database: Database) -> None:
    rows = stretches(50)
    facts = {
        "dns": [{"ns": NOON, "flow_id": 4, "client": "10.0.0.1", "server": "192.0.2.4", "query": "a.example", "type": "A",
                 "answers": ["A 192.0.2.9"], "ttl": 60, "latency_ms": 1.25}],
        "tls": [{"ns": NOON, "flow_id": None, "server_name": "x", "ech": True}],
        "nonsense": [{"ns": 1}],
    }  # fmt: skip
    written = database.write(
        batch(
            rows,
            facts=facts,
            minutes=[[NOON // SECOND, *range(1, 10)]],
            documents={"alerts": [["a", NOON, '{"id": "a"}']]},
        )
    )
    assert written == 50 + 2 + 1 + 1
    answer = Reader(database.connection).flows(Wanted(), 100, None, 0, True)
    assert answer["flows"] == rows[::-1].tobytes()  # newest first, to the byte
    assert answer["texts"]["hostname"][0] == "host0.Example.org"
    assert answer["texts"]["pid"][:2] == [None, 49]
    assert answer["total"] == 50
    reader = Reader(database.connection)
    found = reader.facts("dns", Wanted(), 5, None, 0, True)["facts"][0]
    assert {key: found[key] for key in ("ns", "flow_id", "query", "answers", "ttl", "latency_ms", "rcode")} == {
        "ns": NOON, "flow_id": 4, "query": "a.example", "answers": ["A 192.0.2.9"], "ttl": 60, "latency_ms": 1.25, "rcode": None,
    }  # fmt: skip
    assert reader.facts("tls", Wanted(), 5, None, 0, True)["facts"][0]["ech"] is True
    assert reader.series(Wanted(), 60) == [[NOON // SECOND, *range(1, 10)]]
    assert reader.documents("alerts", Wanted(), 5, 0)["documents"] == [{"id": "a"}]


def test_a_document_and_a_minute_are_replaced(database: Database) -> None:
    for number in (1, 2):
        database.write(
            batch(
                stretches(1, number),
                minutes=[[NOON // SECOND, *[number] * 9]],
                documents={"alerts": [["a", NOON, f"[{number}]"]]},
            )
        )
    reader = Reader(database.connection)
    assert reader.documents("alerts", Wanted(), 5, 0) == {"documents": [[2]], "total": 1}
    assert reader.series(Wanted(), 60) == [[NOON // SECOND, *[2] * 9]]


def test_pages_follow_each_other_without_gaps(database: Database) -> None:
    database.write(batch(stretches(95, end=NOON)))  # all at the same time: the row decides
    reader, seen, before = Reader(database.connection), [], None
    while True:
        answer = reader.flows(Wanted(), 10, before, 0, False)
        seen += [FLOW_DTYPE.itemsize and row for row in _ids(answer)]
        if answer["before"] is None:
            break
        before = tuple(answer["before"])
    assert sorted(seen) == list(range(1, 96))
    assert len(set(seen)) == 95


def _ids(answer: dict[str, object]) -> list[int]:
    import numpy as np

    return [int(i) for i in np.frombuffer(answer["flows"], FLOW_DTYPE)["flow_id"]]  # type: ignore[call-overload]


def test_a_time_finds_what_overlaps_it(database: Database) -> None:
    database.write(batch(stretches(10, at_ns=NOON)))
    database.write(batch(stretches(10, 11, at_ns=NOON + 100 * SECOND)))
    reader = Reader(database.connection)
    assert reader.flows(Wanted(first_ns=NOON + 50 * SECOND), 1, None, 0, True)["total"] == 10
    assert reader.flows(Wanted(last_ns=NOON + 50 * SECOND), 1, None, 0, True)["total"] == 10
    assert reader.flows(Wanted(first_ns=NOON + 20 * SECOND, last_ns=NOON + 50 * SECOND), 1, None, 0, True)["total"] == 0


def test_sums(database: Database) -> None:
    rows = stretches(100)
    database.write(batch(rows))
    reader = Reader(database.connection)
    totals = reader.totals(Wanted())
    assert totals["bytes"] == int(rows["src_bytes"].sum() + rows["dst_bytes"].sum())
    assert totals["bytes_sent"] == int(rows["src_bytes"].sum())
    assert totals["flows"] == 100
    assert [row[0] for row in reader.top("app", Wanted(), 5)] == ["Google", "DNS"]
    assert sum(row[-3] for row in reader.top("host", Wanted(), 500)) == totals["bytes"]


def test_what_is_old_goes_and_then_what_is_too_much(database: Database) -> None:
    database.write(batch(stretches(1_000, at_ns=NOON - 40 * DAY_NS)))
    database.write(batch(stretches(1_000, 2_000, at_ns=NOON)))
    assert database.tidy(NOON, 30, 1 << 30) == 1_000
    assert count(database) == 1_000
    assert database.tidy(NOON, 30, 1) > 0
    assert count(database) < 1_000


def test_a_file_that_holds_little_is_written_anew(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.duckdb"
    for first in range(0, 140_000, 20_000):  # more than one row group, of 122,880: they are freed as a whole
        names = [random.randbytes(20).hex() for _ in range(20_000)]
        database.write(batch(stretches(20_000, first + 1, at_ns=NOON - 40 * DAY_NS), texts={"server_name": names}))
    database.write(batch(stretches(500, 200_000, at_ns=NOON), documents={"mutes": [["m", NOON, "{}"]]}))
    database.checkpoint()
    before = path.stat().st_size
    monkeypatch.setattr(database_module, "SPARE_BYTES", 0)
    assert database.tidy(NOON, 30, 1 << 30) == 140_000
    assert path.stat().st_size < before / 2
    assert count(database) == 500
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["history.duckdb"]
    database.write(batch(stretches(10, 300_000)))
    database.close()
    again = Database(path)
    assert count(again) == 510
    assert Reader(again.connection).documents("mutes", Wanted(), 10, 0)["total"] == 1
    again.close()


def test_what_a_broken_off_rewriting_left_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    left = database_module.compacted(path)
    left.write_bytes(b"half")
    Database(path).close()
    assert not left.exists()


def test_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    Database(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", [str(VERSION + 1)])
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        Database(path)
    assert refused.value.code == "newer"
    assert path.read_bytes() == before


def test_a_file_that_is_none_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    path.write_bytes(b"no database at all" * 1000)
    found = Database(path)
    assert found.moved_aside is not None
    assert found.moved_aside.read_bytes().startswith(b"no database")
    found.write(batch(stretches(1)))
    assert count(found) == 1
    found.close()


def test_the_file_is_private(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "history.duckdb").stat().st_mode & 0o077 == 0


def test_a_full_disk_is_said_before_anything_is_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.write(batch(stretches(5)))
    monkeypatch.setattr(database_module, "free_bytes", lambda directory: 1 << 20)
    with pytest.raises(StoreError) as refused:
        database.write(batch(stretches(5, 10)))
    assert refused.value.code == "disk_full"
    assert "free" in refused.value.message
    monkeypatch.undo()
    assert database.write(batch(stretches(5, 10))) == 5
    assert count(database) == 10


def test_a_batch_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises((StoreError, ValueError)):
        database.write(batch(stretches(5), texts={"application": ["one", "two"]}))
    assert count(database) == 0
    assert database.write(batch(stretches(5))) == 5


def test_only_one_process_writes(tmp_path: Path) -> None:
    first, second = StoreClient(tmp_path / "h.duckdb"), StoreClient(tmp_path / "h.duckdb")
    try:
        first.start()
        first.ask("write", **batch(stretches(3)))
        second.start()
        with pytest.raises(StoreRefused) as refused:
            second.ask("state")
        assert refused.value.code == "locked"
        assert second.broken
    finally:
        first.close()
        second.close()


def test_nothing_committed_is_lost_by_a_kill(tmp_path: Path) -> None:
    client = StoreClient(tmp_path / "h.duckdb")
    acknowledged, codes = 0, []
    for round_number in range(10):
        client.start()
        try:
            for step in range(1_000):
                rows = stretches(2_000, acknowledged * 2_000 + 1)
                if step == round_number % 4:
                    _kill_soon(client)
                client.ask("write", **batch(rows))
                acknowledged += 1
        except StoreRefused as error:
            codes.append(error.code)
        client.close()
        client.start()
        kept = client.ask("state")["counts"]["flows"]
        assert kept in (acknowledged * 2_000, (acknowledged + 1) * 2_000)  # the last may be written and unanswered
        acknowledged = kept // 2_000
    assert codes == ["gone"] * 10
    assert client.ask("flows", q="flow_id:1", limit=1, count=True)["total"] == 1
    client.close()


def _kill_soon(client: StoreClient) -> None:
    pid = client.pid
    assert pid is not None
    if (child := os.fork()) == 0:
        time.sleep(random.uniform(0.0, 0.03))
        os.kill(pid, signal.SIGKILL)
        os._exit(0)
    else:
        # reaped by init once this process ends; waited for here so that no zombie stays
        import threading

        threading.Thread(target=os.waitpid, args=(child, 0), daemon=True).start()
