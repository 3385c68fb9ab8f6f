"""Every section in both themes, with its drawer where it has one, under axe-core: nothing critical, nothing serious."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import poll
from .test_program import SECTIONS

VENDOR = Path(__file__).parent / "vendor"
AXE = (VENDOR / "axe.min.js").read_text()
TABLES = ("connections", "alerts", "dns", "packets")
CHECK = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ['violations']});
    return violations.filter(one => ['critical', 'serious'].includes(one.impact))
        .map(one => `${one.id}: ${one.nodes.slice(0, 4).map(node => `${node.html.slice(0, 160)} ${node.any.map(any => any.message).join(' ').slice(0, 160)}`).join(' | ')}`);
}"""


def violations(page) -> list[str]:
    page.evaluate("document.body.style.background = 'var(--bg)'")  # contrast cannot be measured on a gradient
    page.evaluate(AXE)  # by the debugger: the page's policy lets no other script in
    return page.evaluate(CHECK)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_section_has_serious_faults(server, open_page, theme, width, complaints):
    page = open_page(width=width, height=900, reduced_motion="reduce")
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    if theme == "light":
        page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    faults = {}
    for section in SECTIONS:
        page.goto(f"{server.url}#/{section}")
        expect(page.locator(f"#{section} h1")).to_be_visible()
        if section in TABLES:
            expect(page.locator(f"#{section}-table tbody tr:not([hidden])").first).to_be_visible()
            page.locator(f"#{section}-pause").click()
        else:
            poll(page, "document.querySelector('main').textContent.length", lambda length: length > 80)
        faults[section] = violations(page)
        if section in TABLES:
            page.locator(f"#{section}-table table").focus()
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            expect(page.locator(".drawer-body h3, .drawer-body .tree, .drawer-body .empty").first).to_be_visible()
            faults[f"{section}, drawer"] = violations(page)
            page.keyboard.press("Escape")
    assert {where: found for where, found in faults.items() if found} == {}
    complaints.expect_refusals()  # history is off here


def test_the_checker_is_the_listed_one():
    digest = re.search(r"`axe\.min\.js`.*`([0-9a-f]{64})`", (VENDOR / "VENDOR.md").read_text()).group(1)
    assert hashlib.sha256((VENDOR / "axe.min.js").read_bytes()).hexdigest() == digest
