"""The arithmetic behind the tables."""

from __future__ import annotations

import pytest

from bench.peers import NO_OP
from bench.ratios import Run, Spread, compare, goal_for, summary, verdict


def run(wall: float, packets: int = 1000, error: str | None = None, start: float = 0.0) -> Run:
    return Run(wall, wall / 2, 2048, packets, error, start, start / 2)


def test_speed_is_per_packet_of_the_programs_own_file() -> None:
    assert run(2.0, 1000).speed == 500
    assert run(2.0, 1000).cpu_us == pytest.approx(1000)


def test_start_up_of_a_slice_is_taken_off() -> None:
    assert run(3.0, 1000, start=1.0).speed == 500
    assert run(1.0, 1000, start=1.5).speed == pytest.approx(1000 / 0.02), "never infinite or negative"


def test_ratios_are_taken_within_a_round() -> None:
    """Both slow down twofold in the second round: the ratio must not move."""
    ours, rival = [run(1.0), run(2.0)], [run(10.0, 500), run(20.0, 500)]
    ratios = compare(ours, rival)
    assert ratios is not None
    assert ratios[0] == Spread(20, 20, 20)
    assert ratios[1] == Spread(20, 20, 20)


def test_failed_runs_do_not_count() -> None:
    ours = [run(1.0), run(1.0), run(1.0)]
    rival = [run(4.0), run(9.0, error="exit status 1"), run(6.0)]
    ratios = compare(ours, rival)
    assert ratios is not None
    assert ratios[0] == Spread(5, 4, 6)
    assert compare(ours, [run(1.0, error="x")]) is None
    assert compare([], rival) is None


def test_summary_takes_medians() -> None:
    facts = summary([run(1.0), run(5.0), run(2.0), run(0.1, error="x")])
    assert facts is not None
    assert facts["wall_s"] == 2.0
    assert facts["speed"] == {"median": 500, "low": 200, "high": 1000}
    assert facts["rss_mb"] == 2
    assert summary([run(1.0, error="x")]) is None


def test_goals() -> None:
    assert goal_for("imix", NO_OP) == 0.5
    assert goal_for("churn", "softflowd") == 10
    assert goal_for("churn", "tshark -z conv,ip") is None
    assert [verdict(0.5, 0.5), verdict(0.5, 0.49), verdict(None, 3.0)] == ["pass", "fail", ""]
