"""Entropy and its logs over REST."""

from __future__ import annotations

import pytest

from tests.api.test_routes import Site, is_problem, site, strict  # noqa: F401 - the fixture


def test_the_document(site: Site) -> None:  # noqa: F811
    document = strict(site.client.get("/api/entropy?top=5&protocol=tcp&ip=10."))
    assert set(document) == {"time", "flows", "total", "alerts", "slots", "settings"}


@pytest.mark.parametrize(("query", "name"), [("top=0", "top"), ("top=x", "top"), ("ip=nobody", "ip"), ("who=1", "who")])
def test_wrong_questions_are_named(site: Site, query: str, name: str) -> None:  # noqa: F811
    assert is_problem(site.client.get(f"/api/entropy?{query}"), 400)["parameter"] == name


def test_logs_are_listed_and_handed_out(site: Site) -> None:  # noqa: F811
    log = site.app.extensions["netglass"].entropy_recorder.log
    log.write("eth0", [("t", "eth0", "TCP a > b", "7.9", "")])
    (entry, *_) = strict(site.client.get("/api/logs"))["logs"]
    answer = site.client.get(f"/api/logs/{entry['name']}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.data.startswith(b"timestamp,interface,flow,entropy,alert\r\n")
    assert entry["name"] in answer.headers["Content-Disposition"]
    answer.close()
    for name in ("..", "%2e%2e%2fsettings", "entropy_log_eth0_20200101T000000Z.csv", "x"):
        assert site.client.get(f"/api/logs/{name}").status_code == 404
