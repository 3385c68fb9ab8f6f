"""Generated attacks are found, by the rule and the ends that they have; harmless traffic that looks like them is quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import cases_names
from bench.cases import Case, alerts_of, all_cases, judge


@pytest.mark.parametrize("made", list(all_cases()), ids=[one.name for one in all_cases()])
def test_what_is_said_of_a_generated_case(made: Case) -> None:
    problem = judge(made, alerts_of(made))
    assert problem is None, problem


def test_names_in_order_are_not_even_hinted_at() -> None:
    for made in cases_names.CASES:
        if not made.rules:
            assert not cases_names.QUIET & {alert.detection.rule for alert in alerts_of(made)}, made.name


def test_the_page_says_how_many_there_are() -> None:
    harmless = sum(not made.rules for made in all_cases())
    attacks = len(list(all_cases())) - harmless
    page = (Path(__file__).resolve().parents[2] / "docs" / "accuracy.md").read_text()
    for words in (
        f"run {attacks + harmless} generated cases",
        f": {attacks} attacks (",
        f"and {harmless} kinds of harmless traffic",
    ):
        assert words in page, f"docs/accuracy.md has to say: {words} (`python -m bench.scoreboard` writes it)"
