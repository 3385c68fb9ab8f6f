"""A value leads on wherever it stands: to the list beside it, and to the other pages that know it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

ROWS = "tbody tr:not([hidden])"


def test_a_value_of_the_table_is_followed_to_another_page(server, page):
    page.goto(f"{server.url}#/connections")
    page.locator(f"#connections-table {ROWS} td.pick").first.click()
    menu = page.locator(".menu")
    address = menu.locator(".mono").first.inner_text()
    for other in ("Hosts", "DNS", "Alerts", "History"):
        expect(menu.get_by_role("menuitem", name=other)).to_be_visible()
    menu.get_by_role("menuitem", name="Packets").click()
    expect(page).to_have_url(re.compile(r"#/packets\?q=ip"))
    asked = page.locator("#packets-filter").input_value().removeprefix("ip:").strip('"')
    assert asked in address


def test_values_of_a_drawer_lead_on_with_the_keyboard(server, page):
    page.goto(f"{server.url}#/hosts")
    page.locator(f"#hosts-table {ROWS}").first.wait_for()
    page.locator("#hosts-table table").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    value = page.locator(".drawer .follow").first
    expect(value).to_be_visible()
    address = value.inner_text()
    value.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".menu").get_by_role("menuitem", name="Connections")).to_be_visible()
    page.locator(".menu").get_by_role("menuitem", name="Connections").press("Enter")
    expect(page.locator("#connections-filter")).to_have_value(
        f"ip:{address}" if ":" not in address else re.compile("^ip:")
    )
    expect(page.locator(f"#connections-table {ROWS}").first).to_be_visible()


def test_no_drawer_is_a_dead_end(server, page):
    for section in ("connections", "alerts", "dns", "cards", "hosts", "packets"):
        page.goto(f"{server.url}#/{section}")
        page.locator(f"#{section}-table {ROWS}").first.wait_for()
        page.locator(f"#{section}-table table").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator(".drawer .follow").first).to_be_visible()
        page.locator(".drawer .follow").first.click()
        expect(page.locator(".menu").get_by_role("menuitem").first).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(page.locator(".drawer")).to_have_count(0)


def test_saving_packets_can_be_ended(server, page, complaints):
    held = []
    page.route("**/api/export/pcap*", lambda route: held.append(route))
    page.goto(f"{server.url}#/captures")
    page.locator("#download-pcap").click()
    expect(page.locator("#captures")).to_contain_text("Writing the file: 0 B so far")
    page.locator("#download-cancel").click()
    expect(page.locator("#download-cancel")).to_be_hidden()
    expect(page.locator("#download-pcap")).to_be_enabled()
    expect(page.locator(".save-error")).to_be_hidden()


def test_a_question_of_the_history_can_be_ended(server, page, complaints):
    held = []
    page.route("**/api/history/summary*", lambda route: held.append(route))
    page.goto(f"{server.url}#/history")
    page.locator("#history-cancel").click()
    expect(page.locator("#history .empty strong")).to_have_text("Cancelled")
    expect(page.locator("#history-cancel")).to_be_hidden()
