"""Generated attacks are found, by the rule and the ends that they have; harmless traffic that looks like them is quiet."""

from __future__ import annotations

import pytest

from bench.cases import Case, alerts_of, all_cases, judge


@pytest.mark.parametrize("made", list(all_cases()), ids=[one.name for one in all_cases()])
def test_what_is_said_of_a_generated_case(made: Case) -> None:
    problem = judge(made, alerts_of(made))
    assert problem is None, problem
