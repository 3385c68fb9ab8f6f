"""The DNS page: what was asked and what came back, filtered by a click, in full in the drawer; and text that stays text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from .conftest import poll

HOSTILE = '<img src=x onerror="window.owned=1">'
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
ROWS = "#dns-table tbody tr:not([hidden])"


def query(number: int, name: str, rcode: str | None, answers: list[object], **more: object) -> dict[str, object]:
    """A row of the log; each is a second after the one before, and all are newer than what the sensor tells meanwhile."""
    return {
        "id": 1_000_000_000 + number, "timestamp": (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"), "flow_id": 7, "client": "192.168.1.23",
        "server": "192.168.1.1", "query": name, "type": "A", "rcode": rcode, "answers": answers, "ttl": 60 if answers else None,
        "latency_ms": None if rcode is None else 10.0 * number, "transport": "udp", "kind": "dns", "resolved_ips": [],
    } | more  # fmt: skip


LOG = [
    query(4, HOSTILE, "NOERROR", [f"TXT {HOSTILE}"]),
    query(3, "silent.example", None, []),
    query(2, "missing.example", "NXDOMAIN", []),
    query(1, "www.example.org", "NOERROR", ["CNAME web.example.org", "A 192.0.2.10", "A 192.0.2.11"]),
]


@pytest.fixture
def log(server, page):
    """The page over four queries; which query strings it asked with is in `asked`."""
    page.asked = []

    def answer(route):
        page.asked.append(route.request.url)
        route.fulfill(json=LOG)

    page.route("**/api/dns_queries*", answer)
    page.goto(f"{server.url}#/dns")
    page.locator("#dns-pause").click()
    expect(page.locator(ROWS, has_text="www.example.org")).to_be_visible()
    return page


def cells(page, name: str) -> list[str]:
    return page.locator(ROWS, has_text=name).locator("td").all_text_contents()


def test_a_query_shows_its_first_address_and_how_many_more(log):
    shown = cells(log, "www.example.org")
    assert "192.0.2.10  +2" in shown
    assert {"192.168.1.23", "192.168.1.1", "A", "NOERROR", "10 ms", "DNS"} <= set(shown)


def test_what_was_not_answered_says_so(log):
    assert "Unanswered" in cells(log, "silent.example")
    expect(log.locator(f"{ROWS} td[data-tone=warn]", has_text="NXDOMAIN")).to_be_visible()
    expect(log.locator(f"{ROWS} td[data-tone=good]", has_text="NOERROR").first).to_be_visible()
    log.locator(ROWS, has_text="silent.example").locator("td").first.click()
    expect(log.locator(".drawer")).to_contain_text("Nobody answered")


def test_the_figures_are_those_of_the_list(log):
    figures = log.locator("#dns .strip > div")
    expect(figures.nth(0)).to_contain_text("4")
    expect(figures.nth(1)).to_contain_text("25 %")
    expect(figures.nth(2)).to_contain_text("25 %")
    expect(figures.nth(3)).to_contain_text("20 ms")


def test_a_click_on_a_value_filters(log):
    log.locator(f"{ROWS} td", has_text="NXDOMAIN").click()
    log.get_by_role("menuitem", name="Only this value").click()
    expect(log.locator("#dns-filter")).to_have_value("rcode:=NXDOMAIN")
    expect(log).to_have_url(re.compile(r"#/dns\?q=rcode"))
    poll(log, "location.hash", lambda text: "rcode" in str(text))
    assert any("q=rcode%3A%3DNXDOMAIN" in url for url in log.asked)


def test_the_unanswered_are_found_by_what_they_lack(log):
    log.locator(f"{ROWS} td", has_text="Unanswered").click()
    log.get_by_role("menuitem", name="Only this value").click()
    expect(log.locator("#dns-filter")).to_have_value("-rcode:*")


def test_the_drawer_lists_every_answer_and_leads_to_the_flow(log):
    log.locator(ROWS, has_text="www.example.org").locator("td").first.click()
    drawer = log.locator(".drawer")
    expect(drawer.locator(".records tbody tr")).to_have_count(3)
    expect(drawer).to_contain_text("192.0.2.11")
    expect(drawer).to_contain_text("may be kept for 1 min")
    expect(drawer.get_by_role("link", name="Flow of this query")).to_have_attribute(
        "href", "#/connections?q=flow_id%3A7"
    )
    log.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_hostile_names_stay_text(log):
    log.locator(ROWS, has_text=HOSTILE).locator("td").first.click()
    expect(log.locator(".drawer h2")).to_have_text(HOSTILE)
    expect(log.locator(".drawer .records")).to_contain_text(HOSTILE)
    assert log.locator("img").count() == 0
    assert log.evaluate("window.owned") is None


def test_without_queries_the_page_says_why(server, page):
    page.route("**/api/dns_queries*", lambda route: route.fulfill(json=[]))
    page.route_web_socket("**/socket.io/**", lambda socket: socket.close())
    page.goto(f"{server.url}#/dns")
    expect(page.locator("#dns .vt-empty")).to_contain_text("No DNS queries yet")


def test_the_live_list_grows(server, page):
    page.goto(f"{server.url}#/dns")
    rows = "Number(document.querySelector('#dns-table table')?.dataset.rows)"
    first = poll(page, rows, lambda count: count > 0)
    poll(page, rows, lambda count: count > first)
