"""RFC 3339 and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.timestamps import parse_time, rfc3339


def test_microseconds_in_utc() -> None:
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456Z"
    assert rfc3339(1_700_000_000_000_000_000) == "2023-11-14T22:13:20.000000Z"


@pytest.mark.parametrize("never", [0, -1, 1 << 70])
def test_what_is_no_time_is_none(never: int) -> None:
    assert rfc3339(never) is None


@given(st.integers(1, 253402300799_999999000))
def test_there_and_back(ns: int) -> None:
    text = rfc3339(ns)
    assert text is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert parse_time(text) == ns // 1000 * 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000.5", 1_700_000_000.5),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000),
    ],
)
def test_forms(text: str, seconds: float) -> None:
    assert parse_time(text) == int(seconds * 1e9)


@given(st.text(max_size=30))
def test_any_text_gives_a_time_or_a_value_error(text: str) -> None:
    try:
        assert isinstance(parse_time(text), int)
    except ValueError as error:
        assert "RFC 3339" in str(error)  # noqa: PT017 - a refusal is one of the two right answers
