"""The dissection drawer over a real dissection: tree and bytes point at each other, card numbers stay masked."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

CARD = b"4111111111111111"
PAYLOAD = b"POST /pay HTTP/1.1\r\nHost: shop.example\r\n\r\ncard=" + CARD


@pytest.fixture(scope="module")
def dissection() -> dict[str, object]:
    """What the dissector says about one HTTP request, through its real child process."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    from app.dissect.client import Dissector

    frame = Ether(dst="52:54:00:12:35:02", src="08:00:27:a1:b2:c3") / IP(src="192.0.2.1", dst="198.51.100.2")
    frame = frame / TCP(sport=51234, dport=80, flags="PA", seq=1000, ack=2000) / Raw(PAYLOAD)
    dissector = Dissector()
    try:
        return dissector.dissect(bytes(frame), 1)
    finally:
        dissector.close()


@pytest.fixture
def drawer(server, page, dissection):
    page.route("**/api/packets/*", lambda route: route.fulfill(json=dissection))
    page.goto(f"{server.url}#/packets")
    expect(page.locator("#packets-table tbody tr:not([hidden])").first).to_be_visible()
    page.locator("#packets-pause").click()
    page.locator("#packets-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    opened = page.locator(".drawer")
    expect(opened.locator(".tree")).to_be_visible()
    return opened


def marked(drawer, name: str) -> list[int]:
    """Offsets of the bytes (in their hexadecimal half) that carry a mark."""
    return drawer.locator(f".hex-row > span:nth-child(2) b[data-{name}]").evaluate_all(
        "all => all.map(b => +b.dataset.at)"
    )


def test_a_field_marks_its_bytes(drawer):
    drawer.locator(".line", has_text="Destination port").click()
    assert marked(drawer, "sel") == [36, 37]
    drawer.locator(".line", has_text="Source address").last.hover()
    assert marked(drawer, "lit") == list(range(26, 30))
    drawer.locator(".line", has_text="Ethernet").click()
    assert marked(drawer, "sel") == list(range(14))


def test_a_byte_marks_its_field(drawer):
    drawer.locator('.hex b[data-at="48"]').first.hover()
    expect(drawer.locator(".line[data-lit]")).to_contain_text("Window")
    drawer.locator('.hex b[data-at="22"]').first.click()
    expect(drawer.locator('[role=treeitem][aria-selected="true"] > .line')).to_contain_text("Time to live")
    assert marked(drawer, "sel") == [22]


def test_the_tree_is_moved_in_by_keyboard(drawer, page):
    expect(drawer.locator("[role=treeitem]").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(drawer.locator('[aria-selected="true"] > .line')).to_contain_text("Destination address")
    assert marked(drawer, "sel") == list(range(6))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(drawer.locator("[role=treeitem]").first).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(drawer.locator('[aria-selected="true"] > .line').first).to_contain_text("IPv4")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_a_card_number_is_masked_and_marked(drawer):
    expect(drawer.locator(".drawer-head")).to_contain_text("Card number masked")
    assert CARD.decode() not in drawer.text_content()
    assert len(marked(drawer, "masked")) == 6
