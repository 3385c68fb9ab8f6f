"""The entropy page: cards with graphs, search, and the table behind a graph."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site


def test_the_page_says_what_there_is(page: Page, site: Site) -> None:
    site.open(page, "#/entropy")
    expect(page.get_by_role("heading", name=re.compile("^Entropy"))).to_be_visible()
    expect(page.locator("#entropy-filter")).to_be_visible()
    page.locator("#entropy-filter").fill("nobody")
    expect(page.locator("#entropy-filter-error")).to_contain_text("no address")
