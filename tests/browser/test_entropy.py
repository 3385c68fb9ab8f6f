"""The entropy page: alerts first, a graph for each flow, search by address, the numbers behind a graph."""

from __future__ import annotations

import re

from playwright.sync_api import expect

CARDS = ".entropy-card"


def test_cards_graphs_search_and_values(server, page):
    page.goto(f"{server.url}#/entropy")
    expect(page.locator(CARDS)).to_have_count(10)
    first = page.locator(CARDS).first
    expect(first.locator(".tag-bad")).to_be_visible()
    expect(first.locator("canvas")).to_be_visible()
    expect(first.locator(".entropy-side").first).to_contain_text("text")
    expect(first.locator(".entropy-side").last).to_contain_text("encrypted or random")
    expect(page.locator(".entropy-slots")).to_contain_text("60 of 4,096 slots in use")
    first.locator("summary").click()
    expect(first.locator("tbody tr").first).to_contain_text(re.compile(r"\d\.\d\d"))

    page.locator("#entropy-top").select_option("20")
    expect(page.locator(CARDS)).to_have_count(20)
    page.locator("#entropy-protocol").select_option("udp")
    expect(page).to_have_url(re.compile("protocol=udp"))
    page.locator("#entropy-filter").fill("203.0.113.250")
    expect(page.locator("#entropy .empty")).to_contain_text("No measured flow matches")
    page.locator("#entropy-filter").fill("nobody")
    expect(page.locator("#entropy-filter-error")).to_contain_text("no address")
