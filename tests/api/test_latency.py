"""Latency and loss over REST."""

from __future__ import annotations

import pytest

from app.model.fields import LATENCY_FIELDS
from tests.api.test_routes import Site, is_problem, site, strict  # noqa: F401 - the fixture


@pytest.mark.parametrize("by", ["host", "network", "interface"])
def test_each_roll_up_has_every_key(site: Site, by: str) -> None:  # noqa: F811
    first = site.client.get(f"/api/latency?by={by}&limit=1")
    rows = strict(first)
    assert list(rows[0]) == [field.name for field in LATENCY_FIELDS] or set(rows[0]) == {
        field.name for field in LATENCY_FIELDS
    }
    everything = strict(site.client.get(f"/api/latency?by={by}&limit=2000"))
    assert len(everything) == int(first.headers["X-Total-Count"])
    if len(everything) > 1:
        assert "offset=1" in first.headers["Link"]


@pytest.mark.parametrize(
    ("query", "name"),
    [("by=moon", "by"), ("q=colour:red", "q"), ("sort=colour", "sort"), ("limit=0", "limit"), ("who=1", "who")],
)
def test_wrong_questions_are_named(site: Site, query: str, name: str) -> None:  # noqa: F811
    assert is_problem(site.client.get(f"/api/latency?{query}"), 400)["parameter"] == name
