"""The search box: what it offers where the cursor stands, with the keyboard alone; where a query is wrong."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

ROWS = "#connections-table tbody tr:not([hidden])"


@pytest.fixture
def box(server, page):
    page.goto(f"{server.url}#/connections")
    expect(page.locator(ROWS).nth(3)).to_be_visible()
    field = page.locator("#connections-filter")
    field.click()
    return field


def test_fields_and_values_are_offered_and_taken_with_the_keyboard(box, page):
    page.keyboard.type("prot")
    offered = page.locator("#connections-filter-offers [role=option]")
    expect(offered.first).to_contain_text("protocol")
    expect(box).to_have_attribute("aria-expanded", "true")
    expect(page.locator(ROWS).first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", offered.first.get_attribute("id"))
    expect(offered.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(box).to_have_value("protocol:")
    expect(offered.first).to_contain_text(re.compile(r"^(tcp|udp)\d"))  # seen most, with how often
    page.keyboard.type("ic")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(box).to_have_value("protocol:icmp ")
    expect(box).to_be_focused()
    expect(page.locator(f"{ROWS} td[data-kind=icmp]").first).to_be_visible()
    expect(page.locator(f"{ROWS} td[data-kind=tcp]")).to_have_count(0)


def test_inside_a_query_only_the_word_at_the_cursor_is_replaced(box, page):
    box.fill("(port:443 OR serv) -bytes:>1M")
    for _ in range(len(") -bytes:>1M")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.type("i")
    expect(page.locator("#connections-filter-offers [role=option]").first).to_contain_text("service")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box).to_have_value("(port:443 OR service:) -bytes:>1M")
    page.keyboard.type("http")
    page.locator("#connections-filter-offers [role=option]", has_text="https").first.click()
    expect(box).to_have_value(re.compile(r"^\(port:443 OR service:https\) -bytes:>1M$", re.I))


def test_escape_closes_the_offers_and_nothing_else(box, page):
    page.keyboard.type("sort:-by")
    offered = page.locator("#connections-filter-offers")
    expect(offered).to_contain_text("-bytes")
    page.keyboard.press("Escape")
    expect(offered).to_be_hidden()
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(offered).to_be_visible()


@pytest.mark.parametrize(
    ("section", "query", "wrong", "column"),
    [
        ("connections", "port:443 prt:22 bytes:>1M", "prt:22", 10),
        ("alerts", "severity:high colour:red", "colour:red", 15),
    ],
)
def test_a_mistake_is_shown_where_it_is(server, page, complaints, section, query, wrong, column):
    page.goto(f"{server.url}#/{section}")
    box = page.locator(f"#{section}-filter")
    box.fill(query)
    place = page.locator(f"#{section}-filter-error .query-place")
    expect(place.locator("mark")).to_have_text(wrong)
    expect(place).to_have_attribute("aria-label", f"Column {column}")
    place.click()
    assert box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == wrong
    complaints.expect_refusals()
