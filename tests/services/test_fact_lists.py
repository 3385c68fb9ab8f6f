"""Lists of facts: asked in the query language, sorted with the unknown last, paged without gaps."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.fact_documents import KINDS, Fact, document
from app.services.fact_fields import FIELDS
from app.services.fact_lists import FactRequest, fact_page, parse_fact_query, parse_fact_sort
from app.services.query_errors import BadRequest


def dns(number: int, **values: Any) -> Fact:
    said = {"timestamp": f"2026-01-01T00:00:{number:02}.000000Z", "flow_id": str(number), "client": "10.0.0.1"}
    said |= {"server": "10.0.0.53", "query": "a.example", "type": "A", "rcode": "NOERROR", "kind": "dns", **values}
    return document("dns", number, said)


FACTS = [
    dns(5, query="Mail.Example", latency_ms=30.5, answers=["A 192.0.2.5"]),
    dns(4, query="b.example", type="AAAA", latency_ms=2, client="2001:db8::1", answers=["AAAA 2001:db8::5"]),
    dns(3, query="c.example", rcode=None),
    dns(2, query="a.example", rcode="NXDOMAIN", latency_ms=100, client="10.0.0.9"),
    dns(1, query="a.test", kind="mdns", server="224.0.0.251", latency_ms=7),
]


def found(**request: Any) -> list[int]:
    return [entry["id"] for entry in fact_page(FACTS, FactRequest("dns", **{"limit": 50, **request}), 0).documents]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("query:example", [5, 4, 3, 2]),
        ("query:=a.example", [2]),
        ("type:AAAA", [4]),
        ("type:a", [5, 3, 2, 1]),
        ("type:A*", [5, 4, 3, 2, 1]),
        ("kind:dns", [5, 4, 3, 2]),
        ("rcode:nxdomain", [2]),
        ("-rcode:*", [3]),
        ("client:10.0.0.0/24", [5, 3, 2, 1]),
        ("client:2001:db8::1", [4]),
        ("ip:224.0.0.251", [1]),
        ("answer:192.0.2.5", [5]),
        ("latency:>20", [5, 2]),
        ("latency:>=100ms", [2]),
        ("latency:<10", [4, 1]),
        ("kind:mdns OR type:AAAA", [4, 1]),
        ("mail", [5]),
        ("flow:3", [3]),
        ("time:>=2026-01-01T00:00:04Z", [5, 4]),
    ],
)
def test_queries(q: str, expected: list[int]) -> None:
    assert found(q=q) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("latency_ms", [4, 1, 5, 2, 3]),
        ("-latency_ms", [2, 5, 1, 4, 3]),
        ("query", [2, 1, 4, 3, 5]),
        ("rcode,-query", [5, 4, 1, 2, 3]),
        ("timestamp", [1, 2, 3, 4, 5]),
        ("-type,timestamp", [4, 1, 2, 3, 5]),
    ],
)
def test_sorting_puts_the_unknown_last(sort: str, expected: list[int]) -> None:
    assert found(sort=parse_fact_sort("dns", sort)) == expected


def test_sort_inside_of_q() -> None:
    assert found(q="kind:dns sort:-latency") == [2, 5, 4, 3]


@pytest.mark.parametrize("sort", [(), (("query", False),)])
def test_pages_join_without_gap_or_repeat(sort: tuple[tuple[str, bool], ...]) -> None:
    ids: list[int] = []
    before = offset = 0
    for _ in range(10):
        page = fact_page(FACTS, FactRequest("dns", 2, offset, before, sort), 0)
        ids += [entry["id"] for entry in page.documents]
        assert page.total == 5
        before, offset = page.next_before, page.next_offset
        if not before and not offset:
            break
    assert ids == found(sort=sort)


def test_an_empty_list_can_be_asked_anything() -> None:
    page = fact_page([], FactRequest("dns", 5, q="client:10.0.0.1 latency:>5 answer:x sort:-query"), 0)
    assert (page.documents, page.total) == ([], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_can_be_asked_and_sorted_by(kind: str) -> None:
    facts = [
        document(kind, 1, {"timestamp": "2026-01-01T00:00:00Z", "client": "x", "server": "", "query": "", "type": ""})
    ]
    for name in FIELDS[kind].fields:
        assert fact_page(facts, FactRequest(kind, 5, q=f"{name}:*"), 0).total in (0, 1)
        if name != "ip":
            assert fact_page(facts, FactRequest(kind, 5, sort=parse_fact_sort(kind, f"-{name}")), 0).total == 1


def test_mistakes_are_named() -> None:
    with pytest.raises(BadRequest) as wrong:
        parse_fact_query("dns", "colour:red")
    assert (wrong.value.parameter, wrong.value.position) == ("q", 0)
    assert "query" in wrong.value.allowed
    with pytest.raises(BadRequest) as wrong:
        parse_fact_sort("dns", "colour")
    assert wrong.value.parameter == "sort"
