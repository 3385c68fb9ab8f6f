"""The flow mirror holds the newest row of each flow, bounded, with what it derives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.flow_mirror import DIRECTIONS, FlowMirror
from app.wire.addresses import parse_address
from tests.fakes.rows import flow, flows


def ids(mirror: FlowMirror) -> list[int]:
    return sorted(mirror.view().flows["flow_id"].tolist())


def direction(mirror: FlowMirror, number: int) -> str:
    view = mirror.view()
    return DIRECTIONS[int(view.derived["direction"][view.flows["flow_id"] == number][0])]


def test_later_rows_replace_earlier_ones() -> None:
    mirror = FlowMirror()
    mirror.apply(flows(flow(1, src_bytes=10), flow(2, src_bytes=20)))
    mirror.apply(flows(flow(2, src_bytes=25), flow(3), flow(3, src_bytes=7)))
    view = mirror.view()
    assert dict(zip(view.flows["flow_id"].tolist(), view.flows["src_bytes"].tolist(), strict=True)) == {
        1: 10,
        2: 25,
        3: 7,
    }


def test_versions_tell_what_changed() -> None:
    mirror = FlowMirror()
    mirror.apply(flows(flow(1), flow(2)))
    before = mirror.view().version
    mirror.apply(flow(2, src_bytes=1))
    view = mirror.view()
    assert view.flows["flow_id"][view.derived["version"] > before].tolist() == [2]


def test_view_is_kept_until_something_changes_and_cannot_be_written() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(1))
    view = mirror.view()
    assert mirror.view() is view
    assert not view.flows.flags.writeable
    mirror.apply(flow(1, src_bytes=99))
    assert view.flows["src_bytes"].tolist() == [0]
    assert mirror.view().flows["src_bytes"].tolist() == [99]


def test_rows_without_a_number_are_left_out() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(0))
    assert len(mirror) == 0


def test_ended_flows_are_forgotten_oldest_first() -> None:
    mirror = FlowMirror(max_ended=3)
    for number in range(1, 7):
        mirror.apply(flow(number))
        mirror.apply(flow(number, ended=1))
        mirror.apply(flow(number, ended=1))  # said twice, ended once
    assert ids(mirror) == [4, 5, 6]
    assert mirror.evicted == 0


def test_active_flows_beyond_the_cap_go_by_their_last_packet_and_are_counted() -> None:
    mirror = FlowMirror(max_active=3)
    mirror.apply(flows(*(flow(number, end=1000 - number) for number in range(1, 6))))
    assert ids(mirror) == [1, 2, 3]
    assert mirror.evicted == 2


def test_many_flows_grow_the_table() -> None:
    mirror = FlowMirror()
    many = np.repeat(flow(1), 20_000)
    many["flow_id"] = np.arange(1, 20_001)
    mirror.apply(many)
    assert len(mirror) == 20_000
    assert ids(mirror)[-1] == 20_000


def test_direction_is_seen_from_this_machine() -> None:
    mirror = FlowMirror()
    mirror.own_addresses([parse_address("203.0.113.5")[1:]])
    mirror.apply(
        flows(
            flow(1, "203.0.113.5:1", "198.51.100.1:443"),
            flow(2, "198.51.100.1:1", "203.0.113.5:22"),
            flow(3, "203.0.113.5:1", "203.0.113.5:80"),
            flow(4, "198.51.100.1:1", "198.51.100.2:80"),
        )
    )
    assert [direction(mirror, number) for number in (1, 2, 3, 4)] == ["outbound", "inbound", "internal", "external"]


def test_without_own_addresses_the_private_networks_are_inside() -> None:
    mirror = FlowMirror()
    mirror.apply(
        flows(
            flow(1, "10.1.2.3:1", "198.51.100.1:443"),
            flow(2, "[2001:4860::8]:1", "[fd00::1]:22"),
            flow(3, "192.168.0.1:1", "[fe80::1]:80"),
        )
    )
    assert [direction(mirror, number) for number in (1, 2, 3)] == ["outbound", "inbound", "internal"]


def test_learning_an_own_address_turns_the_flows_and_marks_them_changed() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(1, "198.51.100.1:1", "203.0.113.5:22"))
    before = mirror.view()
    assert before.derived["local_is_src"].tolist() == [True]
    mirror.own_addresses([parse_address("203.0.113.5")[1:]])
    after = mirror.view()
    assert after.derived["local_is_src"].tolist() == [False]
    assert after.derived["version"][0] > before.derived["version"][0]


def test_reconnects_count_earlier_flows_to_the_same_port() -> None:
    mirror = FlowMirror()
    mirror.apply(flow(1, "10.0.0.1:1000", "192.0.2.1:443"))
    mirror.apply(flow(2, "10.0.0.1:1001", "192.0.2.1:443"))
    mirror.apply(
        flows(
            flow(3, "10.0.0.1:1002", "192.0.2.1:443"),
            flow(4, "10.0.0.1:1002", "192.0.2.1:80"),
            flow(5, "10.0.0.2:1002", "192.0.2.1:443"),
            flow(6, "10.0.0.1:1002", "192.0.2.1:443", protocol=17),
        )
    )
    view = mirror.view()
    found = dict(zip(view.flows["flow_id"].tolist(), view.derived["reconnects"].tolist(), strict=True))
    assert found == {1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 0}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5), st.booleans()), max_size=12), max_size=12))
def test_equals_a_plain_dictionary(ticks: list[list[tuple[int, int, bool]]]) -> None:
    mirror = FlowMirror(max_active=1000, max_ended=1000)
    expected: dict[int, tuple[int, bool]] = {}
    for tick in ticks:
        mirror.apply(flows(*(flow(number, src_bytes=size, ended=ended) for number, size, ended in tick)))
        expected.update({number: (size, ended) for number, size, ended in tick})
    view = mirror.view()
    rows = zip(
        view.flows["flow_id"].tolist(), view.flows["src_bytes"].tolist(), view.flows["ended"].tolist(), strict=True
    )
    assert {number: (size, bool(ended)) for number, size, ended in rows} == expected
