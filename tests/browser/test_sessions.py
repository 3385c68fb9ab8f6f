"""Capture files that are open beside the live capture: opened from the page, switched to, kept over a reload, closed."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .conftest import poll

PCAP = {"name": "tuesday.pcap", "mimeType": "application/octet-stream", "buffer": b"\xd4\xc3\xb2\xa1" + bytes(20)}


def accept_legal(page, url):
    page.request.post(f"{url}api/legal", data={"accepted": True})


def test_a_file_becomes_a_session_with_pages_of_its_own(start_server, page, complaints):
    server = start_server()
    accept_legal(page, server.url)
    page.goto(f"{server.url}#/captures")
    switch = page.locator("#session-switch")
    expect(switch).to_be_hidden()
    expect(page.locator("#session-list")).to_contain_text("No file is open")
    page.locator("#replay-file").set_input_files(PCAP)
    row = page.locator("#session-list li")
    expect(row).to_contain_text("tuesday.pcap")
    expect(page.locator("#captures")).to_contain_text("tuesday.pcap is open beside the live capture")
    expect(switch).to_be_visible()
    expect(page.locator("#capture-state")).to_have_attribute("data-state", "running")

    switch.click()
    page.get_by_role("menuitemradio", name=re.compile("tuesday.pcap")).click()
    page.wait_for_url("**/?session=*#/overview")
    expect(page.locator("#session-line")).to_contain_text("tuesday.pcap")
    expect(page.locator("#bpf")).to_have_count(0)
    expect(page.locator('#nav a[data-section="history"]')).to_have_count(0)
    expect(page.locator("#capture-state")).to_have_attribute("data-state", "finished")
    page.reload()
    expect(page.locator("#session-line")).to_contain_text("tuesday.pcap")
    page.locator('#nav a[data-section="connections"]').click()
    expect(page.locator("#connections h1")).to_be_visible()
    session = re.search(r"session=(\w+)", page.url)[1]
    asked = page.request.get(f"{server.url}api/capture?session={session}").json()
    assert asked["file"] == "tuesday.pcap"

    page.locator('#nav a[data-section="captures"]').click()
    page.get_by_role("button", name="Rename tuesday.pcap").click()
    page.get_by_label("Name", exact=True).fill("The <b>outage</b>")
    page.keyboard.press("Enter")
    expect(page.locator("#session-line")).to_contain_text("The <b>outage</b>")
    page.get_by_role("button", name="Close The <b>outage</b>").click()
    expect(page.locator('.banner[data-id="session"]')).to_contain_text("This session was closed")
    complaints.expect_refusals()  # what the page asks for is no longer there
    page.locator('.banner[data-id="session"] a').click()
    expect(page.locator("#bpf")).to_be_visible()
    expect(page.locator("#capture-state")).to_have_attribute("data-state", "running")
    complaints.expect_refusals()


def test_a_file_in_place_of_the_live_capture(start_server, page):
    server = start_server()
    accept_legal(page, server.url)
    page.goto(f"{server.url}#/captures")
    page.locator("#beside").uncheck()
    page.locator("#replay-file").set_input_files(PCAP)
    expect(page.locator("#captures")).to_contain_text("tuesday.pcap is read")
    expect(page.locator("#session-switch")).to_be_hidden()


def test_files_are_saved_in_another_form(start_server, page, complaints):
    server = start_server()
    accept_legal(page, server.url)
    page.goto(f"{server.url}#/captures")
    total = "fetch('/api/connections?limit=1').then((answer) => Number(answer.headers.get('X-Total-Count')))"
    poll(page, total, lambda count: count > 0)  # before, there is nothing to save
    expect(page.locator("#export-schema")).to_be_hidden()
    page.locator("#export-what").select_option("connections")
    page.locator("#export-form").select_option("ndjson")
    page.locator("#export-schema").select_option("eve")
    page.locator("#export-filter").fill("protocol:tcp")
    with page.expect_download() as saved:
        page.locator("#download-pcap").click()
    assert saved.value.suggested_filename == "netglass-connections-eve.ndjson"
    page.locator("#export-shareable").check()
    with page.expect_download() as saved:
        page.locator("#download-pcap").click()
    assert saved.value.suggested_filename.endswith("-shareable.zip")
    page.locator("#export-filter").fill("nonsense:1")
    page.locator("#download-pcap").click()
    expect(page.locator(".save-error")).to_contain_text("nonsense")
    complaints.expect_refusals()
