"""The Alerts page: the list, one alert in full, what people say of it, mute rules, the packets behind it; and text that stays text."""

from __future__ import annotations

import re

import pytest
import requests
from playwright.sync_api import expect

ROWS = "#alerts-table tbody tr:not([hidden])"


def accepted(server):
    """The legal notice is out of the way."""
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    return server


@pytest.fixture
def alerts(start_server, page):
    """A server of its own: what is judged and muted here is nobody else's."""
    server = accepted(start_server("--interval", "0.1"))
    page.goto(f"{server.url}#/alerts")
    expect(page.locator(ROWS).nth(5)).to_be_visible()
    page.locator("#alerts-pause").click()
    return page


def open_one(page, text):
    page.locator(ROWS, has_text=text).first.locator("td").nth(1).click()
    drawer = page.locator(".drawer[data-kind=alert]")
    expect(drawer.locator("#alert-note")).to_be_visible()
    return drawer


def test_an_alert_says_why_who_and_what_to_do(alerts):
    drawer = open_one(alerts, "Port scan")
    expect(drawer).to_contain_text("the limit is 25")
    expect(drawer).to_contain_text("Measured")
    expect(drawer).to_contain_text("What to do")
    expect(drawer).to_contain_text("A file with 1 packet")
    with alerts.expect_download() as saved:
        drawer.locator("#alert-packets").click()
    assert re.fullmatch(r"netglass-alert-[0-9a-f]{16}\.pcapng", saved.value.suggested_filename)


def test_hostile_text_stays_text(alerts):
    drawer = open_one(alerts, "Regular contact")
    expect(drawer.locator("h2")).to_have_text("Regular contact <img src=x onerror=alert(1)>")
    assert alerts.locator("main img, .drawer img, .drawer script").count() == 0


def test_status_and_note_are_kept(alerts):
    drawer = open_one(alerts, "Port scan")
    drawer.locator("#alert-note").fill("our own scanner <b>")
    drawer.locator("[data-status=acknowledged]").click()
    expect(drawer.locator("[data-status=acknowledged]")).to_have_attribute("aria-pressed", "true")
    expect(drawer.locator("#alert-note")).to_have_value("our own scanner <b>")
    alerts.keyboard.press("Escape")
    alerts.locator("#alerts-filter").fill("status:acknowledged")
    alerts.locator("#alerts-filter").press("Enter")
    expect(alerts.locator(ROWS)).to_have_count(1)
    expect(alerts.locator(ROWS)).to_contain_text("Acknowledged")


def test_what_is_typed_is_not_replaced_by_a_late_answer(alerts):
    """The drawer opens with what the list knows, and the rest comes when it comes: a note begun before that is the reader's."""
    late = []
    alerts.route(
        re.compile(r"/api/alerts/[0-9a-f]{16}$"),
        lambda route: late.append(route) if route.request.method == "GET" else route.continue_(),
    )
    drawer = open_one(alerts, "Port scan")
    note = drawer.locator("#alert-note")
    note.click()
    alerts.keyboard.type("seen at the")
    while not late:
        alerts.wait_for_timeout(50)
    for route in late:
        route.continue_()
    expect(drawer).to_contain_text("A file with 1 packet")  # the late answer is drawn
    expect(note).to_be_focused()
    alerts.keyboard.type(" gate")
    expect(note).to_have_value("seen at the gate")


def test_a_mute_rule_is_tried_made_seen_and_taken_back(alerts, complaints):
    open_one(alerts, "ARP sweep")
    alerts.locator("#alert-mute").click()
    dialog = alerts.locator("#mute-dialog")
    dialog.locator("#mute-q").fill("rule:host_sweep_arp")
    expect(dialog).to_contain_text(re.compile(r"Would have hidden \d+ of \d+ alerts, \d+ of them medium\."))
    dialog.locator("#mute-make").click()
    expect(dialog.locator(".field-error")).to_contain_text("reason")
    dialog.locator("#mute-reason").fill("the printer looks for itself")
    dialog.locator("#mute-q").fill("colour:red")
    expect(dialog.locator(".field-error")).to_contain_text("colour")
    dialog.locator("#mute-q").fill("rule:host_sweep_arp")
    expect(dialog.locator(".field-error")).to_be_hidden()
    dialog.locator("#mute-make").click()
    expect(dialog).to_have_count(0)
    alerts.keyboard.press("Escape")
    expect(alerts.locator(ROWS, has_text="ARP sweep")).to_have_count(0)
    alerts.locator("#alerts-muted").click()
    expect(alerts.locator(ROWS, has_text="ARP sweep").first).to_contain_text("Muted")
    alerts.locator("#alerts-rules").click()
    expect(alerts.locator("#mutes-dialog")).to_contain_text("the printer looks for itself")
    alerts.locator("#mutes-dialog").get_by_role("button", name="Take back").click()
    expect(alerts.locator("#mutes-dialog")).to_contain_text("Nothing is muted.")
    complaints.expect_refusals()


def test_the_score_shows_its_arithmetic_and_severities_filter(alerts):
    alerts.locator("#score-why").click()
    panel = alerts.locator(".score-arithmetic")
    expect(panel).to_contain_text("100 − the sum over rules")
    expect(panel).to_contain_text("port_scan")
    expect(panel).to_contain_text("Not seen: kernel drops 3")
    alerts.get_by_role("button", name="Only Critical alerts").click()
    expect(alerts.locator("#alerts-filter")).to_have_value("severity:critical")
    expect(alerts.locator(ROWS, has_text="Port scan")).to_have_count(0)


def test_new_alerts_wait_while_the_list_is_paused(alerts):
    newer = alerts.locator(".vt-newer")
    expect(newer).to_contain_text("new alert")
    before, waiting = alerts.locator("#alerts-table table").get_attribute("data-rows"), newer.inner_text()
    expect(newer).not_to_have_text(waiting)
    expect(alerts.locator("#alerts-table table")).to_have_attribute("data-rows", before)
    alerts.locator(".vt-newer").click()
    expect(alerts.locator(".vt-newer")).to_be_hidden()


def test_a_loud_alert_is_told_on_other_pages(start_server, page):
    server = accepted(start_server("--interval", "0.3"))
    page.goto(f"{server.url}#/interfaces")
    expect(page.locator(".toast", has_text="Critical: Regular contact").first).to_be_visible()
    expect(page.locator('#nav a[data-section="alerts"] .count')).not_to_have_text("")


def test_the_report_and_a_printed_page_need_no_screen(alerts):
    alerts.locator("#alerts-filter").fill("severity:critical")
    alerts.locator("#alerts-filter").press("Enter")
    expect(alerts.locator(ROWS, has_text="Port scan")).to_have_count(0)
    alerts.emulate_media(media="print")
    expect(alerts.locator(".rail")).to_be_hidden()
    expect(alerts.locator(ROWS).first).to_be_visible()
    assert alerts.evaluate("getComputedStyle(document.body).color") == "rgb(17, 17, 17)"
    alerts.emulate_media(media="screen")
    with alerts.expect_popup() as opened:
        alerts.locator("#alerts-report").click()
    report = opened.value
    expect(report.locator(".alerts")).to_contain_text("Regular contact <img src=x onerror=alert(1)>")
    expect(report.locator(".alerts")).not_to_contain_text("Port scan")
    expect(report.locator("body")).to_contain_text("100 − the sum over rules")
    assert report.locator("img, script").count() == 0
    assert report.pdf(prefer_css_page_size=True).startswith(b"%PDF")
