"""The page about programs: what is listed, what opens, and what could not be attributed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .test_accessibility import violations

ROWS = "#programs-table tbody tr:not([hidden])"
HOSTILE = "<img src=x onerror=alert(1)>"


def program(name: str, sent: int, **values: object) -> dict[str, object]:
    return {
        "id": f"{sent:012x}", "app_name": name, "app_path": f"/usr/bin/{name}", "container": None, "users": ["anna"], "units": [], "pids": [7],
        "processes": 1, "bytes": 3 * sent, "bytes_sent": sent, "bytes_recv": 2 * sent, "packets_sent": 5, "packets_recv": 6, "flows": 2, "active": 1,
        "first_seen": "2026-03-01T12:00:00.000000Z", "last_seen": "2026-03-01T12:01:00.000000Z", "first_ever": None,
        "remotes": [{"address": "192.0.2.7", "bytes": 5}], "remote_count": 1, "cpu_percent": 1.5, "memory_percent": None, **values,
    }  # fmt: skip


LIST = [
    program("curl", 1000),
    program(HOSTILE, 9000, app_path=None),
    program("firefox", 5_000_000, processes=3, remote_count=80),
]
STATE = {
    "methods": [{"name": "trace", "meaning": "The kernel's own events"}], "why_not": {}, "live": True, "asked": 0, "turned_away": 0, "waiting": 0,
    "lost": 0, "events": 0, "event_pages_lost": 0, "unknown": [{"reason": "x", "text": "It was gone.", "flows": 4, "bytes": 1200}],
}  # fmt: skip


@pytest.fixture
def programs(server, open_page):
    def show(**options):
        page = open_page(**options)
        page.route(
            "**/api/programs?*", lambda route: route.fulfill(json={"programs": LIST, "total": 3, "attribution": STATE})
        )
        own = {
            **LIST[2],
            "process_list": [{"pid": 7, "app_name": "firefox", "command_line": "firefox -P work", "user": "anna"}],
        }
        page.route("**/api/programs/*", lambda route: route.fulfill(json=own))
        page.goto(f"{server.url}#/programs")
        expect(page.locator(ROWS)).to_have_count(3)
        return page

    return show


def test_programs_are_listed_and_open(programs):
    page = programs()
    expect(page.locator(ROWS).first).to_contain_text("firefox")
    expect(page.locator("#programs-table")).to_contain_text("4 connections without a program")
    expect(page.locator("#programs h1")).to_contain_text("The kernel's own events")
    expect(page.locator(ROWS, has_text=HOSTILE)).to_be_visible()
    page.locator("#programs-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    drawer = page.locator(".drawer[data-kind=program]")
    expect(drawer.locator("[data-facts=processes]")).to_contain_text("firefox -P work")
    drawer.get_by_text("Its connections").click()
    expect(page.locator("#connections-filter")).to_have_value("app_name:firefox")


@pytest.mark.parametrize("width", [390, 1440])
def test_they_fit_and_can_be_used_by_all(programs, width):
    page = programs(width=width, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
