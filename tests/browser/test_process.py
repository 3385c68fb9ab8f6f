"""Whose connection it is, in its drawer: the program with its surroundings as text, or why it is not known."""

from __future__ import annotations

import re

from playwright.sync_api import expect

HOSTILE = '<img src=x onerror="window.owned=1">'
ROWS = "#connections-table tbody tr:not([hidden])"
KNOWN = {
    "app_name": HOSTILE, "pid": 4242, "app_path": "/usr/bin/curl", "command_line": f"curl {HOSTILE}", "user": "ann",
    "parents": "bash (812) ← sshd (700)", "process_start": "2026-03-01T12:00:00.000000Z", "container": "docker 0123456789ab", "unit": None,
    "cpu_percent": 12.5, "memory_percent": 0.4, "peer_app_name": "nginx", "peer_pid": 99,
    "attribution": {"method": "sock_diag", "confidence": 0.8, "seen_after_ms": 31.0, "reason": "The program that listens."},
}  # fmt: skip
UNKNOWN = dict.fromkeys(KNOWN) | {
    "attribution": {"method": None, "confidence": None, "seen_after_ms": None, "reason": "The socket was closed."}
}


def opened(server, page, values):
    def answer(route):
        document = route.fetch().json()
        document["connection"].update(values)
        route.fulfill(json=document)

    page.route(re.compile(r"/api/connections/\d+$"), answer)
    page.goto(f"{server.url}#/connections")
    expect(page.locator(ROWS).first).to_be_visible()
    page.locator("#connections-pause").click()
    page.locator("#connections-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    return page.locator(".drawer [data-facts=process]")


def test_the_drawer_says_whose_it_is(server, page):
    section = opened(server, page, KNOWN)
    for text in (
        HOSTILE,
        "PID 4242",
        "/usr/bin/curl",
        "bash (812) ← sshd (700)",
        "docker 0123456789ab",
        "13",
        "nginx",
        "PID 99",
    ):
        expect(section).to_contain_text(text)
    expect(section).to_contain_text("a look-up of the socket · 31")
    expect(section).to_contain_text("The program that listens.")
    expect(section.locator(".tag-warn")).to_contain_text("80")
    assert page.evaluate("window.owned") is None


def test_the_drawer_says_why_it_is_not_known(server, page):
    section = opened(server, page, UNKNOWN)
    expect(section).to_contain_text("The socket was closed.")
    assert section.locator("dt").count() == 0
