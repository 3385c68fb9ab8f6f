"""Hosts and countries over REST."""

from __future__ import annotations

import pytest

from tests.api.test_routes import Site, is_problem, site, strict  # noqa: F401 - the fixture


def test_hosts_are_listed_in_pages(site: Site) -> None:  # noqa: F811
    first = site.client.get("/api/hosts?limit=3")
    rows = strict(first)
    assert len(rows) == 3
    total = int(first.headers["X-Total-Count"])
    traffic = [row["bytes_sent"] + row["bytes_recv"] for row in rows]
    assert traffic == sorted(traffic, reverse=True)
    if total > 3:
        assert 'rel="next"' in first.headers["Link"]
        assert "offset=3" in first.headers["Link"]
    everything = strict(site.client.get("/api/hosts?limit=2000"))
    assert len(everything) == total


def test_one_host(site: Site) -> None:  # noqa: F811
    address = strict(site.client.get("/api/hosts?limit=1"))[0]["address"]
    detail = strict(site.client.get(f"/api/hosts/{address}"))
    assert detail["host"]["address"] == address
    assert detail["peers"]
    is_problem(site.client.get("/api/hosts/250.1.1.1"), 404)
    is_problem(site.client.get("/api/hosts/nobody"), 400)


@pytest.mark.parametrize(
    ("query", "name"), [("q=colour:red", "q"), ("sort=colour", "sort"), ("limit=0", "limit"), ("who=1", "who")]
)
def test_wrong_questions_are_named(site: Site, query: str, name: str) -> None:  # noqa: F811
    assert is_problem(site.client.get(f"/api/hosts?{query}"), 400)["parameter"] == name


def test_the_world(site: Site) -> None:  # noqa: F811
    document = strict(site.client.get("/api/world"))
    assert set(document) == {"countries", "elsewhere", "database", "probes"}
    assert is_problem(site.client.get("/api/world?by=x"), 400)


def test_probes_have_a_status_in_the_settings(site: Site) -> None:  # noqa: F811
    rows = {row["name"]: row["status"] for row in strict(site.client.get("/api/settings"))}
    assert (
        rows["IPINFO_TOKEN"]["state"] == rows["RESOLVE_HOSTNAMES"]["state"] == rows["MEASURE_LATENCY"]["state"] == "off"
    )
    assert "IPINFO_TOKEN is not set" in rows["IPINFO_TOKEN"]["text"]
    assert rows["GEOIP_DB"]["state"] in ("starting", "ready")
    assert rows["PORT"] is None
