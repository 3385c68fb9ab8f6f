"""The page as a program: legal notice, start, stop and quit, what it says when something is gone, shortcuts, no overflow."""

from __future__ import annotations

import time

import requests
from playwright.sync_api import expect

from .conftest import poll

#: Every section in the order of the navigation, with the letter after g.
SECTIONS = {
    "overview": "o",
    "connections": "c",
    "alerts": "a",
    "history": "y",
    "programs": "r",
    "hosts": "h",
    "world": "w",
    "dns": "d",
    "entropy": "e",
    "cards": "n",
    "packets": "p",
    "interfaces": "i",
    "captures": "f",
    "settings": "s",
    "help": "l",
}
IN_BAR = ("overview", "connections", "alerts", "hosts")


def test_the_legal_notice_is_accepted_once(start_server, page):
    server = start_server()
    page.goto(server.url)
    notice = page.locator("#legal")
    expect(notice).to_be_visible()
    for words in (
        "authorised",
        "Wiretap",
        "all parties",
        "Computer Fraud",
        "Computer Misuse",
        "GDPR",
        "CCPA",
        "warranty",
    ):
        expect(notice).to_contain_text(words)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(notice).to_be_visible()
    page.locator("#legal-accept").click()
    expect(notice).to_have_count(0)
    assert requests.get(f"{server.url}api/legal", timeout=30).json()["accepted"] is True
    page.reload()
    expect(page.locator(".tile").first).to_be_visible()
    time.sleep(0.5)
    expect(notice).to_have_count(0)


def test_stop_and_start_call_the_server(start_server, page):
    server = start_server()
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    page.goto(server.url)
    state = page.locator("#capture-state")
    expect(state).to_contain_text("Capturing")
    with page.expect_request("**/api/capture/stop") as stopped:
        page.locator("#start-stop").click()
    assert stopped.value.method == "POST"
    expect(state).to_contain_text("Stopped")
    page.locator("#bpf").fill("tcp port 443")
    with page.expect_request("**/api/capture/start") as started:
        page.locator("#start-stop").click()
    assert started.value.post_data_json == {"interfaces": ["eth0"], "bpf_filter": "tcp port 443", "snaplen": 0}
    expect(state).to_contain_text("Capturing")
    assert requests.get(f"{server.url}api/capture", timeout=30).json()["bpf_filter"] == "tcp port 443"


def test_the_words_about_a_bad_filter_stand_at_its_box(server, page, complaints):
    page.goto(server.url)
    box = page.locator("#bpf")
    box.fill("bad filter")
    box.press("Enter")
    expect(page.locator("#bpf-error")).to_have_text("can't parse filter expression: syntax error")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_attribute("aria-describedby", "bpf-error")
    box.fill("tcp")
    expect(page.locator("#bpf-error")).to_be_hidden()
    complaints.expect_refusals()


def test_quit_asks_before_it_tells_the_server(start_server, page):
    server = start_server()
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    page.goto(server.url)
    expect(page.locator("#capture-state")).to_contain_text("Capturing")
    page.locator("#quit").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#quit-dialog")).to_have_count(0)
    assert server.process.poll() is None
    page.locator("#quit").click()
    with page.expect_request("**/api/shutdown") as request:
        page.locator("#quit-confirm").click()
    assert request.value.method == "POST"
    expect(page.locator(".banner[data-id=link]")).to_contain_text("has been quit")
    assert request.value.response().json() == {"status": "shutting down"}


def test_interfaces_are_offered_physical_first(server, page):
    page.goto(server.url)
    expect(page.locator("#capture-state")).to_contain_text("Capturing")
    page.locator("#interface-picker").click()
    names = page.locator(".menu [data-interface]")
    expect(names.first).to_be_visible()
    assert names.evaluate_all("all => all.map(one => one.dataset.interface)") == ["eth0", "wlan0", "docker0", "lo"]
    poll(
        page,
        "document.querySelector('.menu [data-interface=eth0] .spark-line').getAttribute('d').length",
        lambda n: n > 8,
    )
    page.keyboard.press("Escape")
    expect(page.locator(".menu")).to_have_count(0)
    expect(page.locator("#interface-picker")).to_be_focused()


def test_a_lost_sensor_is_told_and_forgotten_when_it_is_back(start_server, page):
    server = start_server("--die-every", "4", "--mode", "threading")
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    page.add_init_script(
        "window.told = []; new MutationObserver(() => { for (const one of document.querySelectorAll('.banner')) window.told.push(one.textContent); })"
        ".observe(document, {subtree: true, childList: true, characterData: true});"
    )
    page.goto(server.url)
    told = poll(page, "window.told.filter(text => text.includes('captured meanwhile'))", bool)
    assert "being started again" in str(told[0])
    poll(page, "document.querySelectorAll('.banner').length", lambda count: count == 0)
    expect(page.locator("#capture-state")).to_contain_text("Capturing")


def test_a_lost_server_is_told_and_found_again(start_server, page, complaints):
    server = start_server()
    requests.post(f"{server.url}api/legal", json={"accepted": True}, timeout=30)
    page.goto(server.url)
    expect(page.locator("#capture-state")).to_contain_text("Capturing")
    server.stop()
    expect(page.locator(".banner[data-id=link]")).to_contain_text("connection to the server is lost")
    start_server(port=server.port)
    expect(page.locator(".banner[data-id=link]")).to_have_count(0)
    expect(page.locator("#capture-state")).to_contain_text("Capturing")
    complaints.clear()  # the browser reports each attempt that failed


def test_no_section_is_wider_than_the_window(server, open_page, complaints):
    pages = {width: open_page(width=width, height=844) for width in (390, 768, 1440)}
    for section in SECTIONS:
        for page in pages.values():
            page.goto(f"{server.url}#/{section}")
        for page in pages.values():
            expect(page.locator(f"#{section} h1")).to_be_visible()
        time.sleep(1.2)
        for width, page in pages.items():
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (section, width)
            outside = page.evaluate(
                "[...document.querySelectorAll('main .panel, .topbar-row > *, .rail a')].filter(one => one.offsetParent"
                " && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.className)"
            )
            assert outside == [], (section, width)
    complaints.expect_refusals()  # history is off here


def test_the_keyboard_reaches_every_section(server, page, complaints):
    page.goto(server.url)
    expect(page.locator("#overview")).to_be_visible()
    for section, key in [*SECTIONS.items(), ("overview", "o")]:
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator(f"#{section}")).to_be_visible()
        expect(page.locator(f'#nav a[data-section="{section}"]')).to_have_attribute("aria-current", "page")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.keyboard.press("/")
    expect(page.locator("#connections-filter")).to_be_focused()
    complaints.expect_refusals()  # history is off here


def test_the_rail_shows_every_section_on_a_screen_of_900_lines(server, open_page):
    page = open_page(width=1440, height=900)
    page.goto(server.url)
    links = page.locator("#nav a[data-section]")
    assert links.evaluate_all("all => all.map(one => one.dataset.section)") == list(SECTIONS)
    assert page.evaluate("(nav => nav.scrollHeight - nav.clientHeight)(document.getElementById('nav'))") == 0
    assert page.evaluate("document.querySelector('.rail-foot').getBoundingClientRect().bottom <= innerHeight")
    expect(page.locator("#nav-more")).to_be_hidden()


def test_a_low_rail_scrolls_to_the_section_that_is_shown(server, open_page):
    page = open_page(width=1100, height=420)
    for section in ("captures", "overview"):
        page.goto(f"{server.url}#/{section}")
        link = page.locator(f'#nav a[data-section="{section}"]')
        expect(link).to_have_attribute("aria-current", "page")
        expect(link).to_be_in_viewport(ratio=1)
        assert link.get_attribute("title")  # the word has no room there


def test_a_phone_has_a_bar_and_a_sheet_with_the_other_sections(server, open_page, complaints):
    page = open_page(width=390, height=844)
    page.goto(server.url)
    expect(page.locator("#nav a[data-section]:visible")).to_have_count(len(IN_BAR))
    more = page.locator("#nav-more")
    for section in SECTIONS:
        if section in IN_BAR:
            page.locator(f'#nav a[data-section="{section}"]').click()
        else:
            more.focus()
            page.keyboard.press("Enter")
            sheet = page.locator("#nav-sheet")
            expect(sheet).to_be_in_viewport(ratio=0.99)
            link = sheet.locator(f'a[data-section="{section}"]')
            link.focus()
            page.keyboard.press("Enter")
            expect(sheet).to_have_count(0)
        expect(page.locator(f"#{section} h1")).to_be_visible()
        if section in IN_BAR:
            expect(more).not_to_have_attribute("data-current", "")
        else:
            expect(more).to_have_attribute("data-current", "")
    more.click()
    expect(page.locator('#nav-sheet a[aria-current="page"]')).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#nav-sheet")).to_have_count(0)
    expect(more).to_be_focused()
    complaints.expect_refusals()  # history is off here


def test_a_file_that_is_no_capture_is_refused_in_clear_words(server, page, complaints):
    page.goto(f"{server.url}#/captures")
    page.locator("#replay-file").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Dear diary"}
    )
    expect(page.locator("#captures")).to_contain_text("notes.txt could not be read")
    expect(page.locator("#captures")).to_contain_text("is no capture file")
    complaints.expect_refusals()


def test_an_empty_page_says_why_and_what_to_do(server, page, complaints):
    why = "This process may not open packet sockets. Start it with sudo."
    capture = {
        "state": "stopped",
        "source": None,
        "interfaces": [],
        "bpf_filter": "",
        "can_capture": False,
        "why_not": why,
    }
    page.route("**/api/capture", lambda route: route.fulfill(json=capture))
    page.route("**/api/stats", lambda route: route.abort())
    for path in ("alerts?*", "dns_queries?*", "packets?*", "connections?*"):
        page.route(f"**/api/{path}", lambda route: route.fulfill(json=[]))
    page.route("**/socket.io/**", lambda route: route.abort())
    page.route_web_socket("**/socket.io/**", lambda socket: socket.close())
    page.goto(server.url)
    for section in ("overview", "connections", "alerts", "dns", "packets"):
        page.goto(f"{server.url}#/{section}")
        expect(page.locator(f"#{section}")).to_contain_text(why)
        expect(page.locator(f"#{section}").get_by_role("link", name="Open a capture file")).to_be_visible()
    expect(page.locator("#start-stop")).to_be_disabled()
    complaints.clear()  # the aborted requests


def test_the_theme_is_remembered(server, page):
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
