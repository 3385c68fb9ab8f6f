"""The live tables: ten thousand rows in a few hundred elements, sorting, keyboard, filtering, and hostile text that stays text."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from .conftest import LONGEST_SECONDS, poll

HOSTILE = '<img src=x onerror="window.owned=1">'
ROWS = "#connections-table tbody tr:not([hidden])"


@pytest.fixture
def connections(server, page):
    page.goto(f"{server.url}#/connections")
    poll(
        page,
        "Number(document.querySelector('#connections-table table')?.dataset.rows)",
        lambda rows: rows >= 10_000,
    )
    return page


def column(page, heading: str) -> list[str]:
    """The texts of a column, from the top of what is in sight."""
    return page.evaluate(
        """heading => {
            const table = document.querySelector('#connections-table table');
            const at = [...table.querySelectorAll('th')].findIndex(th => th.textContent === heading);
            return [...table.querySelectorAll('tbody tr:not([hidden])')]
                .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
                .map(row => row.children[at].textContent);
        }""",
        heading,
    )


def size(text: str) -> float:
    figure, unit = re.fullmatch(r"([\d.,]+) ([kMGT]?)B", text).groups()
    return float(figure.replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]


def received(page, *, descending: bool) -> list[float]:
    """The bytes in the column `Received`, as soon as they stand in order."""
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        sizes = [size(text) for text in column(page, "Received")]
        if len(sizes) > 10 and sizes == sorted(sizes, reverse=descending):
            return sizes
        assert time.monotonic() < end, sizes
        time.sleep(0.1)


def test_ten_thousand_rows_in_few_elements(connections):
    page = connections
    table = page.locator("#connections-table table")
    assert int(table.get_attribute("aria-rowcount")) >= 10_001
    assert page.evaluate("document.querySelectorAll('#connections-table *').length") < 1_000
    page.evaluate("document.querySelector('#connections-table .vt-scroll').scrollTop = 1e9")
    poll(
        page,
        "Math.max(...[...document.querySelectorAll('#connections-table tbody tr:not([hidden])')].map(r => +r.getAttribute('aria-rowindex')))",
        lambda last: last >= 10_001,
    )
    assert page.evaluate("document.querySelectorAll('#connections-table *').length") < 1_000


def test_a_heading_sorts_and_says_so(connections):
    page = connections
    page.locator("#connections-pause").click()
    heading = page.locator("#connections-table th", has_text="Received")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    falling = received(page, descending=True)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert falling[0] > received(page, descending=False)[0]


def test_the_keyboard_moves_opens_and_filters(connections):
    page = connections
    page.locator("#connections-pause").click()
    table = page.locator("#connections-table table")
    table.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    row = page.locator("#connections-table tr[data-active]")
    expect(row).to_have_attribute("aria-rowindex", "4")
    expect(row).to_have_attribute("aria-selected", "true")
    cell = row.locator("td").first
    expect(table).to_have_attribute("aria-activedescendant", cell.get_attribute("id"))
    remote = cell.locator(".beneath").text_content()
    page.keyboard.press("Enter")
    drawer = page.locator(".drawer")
    expect(drawer).to_be_visible()
    expect(drawer).to_contain_text(remote)
    expect(drawer).to_contain_text("Community ID")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(table).to_be_focused()
    page.keyboard.press("End")
    poll(
        page,
        "document.querySelector('#connections-table tr[data-active]')?.getAttribute('aria-rowindex') ?? 0",
        lambda at: int(at) >= 10_001,
    )
    page.keyboard.press("Home")
    page.keyboard.press("+")
    expect(page.locator("#connections-filter")).to_have_value(re.compile(r"^ip:\S+$"))
    poll(
        page, "Number(document.querySelector('#connections-table table')?.dataset.rows)", lambda rows: 0 < rows < 5_000
    )


def test_a_filter_that_is_wrong_is_explained_at_its_box(connections):
    page = connections
    page.locator("#connections-filter").fill("prt:443")
    expect(page.locator("#connections-filter-error")).to_contain_text("there is no field")
    page.locator("#connections-filter").fill("port:443 protocol:tcp")
    expect(page.locator("#connections-filter-error")).to_be_hidden()
    poll(
        page,
        "[...new Set([...document.querySelectorAll('#connections-table td[data-kind]')].filter(td => td.offsetParent).map(td => td.textContent))].join()",
        lambda kinds: kinds == "TCP",
    )


def test_a_value_offers_to_include_or_exclude_it(connections):
    page = connections
    page.locator("#connections-pause").click()
    cell = page.locator(f"{ROWS} td[data-kind]").nth(2)
    protocol = cell.text_content().lower()
    cell.click()
    page.get_by_role("menuitem", name="All but this value").click()
    expect(page.locator("#connections-filter")).to_have_value(f"-protocol:{protocol}")
    expect(page).to_have_url(re.compile(r"#/connections\?q=-protocol"))


def test_hostile_text_from_packets_stays_text(server, page):
    def hostile_list(route):
        packets = route.fetch().json()
        for packet in packets:
            packet.update(info=HOSTILE, service=HOSTILE, interface=HOSTILE)
        route.fulfill(json=packets)

    def hostile_connection(route):
        answer = route.fetch().json()
        answer["connection"].update(server_name=HOSTILE, app_name=HOSTILE, hostname=HOSTILE, application=HOSTILE)
        route.fulfill(json=answer)

    def hostile_interfaces(route):
        document = route.fetch().json()
        document["interfaces"][0].update(interface=HOSTILE, addresses=[HOSTILE])
        route.fulfill(json=document)

    dissection = {
        "tree": [{"name": HOSTILE, "label": HOSTILE, "offset": 0, "length": 4, "fields": [{"name": "f", "label": HOSTILE, "value": HOSTILE, "offset": 0, "length": 4}]}],
        "hex": HOSTILE.encode().hex(), "summary": HOSTILE, "info": HOSTILE, "link_type": 1, "masked": False, "error": HOSTILE,
    }  # fmt: skip
    page.route("**/api/packets?*", hostile_list)
    page.route("**/api/packets/*", lambda route: route.fulfill(json=dissection))
    page.route("**/api/connections/*", hostile_connection)
    page.route("**/api/interfaces", hostile_interfaces)

    page.goto(f"{server.url}#/packets")
    page.locator("#packets-pause").click()
    cell = page.locator("#packets-table td", has_text=HOSTILE).first
    expect(cell).to_be_visible()
    cell.locator("..").locator("td.num").first.click()
    expect(page.locator(".drawer .tree")).to_contain_text(HOSTILE)
    expect(page.locator(".drawer-head")).to_contain_text(HOSTILE)
    page.keyboard.press("Escape")
    page.goto(f"{server.url}#/interfaces")
    expect(page.locator("#interfaces h2", has_text=HOSTILE)).to_be_visible()
    page.goto(f"{server.url}#/connections")
    expect(page.locator(ROWS).first).to_be_visible()
    page.locator("#connections-pause").click()
    page.locator("#connections-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".drawer .facts")).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert page.evaluate("window.owned") is None
