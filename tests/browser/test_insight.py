"""What the traffic is: applications that filter connections, and what a connection said in its drawer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

HOSTILE = '<img src=x onerror="window.owned=1">'
ROWS = "#connections-table tbody tr:not([hidden])"

TLS = {
    "timestamp": "2026-03-01T12:00:00.000000Z", "transport": "tls", "server_name": HOSTILE, "version": "TLS 1.2", "offered_version": "TLS 1.3",
    "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "alpn": ["h2", "http/1.1"], "ja3": "d" * 32, "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1",
    "ech": True, "quic_version": None, "subject": f"CN={HOSTILE}", "issuer": "CN=Test CA", "not_before": "2020-01-01T00:00:00.000000Z",
    "not_after": "2021-01-01T00:00:00.000000Z", "self_signed": True, "names": [HOSTILE],
}  # fmt: skip
REQUEST = {
    "timestamp": "2026-03-01T12:00:00.000000Z", "method": "GET", "host": "shop.example", "uri": f"/{HOSTILE}", "version": "1.1", "user_agent": HOSTILE,
    "status": 404, "content_type": "text/html", "response_length": 1200, "latency_ms": 12.5, "username": None,
}  # fmt: skip
QUERY = {
    "id": 1, "timestamp": "2026-03-01T12:00:00.000000Z", "client": "192.0.2.1", "server": "192.0.2.2", "query": HOSTILE, "type": "A", "rcode": None,
    "answers": [], "ttl": None, "latency_ms": None, "transport": "udp", "kind": "dns", "resolved_ips": [], "flow_id": 1,
}  # fmt: skip
FACTS = {
    "tls": [TLS, TLS | {"self_signed": None}],
    "http": [REQUEST] * 60,
    "dns": [QUERY],
    "logins": [{"protocol": "ftp", "username": HOSTILE, "succeeded": True}],
}


@pytest.fixture
def drawer(server, page):
    """The first connection's drawer, with facts of every kind."""
    page.route(
        re.compile(r"/api/connections/\d+$"),
        lambda route: route.fulfill(json=route.fetch().json() | FACTS | {"more": {"http": 200}}),
    )
    page.goto(f"{server.url}#/connections")
    expect(page.locator(ROWS).first).to_be_visible()
    page.locator("#connections-pause").click()
    page.locator("#connections-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".drawer [data-facts]").first).to_be_visible()
    return page.locator(".drawer")


def test_the_drawer_says_what_tls_said(drawer):
    tls = drawer.locator("[data-facts=tls]")
    for text in (
        "TLS 1.2",
        "offered: TLS 1.3",
        "TLS_ECDHE_RSA",
        "h2, http/1.1",
        "d" * 32,
        "t13d1516h2",
        "Test CA",
        "ECH",
    ):
        expect(tls).to_contain_text(text)
    expect(tls.locator(".tag-warn").first).to_have_text("self-signed")
    expect(tls.locator(".tag-bad").first).to_have_text("expired")
    expect(tls.locator("summary")).to_have_text("1 further handshake")


def test_the_drawer_lists_the_first_requests_and_counts_all(drawer):
    http = drawer.locator("[data-facts=http]")
    expect(http.locator("ol > li")).to_have_count(50)
    expect(http.locator("h3")).to_contain_text("260")
    expect(http).to_contain_text("The first 50 of 260")
    expect(http.locator("li").first.locator(".tag-warn")).to_have_text("404")


def test_a_login_in_clear_text_warns(drawer):
    logins = drawer.locator("[data-facts=logins]")
    expect(logins).to_have_class(re.compile("warned"))
    expect(logins).to_contain_text("FTP")
    expect(logins).to_contain_text("accepted")
    expect(drawer.locator("[data-facts=dns]")).to_contain_text("Unanswered")


def test_what_peers_sent_stays_text(drawer, page):
    for kind in FACTS:
        expect(drawer.locator(f"[data-facts={kind}]")).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert page.evaluate("window.owned") is None


def overview_with(page, **more: object) -> None:
    """Statistics with something added, and no live ones that would take their place."""
    page.route("**/api/stats", lambda route: route.fulfill(json=route.fetch().json() | more))
    page.route("**/socket.io/**", lambda route: route.abort())
    page.route_web_socket("**/socket.io/**", lambda socket: socket.close())


APPLICATIONS = [
    {"name": "Google Maps", "bytes": 3_000_000, "packets": 4000, "flows": 12},
    {"name": HOSTILE, "bytes": 900_000, "packets": 900, "flows": 1},
    {"name": None, "bytes": 100_000, "packets": 90, "flows": 3},
]
INSIGHT = {"engine": "ndpi", "engine_version": "5.0", "engine_why_not": None, "bytes_read": 2_000_000, "bytes_skipped": 1000, "flows_passed_over": 3, "failures": 4}  # fmt: skip


def test_an_application_leads_to_its_connections(server, page, complaints):
    totals = {"packets": 5000, "bytes": 4_000_000}
    overview_with(page, applications=APPLICATIONS, insight=INSIGHT, totals=totals)
    page.goto(server.url)
    panel = page.locator("#applications")
    expect(panel.locator("tbody tr")).to_have_count(3)
    expect(panel.locator(".tag")).to_have_text("nDPI 5.0")
    expect(panel.locator("tbody tr").first).to_contain_text("75 %")
    expect(panel.locator("tbody tr").last).to_contain_text("Not recognised")
    expect(panel.locator("tbody tr").nth(1)).to_contain_text(HOSTILE)
    panel.get_by_role("link", name="Google Maps").click()
    expect(page.locator("#connections-filter")).to_have_value('application:="Google Maps"')
    assert page.locator("img").count() == 0
    complaints.clear()  # the aborted requests


def test_which_engine_is_in_use_and_why(server, page, complaints):
    content = INSIGHT | {
        "engine": "content",
        "engine_version": None,
        "engine_why_not": "the package nfstream is not installed",
    }
    overview_with(page, applications=APPLICATIONS, insight=content)
    page.goto(server.url)
    tag = page.locator("#applications .tag")
    expect(tag).to_have_text("by content and port")
    tag.hover()
    expect(page.locator("#tip")).to_contain_text("the package nfstream is not installed")
    complaints.clear()  # the aborted requests


def test_what_inspectors_left_out_is_shown(server, page, complaints):
    overview_with(page, insight=INSIGHT)
    page.goto(server.url)
    health = page.locator("section[aria-label='Capture health']")
    for name, value in (
        ("Payload read", "2.00 MB"),
        ("Payload skipped", "1.00 kB"),
        ("Flows passed over", "3"),
        ("Inspector failures", "4"),
    ):
        expect(health.locator("dl > div", has_text=name)).to_contain_text(value)
    complaints.clear()  # the aborted requests
