"""Files of rows: what is written is what a reader of that format reads."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.export.csv_table import FORMULA_STARTS
from app.export.formats import FORMATS
from app.export.tables import Column, Table, nested
from app.export.zeek_log import written

COLUMNS = (
    Column("name", "text", "string"),
    Column("bytes", "integer", "count"),
    Column("a.b", "number", "interval"),
    Column("answers", "list", "vector[string]"),
    Column("known", "boolean", "bool"),
)
TABLE = Table(COLUMNS)
TEXTS = st.text(max_size=20)
ROWS = st.lists(
    st.tuples(
        st.none() | TEXTS,
        st.none() | st.integers(-(1 << 63), 1 << 63),
        st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.none() | st.lists(TEXTS, max_size=3),
        st.none() | st.booleans(),
    ),
    max_size=5,
)


def file_of(name: str, *parts: list[Any], table: Table = TABLE) -> bytes:
    writer = FORMATS[name].writer(table)
    return writer.head() + b"".join(writer.rows(part) for part in parts) + writer.tail()


@given(ROWS, ROWS)
def test_csv_is_read_back_and_holds_no_formula(first: list[Any], second: list[Any]) -> None:
    text = file_of("csv", first, second).decode()
    header, *lines = list(csv.reader(io.StringIO(text, newline="")))
    assert header == ["name", "bytes", "a.b", "answers", "known"]
    assert len(lines) == len(first) + len(second)
    for line, row in zip(lines, [*first, *second], strict=True):
        assert len(line) == len(header)
        assert not line[0].startswith(FORMULA_STARTS)
        assert not line[3].startswith(FORMULA_STARTS)
        assert line[1] == ("" if row[1] is None else str(row[1]))
        if row[0] is not None and "\0" not in row[0]:
            assert line[0] in (row[0], f"'{row[0]}")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|x", "\uff1d1"])
def test_a_formula_becomes_text(text: str) -> None:
    line = next(
        csv.reader(io.StringIO(file_of("csv", [[text, -5, 0.5, None, True]]).decode().split("\r\n", 1)[1], newline=""))
    )
    assert line == [f"'{text}", "-5", "0.5", "", "true"]


@given(ROWS, ROWS)
def test_json_and_its_lines_say_the_same(first: list[Any], second: list[Any]) -> None:
    whole = json.loads(file_of("json", first, second))
    assert whole == [json.loads(line) for line in file_of("ndjson", first, second).decode().splitlines()]
    assert [row["name"] for row in whole] == [row[0] for row in (*first, *second)]
    assert all(set(row) == {"name", "bytes", "a", "answers", "known"} for row in whole)


def test_what_is_not_known_is_left_out_where_the_schema_has_no_null() -> None:
    table = Table(COLUMNS, only_known=True)
    assert nested(table, [None, 0, 0.0, None, False]) == {"bytes": 0, "a": {"b": 0.0}, "known": False}


def test_a_name_that_is_also_an_object_keeps_its_dots() -> None:
    table = Table((Column("a"), Column("a.b")))
    assert nested(table, [1, 2]) == {"a": 1, "a.b": 2}


@given(ROWS)
def test_a_zeek_log_has_its_fields_in_every_line(rows: list[Any]) -> None:
    lines = file_of("zeek", rows).decode().split("\n")
    assert lines[0] == "#separator \\x09"
    header = {line.split("\t")[0]: line.split("\t")[1:] for line in lines if line.startswith("#") and "\t" in line}
    assert header["#fields"] == ["name", "bytes", "a.b", "answers", "known"]
    assert header["#types"] == ["string", "count", "interval", "vector[string]", "bool"]
    assert header["#unset_field"] == ["-"]
    assert header["#empty_field"] == ["(empty)"]
    body = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert [len(line) for line in body] == [5] * len(rows)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "string", "-"),
        ("-", "string", "\\x2d"),
        ("", "string", "(empty)"),
        ("a\tb\\", "string", "a\\x09b\\\\"),
        ("#fields", "string", "\\x23fields"),
        (1.5, "time", "1.500000"),
        (True, "bool", "T"),
        ([], "vector[string]", "(empty)"),
        (["a,b", "c"], "vector[string]", "a\\x2cb,c"),
        (443, "port", "443"),
    ],
)
def test_values_as_zeek_writes_them(value: Any, kind: str, text: str) -> None:
    assert written(value, kind) == text
