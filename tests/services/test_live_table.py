"""Base and changes, applied one after the other, are what the table holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.services.flow_mirror import FlowMirror
from app.services.live_table import MAX_CHANGED, LiveTable, Step, next_step
from app.services.queries import PageRequest
from tests.fakes.rows import NOON, SECOND, flow, flows
from tests.fakes.traffic import Traffic


class Browser:
    """What a client makes of the frames."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Any]] = {}
        self.total = 0
        self.seq = 0

    def take(self, frame: dict[str, Any] | None) -> None:
        if frame is None:
            return
        assert frame["seq"] == self.seq + 1
        self.seq, self.total = frame["seq"], frame["total"]
        if frame["base"]:
            self.rows = {}
        for number in frame["removed"]:
            del self.rows[number]
        place = frame["columns"].index("flow_id")
        for row in frame["rows"]:
            assert len(row) == len(frame["columns"])
            self.rows[row[place]] = row


def columns_of(frame: dict[str, Any], name: str) -> list[Any]:
    return [row[frame["columns"].index(name)] for row in frame["rows"]]


def test_base_first_then_changes_only() -> None:
    mirror, table = FlowMirror(), LiveTable(PageRequest())
    mirror.apply(flows(flow(1), flow(2), flow(3)))
    frame = table.frame(mirror.view(), ["eth0"], NOON)
    assert frame is not None
    assert (frame["base"], columns_of(frame, "flow_id"), frame["removed"], frame["total"]) == (True, [3, 2, 1], [], 3)
    assert table.frame(mirror.view(), ["eth0"], NOON) is None
    mirror.apply(flows(flow(2, src_bytes=5), flow(4)))
    frame = table.frame(mirror.view(), ["eth0"], NOON)
    assert frame is not None
    assert (frame["base"], sorted(columns_of(frame, "flow_id")), frame["total"]) == (False, [2, 4], 4)


def test_rows_that_leave_the_limit_or_the_query_are_removed() -> None:
    mirror, table = FlowMirror(), LiveTable(PageRequest(limit=2, q="active:yes"))
    mirror.apply(flows(flow(1), flow(2)))
    table.frame(mirror.view(), [], NOON)
    mirror.apply(flows(flow(2, ended=1), flow(3), flow(4)))
    frame = table.frame(mirror.view(), [], NOON)
    assert frame is not None
    assert (sorted(frame["removed"]), sorted(columns_of(frame, "flow_id")), frame["total"]) == ([1, 2], [3, 4], 3)


def test_a_browser_that_applies_the_frames_holds_the_table() -> None:
    mirror, table, browser = FlowMirror(max_active=400, max_ended=50), LiveTable(PageRequest(limit=10_000)), Browser()
    traffic = Traffic(300)
    mirror.apply(traffic.first(NOON))
    for tick in range(30):
        browser.take(table.frame(mirror.view(), ["eth0"], NOON))
        mirror.apply(traffic.advance(NOON + tick * SECOND))
    browser.take(table.frame(mirror.view(), ["eth0"], NOON))
    view = mirror.view()
    assert set(browser.rows) == set(view.flows["flow_id"].tolist())
    assert browser.total == len(view.flows)
    fresh = Browser()
    fresh.take(LiveTable(PageRequest(limit=10_000)).frame(view, ["eth0"], NOON))
    assert browser.rows == fresh.rows


def test_a_flood_of_changes_is_spread_over_frames_and_nothing_is_lost() -> None:
    mirror, table, browser = FlowMirror(), LiveTable(PageRequest(limit=10_000)), Browser()
    many = np.repeat(flow(1), 7_000)
    many["flow_id"] = np.arange(1, 7_001)
    mirror.apply(many)
    browser.take(table.frame(mirror.view(), [], NOON))
    many["src_bytes"] = 9
    mirror.apply(many)
    sizes = []
    while (frame := table.frame(mirror.view(), [], NOON)) is not None:
        browser.take(frame)
        sizes.append(len(frame["rows"]))
    assert sizes == [MAX_CHANGED, MAX_CHANGED, MAX_CHANGED, 1000]
    place = frame_column("bytes_sent")
    assert {row[place] for row in browser.rows.values()} == {9}


def frame_column(name: str) -> int:
    from app.model.fields import LIVE_COLUMNS

    return LIVE_COLUMNS.index(name)


def test_a_new_capture_gives_a_new_base() -> None:
    mirror, table = FlowMirror(), LiveTable(PageRequest(limit=10_000))
    many = np.repeat(flow(1), 5_000)
    many["flow_id"] = np.arange(1, 5_001)
    mirror.apply(many)
    table.frame(mirror.view(), [], NOON)
    mirror.clear()
    mirror.apply(flow(1))
    frame = table.frame(mirror.view(), [], NOON)
    assert frame is not None
    assert (frame["base"], len(frame["rows"]), frame["removed"]) == (True, 1, [])


def test_clients_in_step_share_what_is_made_and_each_holds_the_table() -> None:
    mirror, traffic = FlowMirror(max_active=400, max_ended=50), Traffic(300)
    mirror.apply(traffic.first(NOON))
    request = PageRequest(limit=10_000)
    tables, browsers = [LiveTable(request) for _ in range(3)], [Browser() for _ in range(3)]
    made = 0
    for tick in range(6):
        steps: dict[int, Step] = {}
        for place, (table, browser) in enumerate(zip(tables, browsers, strict=True)):
            if place == 2 and tick == 3:
                continue  # one is slow
            key = id(table.holds)
            if key not in steps:
                steps[key] = next_step(table.holds, request, mirror.view(), ["eth0"], NOON)
                made += 1
            browser.take(table.take(steps[key]))
        mirror.apply(traffic.advance(NOON + tick * SECOND))
    assert made < 3 * 6 - 5
    ends = [LiveTable(request).frame(mirror.view(), ["eth0"], NOON)]
    for table, browser in zip(tables, browsers, strict=True):
        browser.take(table.frame(mirror.view(), ["eth0"], NOON))
        fresh = Browser()
        fresh.take(ends[0])
        assert browser.rows == fresh.rows
    assert tables[0].holds.same(tables[2].holds)
