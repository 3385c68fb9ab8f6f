"""Card numbers over HTTP: the list, its filter and order, the report; and nothing that is not masked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.services.card_mirror import CardMirror, card_entry
from tests.fakes.cards import card_rows
from tests.fakes.web import Site, running_site, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("cards")) as found:
        until(lambda: found.house.mirror.newest_cards())
        found.hold_still()
        yield found


def get(site: Site, path: str) -> Any:
    response = site.client.get(path)
    assert response.status_code == 200, response.get_data()
    return json.loads(response.get_data())


def test_newest_first_with_every_key(site: Site) -> None:
    rows = get(site, "/api/cards")
    assert [row["id"] for row in rows] == [6, 5, 4, 3, 2, 1]
    assert set(card_rows(1)[0]) == set(rows[0])
    assert {row["flow_id"] for row in rows} == {7}


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("brand:visa", [5, 1]),
        ("where:cookie", [2]),
        ("confidence:>=0.9", [5, 2, 1]),
        ("to:203.0.113.4", [4]),
        ("411111", [1]),
    ],
)
def test_filter(site: Site, q: str, ids: list[int]) -> None:
    assert [row["id"] for row in get(site, f"/api/cards?q={q}")] == ids


def test_order_and_pages(site: Site) -> None:
    assert [row["id"] for row in get(site, "/api/cards?sort=-confidence&limit=2")] == [5, 1]
    response = site.client.get("/api/cards?limit=4")
    assert response.headers["X-Total-Count"] == "6"
    assert "cursor=3" in response.headers["Link"]


def test_what_is_asked_wrongly(site: Site) -> None:
    assert site.client.get("/api/cards?q=brnd:visa").status_code == 400
    assert site.client.get("/api/cards/report?x=1").status_code == 400


def test_the_report(site: Site) -> None:
    response = site.client.get("/api/cards/report")
    page = response.get_data(as_text=True)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    for text in (
        "411111******1111",
        "HTTP request header Cookie",
        "91,234,567",
        "812,345,678",
        "203.0.113.1:80",
        "98 %",
    ):
        assert text in page
    assert "<script" not in page
    assert "style=" not in page


def test_what_is_not_masked_is_refused() -> None:
    mirror = CardMirror()
    good = card_rows(10**18)[0]
    for change in (
        {"masked": "4111111111111111"},
        {"masked": "41111111****1111"},
        {"where": 1},
        {"confidence": None},
        {"reasons": "x"},
    ):
        mirror.apply([{**good, **change}])
    mirror.apply("x")
    mirror.apply([7])
    assert (mirror.newest_first(), mirror.malformed) == ([], 7)
    mirror.apply([good, {**good, "count": 9}])
    assert [fact.document["count"] for fact in mirror.newest_first()] == [9]
    assert "extra" not in card_entry({**good, "extra": 1}).document
