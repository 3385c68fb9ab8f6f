"""Names from the network are text: markup, text that runs the other way, control characters and ten thousand characters change neither page nor layout."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Error, expect

NAMES = (
    "<script>document.title='caught'</script>",
    "<img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066\u05d0\u05d1",
    "bell\u0007 null\u0000 escape\u001b[31m\u0085",
    "x" * 10_000,
    "\u0644\u0645 " * 400,
)


def rewriting(change):
    """A handler of a route that changes the server's own answer; a page that has gone on needs none."""

    def handle(route) -> None:
        try:
            answer = route.fetch()
            document = answer.json()
            change(document)
            route.fulfill(response=answer, body=json.dumps(document))
        except Error:
            return

    return handle


def rename(rows, *keys: str) -> None:
    for number, row in enumerate(rows):
        row.update(dict.fromkeys(keys, NAMES[number % len(NAMES)]))


@pytest.mark.parametrize("width", [390, 1440])
def test_hostile_names_are_text_and_leave_the_layout_alone(server, open_page, width):
    page = open_page(width=width)
    changes = {
        "**/api/rare_names*": lambda found: rename(found["names"], "name"),
        "**/api/hosts?*": lambda found: rename(found, "name", "organization", "country_name"),
        "**/api/world*": lambda found: rename(found["countries"], "name"),
        "**/api/connections/*": lambda found: found["connection"].update(app_name=NAMES[2], app_path=NAMES[4], command_line=NAMES[0], user=NAMES[3], parents=NAMES[5]),
    }  # fmt: skip
    for address, change in changes.items():
        page.route(address, rewriting(change))
    for section, row in (
        ("overview", ".ranked td"),
        ("hosts", "#hosts-table tbody tr:not([hidden])"),
        ("world", ".place-table td"),
    ):
        page.goto(f"{server.url}#/{section}")
        expect(page.locator(f"#{section} {row}", has_text="<script>").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, section
    page.goto(f"{server.url}#/connections")
    page.locator("#connections-table tbody tr:not([hidden]) td:not(.pick)").first.click()
    expect(page.locator(".drawer-body", has_text="<script>")).to_be_visible()
    assert page.locator(".drawer").evaluate("one => one.offsetWidth") <= width  # whether or not it still slides in
    assert page.evaluate(
        "document.querySelector('.drawer-body').scrollWidth <= document.querySelector('.drawer-body').clientWidth"
    )
    assert page.locator("main script, main img, .drawer script, .drawer img").count() == 0
    assert "caught" not in page.title()
    page.unroute_all(behavior="wait")
