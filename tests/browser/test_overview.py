"""The first page: every panel leads into its page, and what it loads at first stays small."""

from __future__ import annotations

import gzip
import re
from urllib.parse import urlsplit

import requests
from playwright.sync_api import expect

from tests.fakes.web import until

from .test_static import STATIC

BUDGET = 240_000  # bytes compressed, without the map


def test_panels_lead_into_their_pages_and_the_first_load_is_small(server, page):
    asked = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).path))
    page.goto(server.url)
    security = page.locator("#security")
    score = security.locator(".score")

    def is_the_apis() -> bool:  # which alerts go on changing
        told = requests.get(f"{server.url}api/security", timeout=30).json()["security_score"]
        return bool(score.text_content() == str(told))

    until(is_the_apis)
    expect(page.locator(".world svg")).to_be_visible()
    files = {re.sub(r"^/static/(v-[0-9a-f]+/)?", "", path) for path in asked if path.startswith("/static/")}
    assert "vendor/world.js" in files
    first = sum(len(gzip.compress((STATIC / path).read_bytes())) for path in files - {"vendor/world.js"})
    assert 100_000 < first < BUDGET
    for name, to in (("All alerts", "alerts"), ("All programs", "programs"), ("All queries", "dns")):
        assert page.get_by_role("link", name=name).get_attribute("href") == f"#/{to}"
    security.locator('[data-severity="high"]').click()
    expect(page.locator("#alerts-filter")).to_have_value("severity:high")
