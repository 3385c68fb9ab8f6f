"""Settings & health, and help: what is on, what was lost, what it is made of; everything explained can be found."""

from __future__ import annotations

import requests
from playwright.sync_api import expect

from tests.fakes.web import until

from .test_accessibility import violations


def test_health_losses_settings_and_licences(server, page):
    page.goto(f"{server.url}#/settings")
    view = page.locator("#settings")
    expect(view).to_contain_text("HISTORY is 0")
    expect(view).to_contain_text("ALERT_WEBHOOK")
    expect(view.locator("li", has_text="kernel drops").locator(".number")).to_have_text("3")
    for setting in requests.get(f"{server.url}api/settings", timeout=30).json():
        expect(view.locator("td.mono", has_text=setting["name"]).first).to_be_visible()
    expect(view.locator("tr", has_text="uPlot.iife.min.js")).to_contain_text("MIT")
    expect(view.get_by_role("link", name="IP Geolocation by DB-IP")).to_have_attribute("href", "https://db-ip.com/")
    expect(view.locator("tr", has_text="web").first).to_contain_text("MB")
    assert violations(page) == []


def test_help_is_searched(server, page):
    page.goto(f"{server.url}#/help")
    view = page.locator("#help")
    metrics = requests.get(f"{server.url}api/help", timeout=30).json()
    expect(view.locator(".help-list dt code", has_text="kernel_drops")).to_have_count(1)
    expect(view.locator("section:last-of-type .help-list dt")).to_have_count(len(metrics))
    rules = requests.get(f"{server.url}api/rules", timeout=30).json()
    expect(view.locator("details")).to_have_count(len(rules))
    assert violations(page) == []
    page.keyboard.press("/")
    page.keyboard.type("arp spoof")
    until(lambda: 0 < view.locator("details").count() < 10)
    expect(view.locator("details").first).to_be_visible()
    page.locator("#help-search").fill("zzzzz")
    expect(view).to_contain_text("Nothing here has these words")
