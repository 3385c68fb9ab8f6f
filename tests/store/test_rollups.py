"""Sums that are kept by segments of time say what the flows say: before and after they are made, with what comes late, and with what was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app.store.rollups as rollups
from app.store.database import Database
from app.store.reading import Reader, Wanted
from app.store.reading_groups import GROUP_NAMES
from tests.store.stretches import NOON, SECOND, batch, stretches

HOUR = 3_600 * SECOND
EVERYTHING = Wanted()
ALL_BY_QUERY = Wanted(q="bytes:>=0")  # the same rows, and no sums are used


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(rollups, "SEGMENT_ROWS", 500)
    database = Database(tmp_path / "history.duckdb")
    for hour in range(5):
        database.write(batch(stretches(400, 1 + 400 * hour, at_ns=NOON + hour * HOUR)))
    yield database
    database.close()


def segments(database: Database) -> int:
    return int(database.connection.execute("SELECT count(*) FROM segments").fetchall()[0][0])


def answers(database: Database, wanted: Wanted) -> dict[str, Any]:
    reader = Reader(database.connection)
    return {"totals": reader.totals(wanted), **{by: reader.top(by, wanted, 1_000) for by in GROUP_NAMES}}


def rolled(database: Database) -> None:
    while database.roll():
        pass


def test_sums_are_those_of_the_flows(database: Database) -> None:
    spans = [EVERYTHING, *(Wanted("", NOON + first, NOON + last) for first, last in (
        (0, 2 * HOUR), (HOUR // 2, 4 * HOUR), (HOUR + SECOND // 10, 3 * HOUR + SECOND // 10), (-HOUR, 1), (9 * HOUR, 10 * HOUR)
    ))]  # fmt: skip
    before = [answers(database, span) for span in spans]
    assert before[0]["totals"]["stretches"] == 2_000
    rolled(database)
    assert segments(database) == 2  # of 800 each; the last hour is not over
    assert [answers(database, span) for span in spans] == before


def test_they_are_used(database: Database) -> None:
    rolled(database)
    database.connection.execute("UPDATE rolled_app SET traffic = 0")
    reader = Reader(database.connection)
    assert sum(row[-3] for row in reader.top("app", EVERYTHING, 10)) < reader.totals(EVERYTHING)["bytes"]


def test_what_comes_late_is_added(database: Database) -> None:
    rolled(database)
    database.write(batch(stretches(30, 5_000, at_ns=NOON + HOUR // 2), texts={"country": ["DE"] * 30}))
    database.write(batch(stretches(20, 6_000, at_ns=NOON - 3 * HOUR)))  # before the first segment
    assert segments(database) == 2
    found = answers(database, EVERYTHING)
    assert found["totals"]["stretches"] == 2_050
    assert found == answers(database, ALL_BY_QUERY)
    early = Wanted("", 0, NOON - HOUR)
    assert answers(database, early)["totals"]["stretches"] == 20


def test_a_batch_that_fails_adds_nothing(database: Database) -> None:
    rolled(database)
    late = batch(stretches(30, 5_000, at_ns=NOON - HOUR))
    with pytest.raises((ValueError, KeyError)):
        database.write({**late, "facts": {"dns": [{"no": "time"}]}})
    assert answers(database, EVERYTHING)["totals"]["stretches"] == 2_000
    database.write(late)
    assert answers(database, EVERYTHING) == answers(database, ALL_BY_QUERY)


@pytest.mark.parametrize("hours", [1, 2, 5])
def test_what_is_deleted_is_in_no_sum(database: Database, hours: int) -> None:
    rolled(database)
    day = 86_400 * SECOND
    assert database.tidy(NOON + hours * HOUR + day, 1, 1 << 40) == 400 * hours
    assert answers(database, EVERYTHING) == answers(database, ALL_BY_QUERY)
    assert answers(database, EVERYTHING)["totals"]["stretches"] == 2_000 - 400 * hours
    database.write(batch(stretches(400, 9_000, at_ns=NOON + 8 * HOUR)))
    database.write(batch(stretches(400, 10_000, at_ns=NOON + 9 * HOUR)))
    rolled(database)
    assert answers(database, EVERYTHING) == answers(database, ALL_BY_QUERY)


def test_another_opening_goes_on(database: Database) -> None:
    assert database.roll()
    found = answers(database, EVERYTHING)
    path = database.path
    database.connection.close()
    again = Database(path)
    rolled(again)
    assert segments(again) == 2
    assert answers(again, EVERYTHING) == found
    again.close()


def test_a_history_of_the_version_before_is_summed_up(database: Database) -> None:
    found = answers(database, EVERYTHING)
    for table in ("segments", *rollups.tables()):
        database.connection.execute(f"DROP TABLE {table}")
    database.connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
    path = database.path
    database.connection.close()
    again = Database(path)
    rolled(again)
    assert segments(again) == 2
    assert answers(again, EVERYTHING) == found
    again.close()
