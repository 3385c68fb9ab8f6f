"""The time that is shown goes with the reader and stands in the address; views are kept for their user; notes keep clear of the phone's bar."""

from __future__ import annotations

import re
import time

import pytest
import requests
from playwright.sync_api import expect

from .conftest import LONGEST_SECONDS

ROWS = "#connections-table tbody tr:not([hidden])"


@pytest.fixture
def kept(start_server, page):
    """A page of a server that has alerts, connections and DNS queries in its history."""
    server = start_server("--history", "--interval", "0.2")
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    end = time.monotonic() + 2 * LONGEST_SECONDS
    while True:
        counts = requests.get(f"{server.url}api/history", timeout=30).json()["counts"]
        critical = requests.get(f"{server.url}api/alerts?history=1&q=severity:critical", timeout=30).json()
        if all(counts.get(name) for name in ("flows", "dns", "alerts")) and critical:
            return server
        assert time.monotonic() < end, counts
        time.sleep(0.3)


def choose(page, label: str) -> None:
    page.locator("#time-range").click()
    page.locator(".menu .menu-item", has_text=label).click()


def test_a_time_in_the_past_goes_from_page_to_page(kept, page):
    page.goto(f"{kept.url}#/connections")
    expect(page.locator("#time-range")).to_contain_text("Live")
    choose(page, "Last hour")
    expect(page).to_have_url(re.compile(r"#/connections\?range=1h$"))
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("#connections-pause")).to_be_hidden()
    page.locator(f"{ROWS} td:not(.pick)").first.click()
    expect(page.locator(".drawer h3").first).to_be_visible()
    page.locator('#nav a[data-section="dns"]').click()
    expect(page).to_have_url(re.compile(r"#/dns\?range=1h$"))
    expect(page.locator("#dns-table tbody tr:not([hidden])").first).to_be_visible()
    page.locator('#nav a[data-section="alerts"]').click()
    rows = page.locator("#alerts-table tbody tr:not([hidden])")
    expect(rows.first).to_be_visible()
    page.locator("#alerts-filter").fill("severity:critical")
    page.locator("#alerts-filter").press("Enter")
    expect(rows.first).to_contain_text("Critical")
    expect(page.locator("#alerts-table tbody tr:not([hidden])", has_text="Port scan")).to_have_count(0)
    page.locator('#nav a[data-section="history"]').click()
    expect(page.locator("[data-range='1h']")).to_have_attribute("aria-pressed", "true")
    page.locator('#nav a[data-section="hosts"]').click()
    expect(page.locator("#past-host tbody tr:not([hidden])").first).to_be_visible()
    expect(page.locator("#hosts-table")).to_be_hidden()
    page.locator('#nav a[data-section="programs"]').click()
    expect(page.locator("#past-process tbody tr:not([hidden])").first).to_be_visible()
    page.locator('#nav a[data-section="overview"]').click()
    expect(page.locator("#overview .strip [data-name=bytes] b")).to_have_text(re.compile(r"[0-9.]+ [kMG]?B"))
    page.locator('#nav a[data-section="entropy"]').click()
    expect(page.locator(".time-note")).to_contain_text("This page shows what is live")
    page.locator(".time-note button").click()
    expect(page.locator(".time-note")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"#/entropy$"))
    page.locator('#nav a[data-section="connections"]').click()
    expect(page).to_have_url(re.compile(r"#/connections$"))
    expect(page.locator("#connections-pause")).to_be_visible()


def drag(page, chart: str, *, finger: bool = False) -> None:
    """Over the middle half of a chart, with a mouse or a finger."""
    over = page.locator(f"{chart} .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    places = [box["x"] + box["width"] * part for part in (0.25, 0.4, 0.6, 0.75)]
    y = box["y"] + box["height"] / 2
    if not finger:
        page.mouse.move(places[0], y)
        page.mouse.down()
        for x in places[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
        return
    touch = page.context.new_cdp_session(page)
    for kind, x in zip(("touchStart", "touchMove", "touchMove", "touchMove"), places, strict=True):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("finger", [False, True])
def test_a_stretch_of_the_chart_is_the_time_of_all_pages(kept, open_page, finger):
    page = open_page(width=390 if finger else 1440, has_touch=finger)
    page.goto(kept.url)
    expect(page.locator("#traffic .u-over")).to_be_visible()
    drag(page, "#traffic", finger=finger)
    expect(page).to_have_url(re.compile(r"#/overview\?from=[^&]+&to=[^&]+$"))
    expect(page.locator("#traffic .segmented")).to_have_count(2)
    expect(page.get_by_role("group", name="Range")).to_be_hidden()
    page.locator("#traffic .chart-foot summary").click()
    expect(page.locator("#traffic .chart-values tbody tr").first).to_be_visible()
    page.locator('#nav a[data-section="connections"]').click()
    expect(page).to_have_url(re.compile(r"#/connections\?from=[^&]+&to=[^&]+$"))
    expect(page.locator("#connections-pause")).to_be_hidden()
    page.locator("#time-live").click()
    expect(page).to_have_url(re.compile(r"#/connections$"))
    expect(page.locator("#time-live")).to_be_hidden()


def test_a_time_of_ones_own_and_why_it_is_empty(kept, page):
    page.goto(f"{kept.url}#/connections")
    page.locator("#time-range").click()
    page.locator("#time-from").fill("2001-01-01T00:00:00")
    page.locator("#time-to").fill("2001-01-02T00:00:00")
    page.locator(".time-own button").click()
    expect(page.locator("#connections-table .empty strong")).to_have_text("Nothing was kept of this time")
    assert "from=2001-01-0" in page.url or "from=2000-12-31" in page.url
    page.reload()
    expect(page.locator("#time-range")).to_contain_text("2001")


def test_views_are_kept_renamed_and_forgotten(kept, page):
    page.goto(f"{kept.url}#/connections?q=port:443&range=24h")
    expect(page.locator("#connections-filter")).to_have_value("port:443")
    page.locator("#saved-views").click()
    page.locator("#view-name").fill("Web <b>")
    page.keyboard.press("Enter")
    line = page.locator(".saved-view")
    expect(line).to_contain_text("Web <b>")
    page.keyboard.press("Escape")
    page.goto(f"{kept.url}#/dns")
    page.reload()
    page.locator("#saved-views").click()
    page.get_by_role("button", name="Rename Web <b>").click()
    line.get_by_role("textbox").fill("The web")
    page.keyboard.press("Enter")
    expect(line).to_contain_text("The web")
    line.locator(".menu-item").click()
    expect(page).to_have_url(re.compile(r"#/connections\?q=port%3A443&range=24h$"))
    page.locator("#saved-views").click()
    page.get_by_role("button", name="Forget The web").click()
    expect(page.locator(".saved-list")).to_contain_text("None yet")


def test_notes_keep_clear_of_the_bar(server, open_page):
    page = open_page(width=390, height=844)
    page.goto(f"{server.url}#/interfaces")
    expect(page.locator("#interfaces h1")).to_be_visible()
    page.evaluate("import('/static/js/parts/floating.js').then((parts) => parts.toast('A note', 'info'))")
    note = page.locator(".toast").last
    expect(note).to_be_visible()
    note.evaluate("one => Promise.all(one.getAnimations().map((motion) => motion.finished))")
    bar = page.locator(".rail").bounding_box()
    box = note.bounding_box()
    assert box["y"] + box["height"] <= bar["y"]
