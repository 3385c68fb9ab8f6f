"""History over REST: what was seen live is found again by time, after the program was started anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.model.fields import CONNECTIONS
from app.services.history import History
from tests.fakes.web import Site, running_server, running_site, until


def nothing() -> None:
    """In place of the writing in the background."""


def write(site: Site) -> None:
    History.write(site.house.history)


def get(site: Site, path: str, status: int = 200) -> Any:
    response = site.client.get(path)
    assert response.status_code == status, response.get_data()[:600]
    return response


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("history")
    with running_site(folder / "data", flows=600, history=True, export_dir=folder / "exports") as found:
        history = found.house.history
        until(lambda: history.collector.waiting > 60 and found.house.mirror.newest_facts("http"))
        history.write()
        until(lambda: history.state.rows_written > 60, 30)
        history.write = nothing  # from here on the tests say when something is written
        found.app.extensions["netglass.limits"]["export"].take = lambda caller: True
        yield found
        history._ended = True
        history._client.close()


def test_connections_of_the_past_have_the_keys_of_live_ones(site: Site) -> None:
    response = get(site, "/api/connections?history=1&limit=20")
    rows = response.get_json()
    assert len(rows) == 20
    assert int(response.headers["X-Total-Count"]) > 60
    for row in rows:
        assert set(CONNECTIONS) <= set(row)
        assert row["session_status"] in ("Closed", "Active")
        assert row["community_id"].startswith("1:")
    assert [row["last_seen"] for row in rows] == sorted((row["last_seen"] for row in rows), reverse=True)
    row = next(row for row in rows if row["session_status"] == "Closed" and row["stretch"] == 0)
    live = get(site, f"/api/connections?q=flow_id:{row['flow_id']}").get_json()
    if live:
        same = (
            "local_address",
            "remote_address",
            "bytes_sent",
            "bytes_recv",
            "duration",
            "protocol",
            "community_id",
            "interface",
        )
        assert {key: row[key] for key in same} == {key: live[0][key] for key in same}


def test_pages_of_history_follow_each_other(site: Site) -> None:
    first = get(site, "/api/connections?history=1&limit=25")
    link = first.headers["Link"].split(";")[0].strip("<>")
    second = get(site, link)
    both = [(row["run"], row["flow_id"], row["stretch"]) for row in (*first.get_json(), *second.get_json())]
    assert len(set(both)) == 50
    sized = get(site, "/api/connections?history=1&limit=5&sort=-bytes").get_json()
    sizes = [row["bytes_sent"] + row["bytes_recv"] for row in sized]
    assert sizes == sorted(sizes, reverse=True)


def test_a_query_chooses_in_the_past(site: Site) -> None:
    rows = get(site, "/api/connections?history=1&q=protocol:udp").get_json()
    assert rows
    assert {row["protocol"] for row in rows} == {"udp"}
    assert get(site, "/api/connections?history=1&q=nofield:1", 400).get_json()["position"] == 0
    assert get(site, "/api/connections?history=1&sort=nofield", 400).get_json()["parameter"] == "sort"
    assert get(site, "/api/connections?history=1&cursor=rubbish", 400).get_json()["parameter"] == "cursor"
    assert get(site, "/api/connections?history=1&from=2026-01-02&to=2026-01-01", 400).get_json()["parameter"] == "to"
    assert get(site, "/api/connections?history=1&to=1990-01-01").get_json() == []


@pytest.mark.parametrize("kind", ["dns_queries", "tls", "http", "logins"])
def test_facts_of_the_past(site: Site, kind: str) -> None:
    past = get(site, f"/api/{kind}?history=1&limit=500").get_json()
    live = get(site, f"/api/{kind}?limit=500").get_json()
    assert past
    assert set(past[0]) - {"run"} == set(live[0])
    known = {(row["timestamp"], row["flow_id"]): row for row in live}
    both = [(row, known[key]) for row in past if (key := (row["timestamp"], row["flow_id"])) in known]
    assert both
    for then, now in both:
        assert {**then, "id": None, "run": None} == {**now, "id": None, "run": None}


def test_times_choose_among_what_is_held(site: Site) -> None:
    rows = get(site, "/api/connections?limit=5&sort=time_of_detection").get_json()
    last = rows[-1]["time_of_detection"]
    some = get(site, f"/api/connections?to={last}&limit=10000").get_json()
    assert some
    assert all(row["time_of_detection"] <= last for row in some)
    assert get(site, "/api/dns_queries?to=1990-01-01").get_json() == []
    assert get(site, "/api/dns_queries?from=1990-01-01&q=type:A").get_json()
    assert get(site, "/api/alerts?from=1990-01-01").status_code == 200


def test_a_time_at_a_glance_beside_the_one_before(site: Site) -> None:
    document = get(site, "/api/history/summary?compare=1").get_json()
    assert document["totals"]["bytes"] == document["totals"]["bytes_sent"] + document["totals"]["bytes_recv"]
    assert document["totals"]["flows"] > 60
    assert set(document["top"]) == {"app", "process", "host", "local", "country", "port"}
    for rows in document["top"].values():
        traffic = [row["traffic"] for row in rows]
        assert traffic == sorted(traffic, reverse=True)
        assert all(row["previous"] == 0 for row in rows)
    assert document["previous"]["totals"]["flows"] == 0
    assert document["change"]["bytes"] is None  # from nothing there is no percentage
    top = get(site, "/api/history/top?by=host&limit=3").get_json()
    assert [row["name"] for row in top] == [row["name"] for row in document["top"]["host"][:3]]
    assert get(site, "/api/history/top?by=colour", 400).get_json()["parameter"] == "by"


def test_curves_of_the_past(site: Site) -> None:
    site.house.history.collector._take_minutes(True)
    write(site)
    document = get(site, "/api/timeseries?history=1&metric=bps,packets&step=60").get_json()
    assert document["step"] == 60
    assert len(document["times"]) == len(document["series"]["bps"]) == len(document["series"]["packets"])
    assert sum(document["series"]["packets"]) > 0
    assert get(site, "/api/timeseries?history=1&step=7", 400).get_json()["parameter"] == "step"
    assert get(site, "/api/timeseries?history=1&metric=x", 400).get_json()["parameter"] == "metric"


def test_exports_of_the_past(site: Site) -> None:
    lines = get(site, "/api/export?history=1").get_data().decode().split("\r\n")
    total = int(get(site, "/api/connections?history=1&limit=1").headers["X-Total-Count"])
    assert total <= len(lines) - 2
    assert get(site, "/api/export/ndjson?history=1&what=dns&schema=eve").get_data()
    assert get(site, "/api/export?history=1&what=flows&schema=zeek").get_data().startswith(b"#separator")
    assert (
        get(site, "/api/export?history=1&q=port:1%20vlan:7", 404).get_json()["detail"]
        == "Nothing in the history matches."
    )


def test_state(site: Site) -> None:
    document = get(site, "/api/history").get_json()
    assert document["enabled"] is True
    assert document["rows_written"] >= document["counts"]["flows"] > 60
    assert document["problem"] is None
    assert document["rows_lost"] == 0
    assert document["used_bytes"] > 0
    assert document["oldest"]


def test_long_flows_are_told_of_in_stretches_whose_sums_are_right(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with running_site(tmp_path, flows=50, history=True) as site:
        history = site.house.history
        site.wait_for_flows()
        until(lambda: history.collector._now is not None)
        history.collector._look(all_open=True)
        assert history.collector._open
        told = site.house.mirror.snapshots
        until(lambda: site.house.mirror.snapshots > told + 5)
        history.last_words()  # once more, with what grew since; then the store ends
        # in this mode the store is a child of the thread that started it: the writer's must be gone before it is asked again
        until(lambda: not [one for one in threading.enumerate() if one.name == "history" and one not in before], 30)
        history._client.close()
        view = site.house.mirror.flow_view()
        kept: dict[int, list[dict[str, Any]]] = {}
        for row in get(site, "/api/connections?history=1&limit=10000").get_json():
            kept.setdefault(row["flow_id"], []).append(row)
        history._client.close()
    parts = [rows for rows in kept.values() if len(rows) > 1]
    assert parts
    now = {int(row["flow_id"]): int(row["src_bytes"] + row["dst_bytes"]) for row in view.flows}
    for rows in parts:
        assert sorted(row["stretch"] for row in rows) == list(range(len(rows)))
        total = sum(row["bytes_sent"] + row["bytes_recv"] for row in rows)
        assert total <= now[rows[0]["flow_id"]]


def test_a_history_without_anything_answers_with_nothing(tmp_path: Path) -> None:
    with running_site(tmp_path, flows=10, history=True) as site:
        site.house.history.write = nothing
        assert get(site, "/api/connections?history=1").get_json() == []
        assert get(site, "/api/history/top?by=app").get_json() == []
        assert get(site, "/api/history/summary").status_code == 200
        site.house.history._client.close()


def test_history_survives_a_new_start(tmp_path: Path) -> None:
    for flows in (100, 100):
        with running_site(tmp_path, flows=flows, history=True) as site:
            until(lambda: site.house.history.collector._now is not None)
            site.house.history.last_words()
    with running_site(tmp_path, flows=10, history=True, autostart=False) as site:
        runs = {row["run"] for row in get(site, "/api/connections?history=1&limit=1000").get_json()}
        site.house.history._client.close()
    assert len(runs) == 2


def test_switched_off_it_says_so(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        assert get(site, "/api/history").get_json()["enabled"] is False
        document = get(site, "/api/connections?history=1", 503).get_json()
        assert document["code"] == "history_off"
    assert not (tmp_path / "history.duckdb").exists()


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_real_server_writes_and_answers_meanwhile(mode: str, tmp_path: Path) -> None:
    with running_server(mode, tmp_path, "--history", "--flows", "3000", "--token", "right") as server:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer right"
        until(lambda: session.get(f"{server.url}/api/history", timeout=30).json()["rows_written"] > 100, 30)
        state = session.get(f"{server.url}/api/history", timeout=30).json()
        assert state["problem"] is None
        rows = session.get(f"{server.url}/api/connections?history=1&limit=5", timeout=30).json()
        assert len(rows) == 5


def test_words_on_alerts_mute_rules_and_starts_of_programs_are_kept(site: Site) -> None:
    boot = site.house.mirror.sensor.boot
    record = {
        "process": 7,
        "pid": 4711,
        "start_ns": 1_760_000_000_000_000_000,
        "name": "curl",
        "path": "/usr/bin/curl",
        "parents": [[1, "init"]],
    }
    site.house.mirror.processes.apply({"processes": [record]}, boot)
    alert = until(lambda: site.client.get("/api/alerts?limit=1").get_json(), 30)[0]["id"]
    write(site)
    assert get(site, "/api/alerts?history=1&limit=5000").get_json()
    said = {"status": "acknowledged", "note": "the backup"}
    assert site.client.post(f"/api/alerts/{alert}", json=said).status_code == 200
    made = site.client.post("/api/mutes", json={"q": "severity:low", "reason": "known"}).get_json()
    write(site)
    kept = {one["id"]: one for one in get(site, "/api/alerts?history=1&limit=5000").get_json()}
    assert {key: kept[alert][key] for key in said} == said
    rules = get(site, "/api/history/mutes").get_json()
    assert [(one["id"], one["q"], one["removed"]) for one in rules] == [(made["id"], "severity:low", False)]
    assert site.client.delete(f"/api/mutes/{made['id']}").status_code < 300
    write(site)
    assert [one["removed"] for one in get(site, "/api/history/mutes").get_json()] == [True]
    (start,) = get(site, "/api/history/processes?limit=5").get_json()
    assert (start["pid"], start["app_name"], start["app_path"], start["started"][:10]) == (
        4711,
        "curl",
        "/usr/bin/curl",
        "2025-10-09",
    )
    assert start["parents"] == [{"pid": 1, "name": "init"}]
