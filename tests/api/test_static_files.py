"""The page's own files over the wire: compressed, kept for ever under their version, and nothing beside them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from app.services.static_files import StaticFiles
from tests.fakes.web import Site, running_server, running_site

STATIC = Path(__file__).resolve().parents[2] / "app" / "static"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("static")) as running:
        yield running


def test_a_file_is_sent_compressed_and_asked_for_once(site: Site) -> None:
    page = site.client.get("/").text
    address = re.search(r'src="(/static/v-[0-9a-f]{12}/js/main\.js)"', page).group(1)
    answer = site.client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == (STATIC / "js" / "main.js").read_bytes()
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Accept-Encoding" in answer.headers["Vary"]
    plain = site.client.get("/static/js/main.js")
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.headers["ETag"] != answer.headers["ETag"]
    again = site.client.get("/static/js/main.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304
    assert plain.mimetype == "text/javascript"


@pytest.mark.parametrize(
    "name", ["../__init__.py", "v-000000000000/../../__init__.py", "%2e%2e/__init__.py", "js", "nothing.js", "js/\0.js"]
)
def test_nothing_else_is_read(site: Site, name: str) -> None:
    assert site.client.get(f"/static/{name}").status_code == 404


def test_long_documents_are_compressed_too(site: Site) -> None:
    plain = site.client.get("/api/help")
    packed = site.client.get("/api/help", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.data)) == plain.json
    assert len(packed.data) < len(plain.data) / 2
    again = site.client.get("/api/help", headers={"If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304


def test_another_file_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1;" * 500)
    files = StaticFiles(tmp_path)
    before, first = files.version(), files.read("a.js", True)
    (tmp_path / "a.js").write_text("22" * 501)
    assert files.version() != before
    after = files.read("a.js", True)
    assert first is not None
    assert after is not None
    assert first.etag != after.etag
    assert gzip.decompress(after.body) == b"22" * 501


def test_many_who_load_the_page_at_once_do_not_stop_the_server(tmp_path: Path) -> None:
    names = [path.relative_to(STATIC).as_posix() for path in sorted((STATIC / "js").rglob("*.js"))]
    with running_server("eventlet", tmp_path) as server, ThreadPoolExecutor(24) as browsers:

        def load(number: int) -> list[int]:
            turned = names[number:] + names[:number]
            with requests.Session() as browser:  # which keeps its connection
                browser.headers["Accept-Encoding"] = "gzip"
                return [browser.get(f"{server.url}/static/{name}", timeout=60).status_code for name in turned]

        answers = list(browsers.map(load, range(24)))
    assert {status for one in answers for status in one} == {200}
