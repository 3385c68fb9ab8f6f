"""Filter, sort and page: equal to the same thing done on the dicts, and errors that name what is wrong."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.fields import CONNECTIONS
from app.services.connections import Rows, connections
from app.services.flow_mirror import FlowMirror, FlowView
from app.services.queries import PageRequest, parse_sort, select
from app.services.query_errors import BadRequest
from app.wire.addresses import parse_address
from tests.fakes.rows import NOON, SECOND, flow, flows
from tests.fakes.traffic import Traffic

NAMES = ["eth0"]


def some_flows(count: int = 300) -> FlowView:
    mirror = FlowMirror()
    mirror.own_addresses([parse_address(text)[1:] for text in ("192.168.1.23", "2001:db8:1::23")])
    traffic = Traffic(count, seed=3)
    mirror.apply(traffic.first(NOON))
    for tick in range(3):
        mirror.apply(traffic.advance(NOON + tick * SECOND))
    return mirror.view()


VIEW = some_flows()
ALL = connections(Rows(VIEW.flows, VIEW.derived, NAMES))


def found(view: FlowView = VIEW, **request: Any) -> list[dict[str, Any]]:
    page = select(view, PageRequest(**request), NAMES, NOON)
    return connections(Rows.of(view, page.indices, NAMES))


def numbers(rows: list[dict[str, Any]]) -> set[int]:
    return {row["flow_id"] for row in rows}


def test_newest_first_by_default() -> None:
    rows = found(limit=10)
    assert [row["flow_id"] for row in rows] == sorted((row["flow_id"] for row in ALL), reverse=True)[:10]


@pytest.mark.parametrize(
    "key", [name for name in CONNECTIONS if CONNECTIONS[name].kind in ("number", "integer", "time")]
)
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_by_numbers_and_times_puts_the_unknown_last(key: str, descending: bool) -> None:
    rows = found(limit=5000, sort=((key, descending),))
    values = [row[key] for row in rows if row[key] is not None]
    assert len(rows) == len(ALL)
    assert values == sorted(values, reverse=descending)
    if key != "end_time":  # not ended sorts as the earliest
        assert all(row[key] is None for row in rows[len(values) :])


@pytest.mark.parametrize("key", ["protocol", "status", "direction", "session_status", "conn_state"])
def test_sorting_by_words_is_alphabetical(key: str) -> None:
    values = [
        row[key] for row in found(limit=5000, sort=((key, False),)) if row[key] is not None and row["protocol"] == "tcp"
    ]
    assert values == sorted(values)


def test_sorting_by_service_puts_the_unknown_last() -> None:
    values = [row["service"] for row in found(limit=5000, sort=(("service", False),))]
    known = [value for value in values if value is not None]
    assert known == sorted(known)
    assert values[len(known) :] == [None] * (len(values) - len(known))


def test_several_sort_keys() -> None:
    rows = found(limit=5000, sort=(("protocol", False), ("bytes_sent", True)))
    pairs = [(row["protocol"], -row["bytes_sent"]) for row in rows]
    assert pairs == sorted(pairs)


@pytest.mark.parametrize(
    "sort", ["", "-bytes_sent", "latency_ms", "-entropy_sent,protocol", "remote_address", "service,-duration"]
)
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_cursors_walk_every_row_once_in_order(sort: str, limit: int) -> None:
    keys = parse_sort(sort)
    whole = select(VIEW, PageRequest(limit=5000, sort=keys), NAMES, NOON)
    walked: list[int] = []
    cursor = None
    for _ in range(len(ALL) // limit + 2):
        page = select(VIEW, PageRequest(limit=limit, sort=keys, cursor=cursor), NAMES, NOON)
        walked += page.indices.tolist()
        assert page.total == len(ALL)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert walked == whole.indices.tolist()


def test_a_cursor_holds_its_place_when_flows_come_and_go() -> None:
    mirror = FlowMirror()
    mirror.apply(flows(*(flow(number, src_bytes=number) for number in range(1, 11))))
    first = select(mirror.view(), PageRequest(limit=4), NAMES, NOON)
    mirror.apply(flows(*(flow(number) for number in range(11, 15))))
    second = select(mirror.view(), PageRequest(limit=4, cursor=first.next_cursor), NAMES, NOON)
    assert mirror.view().flows["flow_id"][second.indices].tolist() == [6, 5, 4, 3]


@pytest.mark.parametrize(
    "cursor", ["x", "!!", "AAAA", "W10", "WyIiLCBbIngiXV0", "WyJwcm90b2NvbCIsIFsxXV0", "e30", "WyIiLCBbMWU5OTldXQ"]
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest) as refused:
        found(cursor=cursor)
    assert refused.value.parameter == "cursor"


def test_offset() -> None:
    assert [row["flow_id"] for row in found(limit=3, offset=2)] == [row["flow_id"] for row in found(limit=5)][2:]
    assert found(limit=3, offset=10_000) == []


@pytest.mark.parametrize("name", ["nope", "bytes", "", "-x"])
def test_an_unknown_sort_key_is_named(name: str) -> None:
    if name:
        with pytest.raises(BadRequest) as refused:
            parse_sort(name)
        assert refused.value.parameter == "sort"
        assert "bytes_sent" in refused.value.allowed
    else:
        assert parse_sort(name) == ()


# -- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [name for name, known in CONNECTIONS.items() if known.kind == "text"])
@pytest.mark.parametrize("needle", ["t", "443", "ESTAB", "out", "zzz", "192.168"])
def test_text_is_a_part_of_the_value_in_any_case(key: str, needle: str) -> None:
    expected = {row["flow_id"] for row in ALL if row[key] is not None and needle.lower() in str(row[key]).lower()}
    assert numbers(found(limit=5000, conditions={key: needle})) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"bytes_sent": {"gte": 1000, "lte": 3000}}, lambda row: 1000 <= row["bytes_sent"] <= 3000),
        ({"latency_ms": {"gte": 20}}, lambda row: row["latency_ms"] is not None and row["latency_ms"] >= 19.9995),
        ({"entropy_sent": {"lte": 5}}, lambda row: row["entropy_sent"] is not None and row["entropy_sent"] <= 5.00005),
        ({"flow_id": {"lte": 10**400, "gte": -(10**400)}}, lambda row: True),
        ({"time_of_detection": {"lte": 10**400}}, lambda row: True),
        ({"flow_id": 17}, lambda row: row["flow_id"] == 17),
        ({"pid": 17}, lambda row: False),
        ({"is_anonymous": True}, lambda row: False),
        ({"port": 443}, lambda row: row["local_address"].endswith(":443") or row["remote_address"].endswith(":443")),
        ({"port": {"lte": 60}}, lambda row: row["service"] in ("DNS", "SSH")),
        ({"ip": "192.168.1.23"}, lambda row: row["local_address"].startswith("192.168.1.23")),
        ({"ip": "2001:db8::/32"}, lambda row: row["local_address"].startswith("[2001:db8:")),
        ({"protocol": "udp", "port": 53}, lambda row: row["protocol"] == "udp" and row["service"] == "DNS"),
        ({}, lambda row: True),
    ],
)
def test_conditions(conditions: dict[str, Any], expected: Any) -> None:
    assert numbers(found(limit=5000, conditions=conditions)) == {row["flow_id"] for row in ALL if expected(row)}


def test_times_as_conditions() -> None:
    since = sorted(row["time_of_detection"] for row in ALL)[len(ALL) // 2]
    rows = found(limit=5000, conditions={"time_of_detection": {"gte": since}})
    assert 0 < len(rows) < len(ALL)
    assert all(row["time_of_detection"] >= since for row in rows)


@pytest.mark.parametrize(
    ("conditions", "parameter"),
    [
        ({"nope": 1}, "nope"),
        ({"protocol": 6}, "protocol"),
        ({"protocol": None}, "protocol"),
        ({"bytes_sent": "many"}, "bytes_sent"),
        ({"bytes_sent": True}, "bytes_sent"),
        ({"bytes_sent": None}, "bytes_sent"),
        ({"bytes_sent": {}}, "bytes_sent"),
        ({"bytes_sent": {"gt": 1}}, "bytes_sent"),
        ({"bytes_sent": float("nan")}, "bytes_sent"),
        ({"bytes_sent": [1]}, "bytes_sent"),
        ({"ip": "999.1.1.1"}, "ip"),
        ({"ip": 5}, "ip"),
        ({"ip": "x" * 5000}, "ip"),
        ({"port": "http"}, "port"),
        ({"is_anonymous": "yes"}, "is_anonymous"),
        ({"end_time": "noon"}, "end_time"),
        ({"attribution": 5}, "attribution"),
    ],
)
def test_wrong_conditions_are_named(conditions: dict[str, Any], parameter: str) -> None:
    with pytest.raises(BadRequest) as refused:
        found(conditions=conditions)
    assert refused.value.parameter == parameter
    assert refused.value.allowed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gte", "lte", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*CONNECTIONS, "ip", "port", "x"]), JSON, max_size=3))
def test_any_body_gives_rows_or_a_refusal(conditions: dict[str, Any]) -> None:
    try:
        found(limit=5, conditions=conditions)
    except BadRequest as refused:
        assert refused.parameter in conditions  # noqa: PT017 - a refusal is one of the two right answers


# -- the query language over connections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("protocol:udp", lambda row: row["protocol"] == "udp"),
        ("direction:inbound", lambda row: row["direction"] == "inbound"),
        ("local_ip:192.168.1.23", lambda row: row["local_address"].startswith("192.168.1.23")),
        ("remote_ip:2a00::/16", lambda row: row["remote_address"].startswith("[2a00:")),
        ("bytes_sent:>=2000", lambda row: row["bytes_sent"] >= 2000),
        ("bytes_recv:<2000", lambda row: row["bytes_recv"] < 2000),
        ("remote_port:443 -direction:inbound", lambda row: row["remote_address"].endswith(":443")),
        ("active:no", lambda row: row["session_status"] == "Closed"),
        ("loss:>0", lambda row: (row["packet_loss_percent"] or 0) > 0),
        ("reconnects:0", lambda row: row["reconnect_count"] == 0),
    ],
)
def test_queries(q: str, expected: Any) -> None:
    assert numbers(found(limit=5000, q=q)) == {row["flow_id"] for row in ALL if expected(row)}


def test_a_query_can_bring_its_order() -> None:
    sizes = [row["bytes_recv"] for row in found(limit=20, q="sort:-bytes_recv")]
    assert sizes == sorted((row["bytes_recv"] for row in ALL), reverse=True)[:20]


def test_a_wrong_query_tells_where() -> None:
    with pytest.raises(BadRequest) as refused:
        found(q="port:443 colour:red")
    assert (refused.value.parameter, refused.value.position) == ("q", 9)
    assert "port" in refused.value.allowed


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='port:ip-()ORANDNT"*/.>=<1024 sort', max_size=40))
def test_any_query_gives_rows_or_a_refusal(q: str) -> None:
    try:
        found(limit=5, q=q)
    except BadRequest as refused:
        assert refused.parameter == "q"  # noqa: PT017 - a refusal is one of the two right answers


def test_an_empty_table() -> None:
    view = FlowMirror().view()
    assert (
        found(view, limit=5, sort=(("service", False), ("status", True)), q="port:1", conditions={"protocol": "t"})
        == []
    )
    assert select(view, PageRequest(), NAMES, 0).next_cursor is None


def test_shuffled_rows_do_not_matter() -> None:
    order = list(range(len(VIEW.flows)))
    random.Random(1).shuffle(order)
    shuffled = FlowView(VIEW.flows[order], VIEW.derived[order], VIEW.version)
    keys = (("bytes_sent", True),)
    a = VIEW.flows["flow_id"][select(VIEW, PageRequest(sort=keys), NAMES, 0).indices]
    b = shuffled.flows["flow_id"][select(shuffled, PageRequest(sort=keys), NAMES, 0).indices]
    assert np.array_equal(a, b)
