"""What is served as it lies there: vendored files are the ones that are listed, and no source asks for what the policy forbids."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "app" / "static"
SOURCES = sorted((STATIC / "js").rglob("*.js"))
TEMPLATE = STATIC.parent / "templates" / "index.html"
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style\"|javascript:"
)


def test_vendored_files_are_the_listed_ones():
    listed = dict(
        re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (STATIC / "vendor" / "VENDOR.md").read_text(), re.M)
    )
    present = {
        str(path.relative_to(STATIC / "vendor"))
        for path in (STATIC / "vendor").rglob("*")
        if path.suffix in (".js", ".css", ".woff2")
    }
    assert present == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(STATIC)))
def test_sources_make_no_html_out_of_text(path):
    assert FORBIDDEN.search(path.read_text()) is None


def test_the_template_has_nothing_inline():
    text = TEMPLATE.read_text()
    assert re.search(r"\son\w+=|\sstyle=|<style", text) is None
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r'(?:src|href)="(?!/static/|#)', text) == []


def test_every_string_is_there_and_used():
    tables = sorted((STATIC / "js" / "strings").glob("*.js"))
    keys = [key for path in tables for key in re.findall(r'^  "([\w.]+)":', path.read_text(), re.M)]
    strings = set(keys)
    assert len(keys) == len(strings)
    text = "".join(path.read_text() for path in SOURCES if path not in tables) + TEMPLATE.read_text()
    asked = set(re.findall(r'\bt\("([\w.]+)"', text)) | set(re.findall(r'data-(?:text|label)="([\w.]+)"', text))
    assert asked <= strings
    made = {name + "." for name in re.findall(r"`([\w.]+)\.\$\{", text)}  # t(`nav.${name}`)
    logs = set(re.findall(r"t\(`\$\{(?:this\.)?name\}\.([\w.]+)`", text))  # t(`${name}.title`) of each page with a log
    used = {f"{name}.{key}" for name in ("dns", "packets", "alerts") for key in logs}
    assert used <= strings
    idle = {key for key in strings - used if f'"{key}"' not in text and not key.startswith(tuple(made))}
    assert idle == set()
