"""The page of card numbers: findings masked, filtered by a click, with their reasons in the drawer; and the report to print."""

from __future__ import annotations

from playwright.sync_api import expect

ROWS = "#cards-table tbody tr:not([hidden])"


def test_findings_reasons_and_report(server, page):
    page.goto(f"{server.url}#/cards")
    expect(page.locator(ROWS)).to_have_count(6)
    expect(page.locator("#cards .strip")).to_contain_text("Different numbers6")
    page.goto(f"{server.url}#/cards?q=brand:visa")
    expect(page.locator(ROWS)).to_have_count(2)
    page.locator(ROWS).first.locator("td").first.click()
    page.keyboard.press("Enter")
    drawer = page.locator(".drawer, [role=dialog]").first
    expect(drawer).to_contain_text("401288******1881")
    expect(drawer).to_contain_text("track 1 data")
    expect(page.locator("#cards-report")).to_have_attribute("href", "/api/cards/report")
    page.goto(f"{server.url}api/cards/report")
    expect(page.locator("h1")).to_have_text("Exposure of payment card numbers")
    expect(page.locator("table.findings tbody tr")).to_have_count(6)
