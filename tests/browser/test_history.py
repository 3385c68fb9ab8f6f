"""The page of history: a time in the past with its totals, a filter by a click, a time of one's own, and the reason where there is nothing."""

from __future__ import annotations

import re
import time

import pytest
import requests
from playwright.sync_api import expect


@pytest.fixture
def kept(start_server):
    """A server that has written something to its history."""
    server = start_server("--history")
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    end = time.monotonic() + 40
    while requests.get(f"{server.url}api/history", timeout=30).json()["rows_written"] < 20:
        assert time.monotonic() < end, "nothing was written"
        time.sleep(0.3)
    return server


def test_a_time_in_the_past(kept, open_page) -> None:
    for width in (1440, 390):
        page = open_page(width=width)
        page.goto(f"{kept.url}#/history")
        expect(page.locator("#history .strip [data-name=bytes] b")).to_have_text(re.compile(r"[0-9.]+ [kMG]?B"))
        expect(page.locator(".history-table tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.locator("#history-export")).to_have_attribute("href", re.compile(r"^/api/export\?history=1&from="))
    row = page.locator(".history-table tbody tr").first
    row.locator("button").first.click()
    expect(page.locator(".drawer[data-kind=connection] h3").first).to_be_visible()
    page.keyboard.press("Escape")
    row.locator("button").last.click()
    page.get_by_role("menuitem", name="Only this value").click()
    expect(page.locator("#history-q")).to_have_value(re.compile("^ip:"))
    page.locator("#history-q").fill("")
    page.locator("#history-from").fill("2001-01-01T00:00:00")
    page.locator("#history-to").fill("2001-01-02T00:00:00")
    page.locator("#history form button[type=submit]").click()
    expect(page.locator("#history .empty strong")).to_have_text("Nothing was kept of this time")
    assert "from=2001" in page.url
