"""Charts: the right ring, no holes inside the capture, no points outside it."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.mirror import Mirror
from app.services.query_errors import BadRequest
from app.services.timeseries import METRIC_NAMES, timeseries
from app.wire.records import BUCKET_DTYPE

NOW = 1_700_000_000


@pytest.fixture
def mirror() -> Mirror:
    found = Mirror()
    rows = np.zeros(3, BUCKET_DTYPE)
    rows["start"] = [NOW - 10, NOW - 9, NOW - 5]
    rows["packets"], rows["bytes"] = [1, 2, 3], [100, 200, 300]
    rows["tcp_packets"], rows["retransmissions"] = [1, 2, 0], [0, 1, 0]
    wide = np.zeros(2, BUCKET_DTYPE)
    wide["start"], wide["bytes"] = [NOW - 7200, NOW - 7180], 1000
    found.apply(
        {
            "capture": {"state": "running", "started_ns": 1},
            "now_ns": NOW * 10**9,
            "series": {"1": rows.tobytes(), "10": wide.tobytes()},
        }
    )
    return found


def test_holes_inside_are_zero(mirror: Mirror) -> None:
    found = timeseries(mirror, ("packets", "bps"), None, None, None)
    assert found["step"] == 1
    assert found["times"] == list(range(NOW - 10, NOW - 4))
    assert found["series"] == {"packets": [1, 2, 0, 0, 0, 3], "bps": [800, 1600, 0, 0, 0, 2400]}
    assert found["unit"] == {"packets": "packets", "bps": "bit/s"}


def test_the_step_follows_the_beginning(mirror: Mirror) -> None:
    found = timeseries(mirror, ("bps",), None, (NOW - 8000) * 10**9, None)
    assert (found["step"], found["times"], found["series"]["bps"]) == (
        10,
        [NOW - 7200, NOW - 7190, NOW - 7180],
        [800, 0, 800],
    )


def test_from_and_to(mirror: Mirror) -> None:
    found = timeseries(mirror, ("packets",), 1, (NOW - 9) * 10**9, (NOW - 6) * 10**9)
    assert (found["times"], found["series"]["packets"]) == ([NOW - 9], [2])


def test_rates_without_a_base(mirror: Mirror) -> None:
    found = timeseries(mirror, ("retransmission_percent",), 1, None, None)
    assert found["series"]["retransmission_percent"] == [0, 50, 0, 0, 0, 0]


def test_nothing_yet() -> None:
    found = timeseries(Mirror(), METRIC_NAMES, None, None, None)
    assert found["times"] == []
    assert all(values == [] for values in found["series"].values())


def test_unknown_names(mirror: Mirror) -> None:
    with pytest.raises(BadRequest, match="no metric 'x'") as refused:
        timeseries(mirror, ("x",), None, None, None)
    assert "bps" in refused.value.allowed
    with pytest.raises(BadRequest, match="no step of 7"):
        timeseries(mirror, ("bps",), 7, None, None)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (10**30, 0), (0, 10**30), (5, 1)])
def test_odd_spans(mirror: Mirror, first: int, last: int) -> None:
    assert isinstance(timeseries(mirror, ("bps",), None, first, last)["times"], list)
