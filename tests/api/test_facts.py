"""What was read in the traffic, over HTTP: lists, one connection with its facts, shares, statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.web import Site, running_site, until

DNS_KEYS = {
    "timestamp", "client", "server", "query", "type", "rcode", "answers", "ttl", "latency_ms", "transport", "process",
    "resolved_ips", "kind", "flow_id",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("facts"), flows=400) as found:
        found.wait_for_flows()
        until(lambda: len(found.house.mirror.newest_facts("dns")) > 20)
        found.hold_still()
        yield found


def get(site: Site, path: str) -> Any:
    response = site.client.get(path)
    assert response.status_code == 200, response.get_data()
    return json.loads(response.get_data())


def test_dns_queries_have_the_keys_of_the_contract(site: Site) -> None:
    rows = get(site, "/api/dns_queries?limit=5000")
    assert all(set(row) >= DNS_KEYS for row in rows)
    assert {row["process"] for row in rows} == {None}
    answered = next(row for row in rows if row["resolved_ips"])
    assert all(f"{answered['type']} {ip}" in answered["answers"] for ip in answered["resolved_ips"])
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)


@pytest.mark.parametrize("path", ["dns_queries", "tls", "http"])
@pytest.mark.parametrize("sort", ["", "&sort=-timestamp"])
def test_pages_follow_the_link(site: Site, path: str, sort: str) -> None:
    url: str | None = f"/api/{path}?limit=7{sort}"
    ids: list[int] = []
    while url:
        response = site.client.get(url)
        ids += [row["id"] for row in json.loads(response.get_data())]
        link = response.headers.get("Link")
        url = link[1 : link.index(">")] if link else None
    assert len(ids) == len(set(ids)) == int(response.headers["X-Total-Count"])


def test_lists_are_asked_in_the_query_language(site: Site) -> None:
    assert {row["rcode"] for row in get(site, "/api/dns_queries?q=rcode:NXDOMAIN")} == {"NXDOMAIN"}
    assert {row["transport"] for row in get(site, "/api/tls?q=transport:quic")} == {"quic"}
    assert {row["status"] for row in get(site, "/api/http?q=status:>=400")} <= {404, 500}
    assert get(site, "/api/logins?q=username:alice")


@pytest.mark.parametrize("path", ["dns_queries", "tls", "http", "logins"])
@pytest.mark.parametrize(
    ("query", "parameter"),
    [("q=colour:red", "q"), ("sort=colour", "sort"), ("limit=0", "limit"), ("cursor=x", "cursor")],
)
def test_mistakes_are_named(site: Site, path: str, query: str, parameter: str) -> None:
    response = site.client.get(f"/api/{path}?{query}")
    assert response.status_code == 400
    assert json.loads(response.get_data())["parameter"] == parameter


def test_a_connection_with_what_was_read_in_it(site: Site) -> None:
    request = get(site, "/api/http?limit=1")[0]
    document = get(site, f"/api/connections/{request['flow_id']}")
    assert document["connection"]["flow_id"] == request["flow_id"]
    assert document["http"] == [request]
    assert (document["dns"], document["more"]["http"]) == ([], 0)
    assert document["connection"]["hostname"] == request["host"]


def test_a_connection_that_is_not_held_is_404_with_the_reason(site: Site) -> None:
    for number in (10**9, 10**30):
        response = site.client.get(f"/api/connections/{number}")
        assert response.status_code == 404
        assert str(number) in json.loads(response.get_data())["detail"]


def test_connections_are_found_and_sorted_by_what_is_known(site: Site) -> None:
    rows = get(site, "/api/connections?q=application:google")
    assert {row["application"] for row in rows} == {"Google"}
    assert {row["ja4"][:8] for row in get(site, "/api/connections?q=ja4:t13d1516*")} == {"t13d1516"}
    assert {row["category"] for row in get(site, "/api/connections?q=category:media")} == {"Media"}
    assert all("github" in row["server_name"] for row in get(site, "/api/connections?q=server:github"))
    assert all(row["hostname"].endswith(".example") for row in get(site, "/api/connections?q=hostname:*.example"))
    names = [row["hostname"] for row in get(site, "/api/connections?sort=-hostname&limit=5000")]
    known = [name for name in names if name is not None]
    assert known == sorted(known, key=str.casefold, reverse=True)
    assert names[len(known) :] == [None] * (len(names) - len(known))
    body = site.client.post("/api/connections/filter?limit=5", json={"application": "goog"}).get_data()
    assert {row["application"] for row in json.loads(body)} == {"Google"}


def test_statistics_tell_applications_and_losses(site: Site) -> None:
    document = get(site, "/api/stats")
    sizes = [entry["bytes"] for entry in document["applications"]]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < len(sizes) <= 20
    assert {"name", "bytes", "packets", "flows"} == set(document["applications"][0])
    assert document["insight"]["engine"] == "ndpi"
    assert {"payload_bytes_skipped", "flows_passed_over", "engine_restarts"} <= set(document["losses"])
    shares = {row["app_name"]: row["traffic"] for row in get(site, "/api/pie_data")}
    assert shares[document["applications"][0]["name"]] == sizes[0]


def test_every_key_has_its_help(site: Site) -> None:
    explained = set(get(site, "/api/help"))
    for path in ("dns_queries", "tls", "http", "logins"):
        assert set(get(site, f"/api/{path}?limit=1")[0]) <= explained
    assert set(get(site, "/api/connections?limit=1")[0]) <= explained
    stats = get(site, "/api/stats")
    assert {"top_ips", "top_ports", "top_conversations", "sizes", "applications"} <= explained
    assert {f"store_{name}" for name in stats["store"]} <= explained
    assert set(stats["losses"]) <= explained
