"""The documentation names every rule and knob as they are, and says how many there are; declarations are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.detect.batch import SELECTIONS
from app.detect.describe import ALL, counts, tables
from app.detect.detector import Detector
from app.model.alert import SEVERITIES

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "detectors.md"


def test_the_page_holds_the_generated_tables() -> None:
    page = PAGE.read_text()
    start = page.index("-->", page.index("<!-- generated")) + 4
    end = page.index("<!-- end -->")
    assert page[start:end] == tables(), "run `python -m app.detect.describe` and put its output between the marks"


def test_the_readme_says_how_many_there_are() -> None:
    assert f" {counts()} " in (PROJECT / "README.md").read_text(), f"the README has to say: {counts()}"


@pytest.mark.parametrize("detector", ALL, ids=lambda one: one.name)
def test_declarations_are_whole(detector: type[Detector]) -> None:
    assert detector.rules
    for rule in detector.rules:
        assert rule.severity in SEVERITIES
        for text in (rule.means, rule.normal, rule.act):
            assert text.endswith(".")
    for knob in detector.knobs:
        assert knob.reason.endswith(".")
        assert knob.unit
    assert set(detector.selections) <= set(SELECTIONS)


def test_names_are_unique() -> None:
    rules = [rule.name for detector in ALL for rule in detector.rules]
    names = [detector.name for detector in ALL]
    assert len(rules) == len(set(rules))
    assert len(names) == len(set(names))
