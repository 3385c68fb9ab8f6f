"""Hosts and the world map: what is listed, how a click goes on, and that both fit a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import poll

ROWS = "#hosts-table tbody tr:not([hidden])"


def test_a_host_opens_and_leads_to_its_connections(server, page):
    page.goto(f"{server.url}#/hosts")
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("#hosts-table .credit")).to_have_attribute("href", "https://db-ip.com/")
    page.locator("#hosts-filter").fill("kind:remote country:us")
    page.keyboard.press("Enter")
    expect(page.locator(ROWS).first).to_contain_text("United States")
    page.locator("#hosts-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    drawer = page.locator(".drawer[data-kind=host]")
    expect(drawer.locator("[data-facts=peers]")).to_be_visible()
    expect(drawer).to_contain_text("United States")
    drawer.get_by_text("Its connections").click()
    expect(page.locator("#connections-filter")).to_have_value(re.compile(r"^ip:"))


def test_a_wrong_filter_says_what_is_allowed(server, page, complaints):
    page.goto(f"{server.url}#/hosts")
    expect(page.locator(ROWS).first).to_be_visible()
    page.locator("#hosts-filter").fill("colour:red")
    page.keyboard.press("Enter")
    expect(page.locator("#hosts-filter-error")).to_contain_text("colour")
    complaints.expect_refusals()


def test_the_map_is_coloured_as_the_table_says(server, page):
    page.goto(f"{server.url}#/world")
    first = page.locator("#world .place-table tbody tr").first
    expect(first).to_be_visible()
    name = first.locator("a").text_content()
    expect(page.locator(f"#world [data-part][data-tip^='{name}']")).to_have_count(1)
    parts = page.eval_on_selector_all("#world .world [data-part]", "all => all.map(one => Number(one.dataset.part))")
    assert max(parts) == 1
    assert min(parts) > 0.1
    expect(page.locator("#world .credit")).to_have_text("IP Geolocation by DB-IP")
    page.locator("#world .world path[data-country=BR]").click()
    expect(page.locator("#connections-filter")).to_have_value("country:BR")


@pytest.mark.parametrize("section", ["hosts", "world"])
def test_both_fit_a_phone(server, open_page, section):
    page = open_page(width=390, height=844)
    page.goto(f"{server.url}#/{section}")
    poll(page, "document.querySelector('main').textContent.length", lambda length: length > 300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_first_page_has_the_map(server, page):
    page.goto(server.url)
    expect(page.locator("#overview .world [data-part]").first).to_be_visible()
    expect(page.locator("#overview .credit")).to_be_visible()
