"""Subscribing and what comes of it, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.live_topics import TOPICS
from app.services.subscriptions import MAX_CLIENTS
from tests.fakes.web import Site, running_site, until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as found:
        found.wait_for_flows()
        yield found


def connect(site: Site, **options: Any) -> Any:
    options.setdefault("headers", {"Authorization": "Bearer right"})
    return site.app.extensions["socketio"].test_client(site.app, flask_test_client=None, **options)


def subscribe(client: Any, **wanted: Any) -> Any:
    return client.emit("subscribe", wanted, callback=True)


def events(client: Any, name: str, seconds: float = 30) -> list[Any]:
    def found() -> list[Any]:
        return [event["args"][0] for event in client.get_received() if event["name"] == name]

    return list(until(found, seconds))


def test_strangers_are_refused(site: Site) -> None:
    assert not connect(site, headers={}).is_connected()
    assert not connect(site, headers={"Authorization": "Bearer wrong"}).is_connected()
    assert not connect(site, headers={}, auth={"token": "wrong"}).is_connected()
    assert connect(site, headers={}, auth={"token": "right"}).is_connected()
    assert connect(site).is_connected()


def test_subscribing_is_acknowledged(site: Site) -> None:
    client = connect(site)
    answer = subscribe(client, topics=["stats", "connections"], limit=50)
    assert answer == {"ok": True, "topics": ["connections", "stats"], "protocol": 1, "boot": site.broker.sensor.boot}
    assert client.emit("unsubscribe", {"topics": ["stats"]}, callback=True) == {"ok": True, "topics": ["connections"]}


@pytest.mark.parametrize(
    ("wanted", "parameter"),
    [
        (None, "topics"),
        ([], "topics"),
        ("stats", "topics"),
        ({}, "topics"),
        ({"topics": []}, "topics"),
        ({"topics": ["nope"]}, "topics"),
        ({"topics": [5]}, "topics"),
        ({"topics": [["stats"]]}, "topics"),
        ({"topics": ["stats"], "limit": 0}, "limit"),
        ({"topics": ["stats"], "limit": 10_001}, "limit"),
        ({"topics": ["stats"], "limit": True}, "limit"),
        ({"topics": ["stats"], "limit": "5"}, "limit"),
        ({"topics": ["connections"], "sort": "nope"}, "sort"),
        ({"topics": ["connections"], "sort": 5}, "sort"),
        ({"topics": ["connections"], "q": "nope:1"}, "q"),
        ({"topics": ["packets"], "q": "direction:inbound"}, "q"),
        ({"topics": ["connections"], "q": 5}, "q"),
    ],
)
def test_wrong_subscriptions_are_named(site: Site, wanted: Any, parameter: str) -> None:
    client = connect(site)
    answer = client.emit("subscribe", wanted, callback=True)
    assert answer["ok"] is False
    assert answer["error"]["parameter"] == parameter
    assert answer["error"]["detail"]
    assert client.is_connected()


def test_nothing_is_sent_to_who_has_not_subscribed(site: Site) -> None:
    client = connect(site)
    time.sleep(0.5)
    assert client.get_received() == []


@pytest.mark.parametrize(
    ("topic", "keys"),
    [
        (
            "traffic_update",
            {
                "connections",
                "disconnected_connections",
                "top_apps",
                "interfaces",
                "total_data_usage_gb",
                "packets",
                "dns_queries",
            },
        ),
        ("stats", {"totals", "rates", "protocols", "top_ips", "sensor", "capture"}),
        ("protocol_stats", {"time", "protocols"}),
        ("packets", {"packets", "skipped"}),
        ("connections", {"base", "columns", "rows", "removed", "total", "seq"}),
        ("dns", {"dns_queries", "skipped"}),
        ("alert", {"alerts", "skipped"}),
        ("capture_state", {"state", "interfaces", "can_capture"}),
        ("sensor_state", {"state", "pid", "restarts", "message"}),
    ],
)
def test_topics(site: Site, topic: str, keys: set[str]) -> None:
    client = connect(site)
    assert subscribe(client, topics=[topic])["ok"]
    assert keys <= set(events(client, topic)[0])


def test_every_topic_is_tested_or_named_here() -> None:
    others = {"notice", "progress", "new_program", "sessions"}  # the last one: with the endpoints of sessions
    assert set(TOPICS) - others == {
        "traffic_update",
        "stats",
        "protocol_stats",
        "packets",
        "connections",
        "dns",
        "alert",
        "entropy",
        "capture_state",
        "sensor_state",
    }


def test_the_stats_event_is_the_rest_document(site: Site) -> None:
    client = connect(site)
    subscribe(client, topics=["stats"])
    event = events(client, "stats")[0]
    document = site.client.get("/api/stats").get_json()
    assert set(event) == set(document)
    assert set(event["totals"]) == set(document["totals"])


def test_one_frame_until_it_is_acknowledged(site: Site) -> None:
    client = connect(site)  # a test client never acknowledges
    subscribe(client, topics=["stats"])
    events(client, "stats")
    time.sleep(1.5)
    assert client.get_received() == []


def test_states_are_sent_when_they_change(site: Site) -> None:
    client = connect(site)
    subscribe(client, topics=["sensor_state"])
    assert events(client, "sensor_state")[0]["state"] == "connected"
    acknowledge_all(site)
    site.broker.may_restart.clear()
    site.broker.sensor.die()
    assert events(client, "sensor_state")[0]["state"] == "restarting"


def acknowledge_all(site: Site) -> None:
    for client in site.app.extensions["netglass.emitter"]._subscriptions._clients.values():
        for subscription in client.topics.values():
            subscription.waiting = False


def test_notices_come_with_how_many_were_lost(site: Site) -> None:
    client = connect(site)
    site.house.mirror.notice("info", "before")
    subscribe(client, topics=["notice"])
    first = events(client, "notice")[0]
    assert first["text"] == "before"
    for number in range(80):
        site.house.mirror.notice("warning", str(number))
    acknowledge_all(site)
    site.house.mirror.nudge()
    second = events(client, "notice")[0]
    assert (second["text"], len(second["notices"]), second["lost"]) == ("79", 50, 30)


def test_packets_are_rate_limited_and_the_rest_is_counted(site: Site) -> None:
    client = connect(site)
    subscribe(client, topics=["packets"], limit=5)
    frame = events(client, "packets")[0]
    assert len(frame["packets"]) == 5
    assert frame["skipped"] > 50
    numbers = [packet["id"] for packet in frame["packets"]]
    assert numbers == sorted(numbers, reverse=True)


def test_progress_is_passed_on(site: Site) -> None:
    client = connect(site)
    subscribe(client, topics=["progress"])
    assert events(client, "progress")[0]["task"] is None
    acknowledge_all(site)
    site.house.mirror.set_progress({"type": "progress", "task": "replay", "done": 3, "total": 9, "text": "compiling"})
    assert events(client, "progress")[0] == {"task": "replay", "done": 3, "total": 9, "text": "compiling"}


def test_a_query_that_breaks_ends_that_topic_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(site)
    subscribe(client, topics=["connections", "stats"])
    emitter = site.app.extensions["netglass.emitter"]
    subscription = next(iter(emitter._subscriptions._clients.values())).topics["connections"]

    def broken() -> None:
        raise RuntimeError("broken")

    subscription.topic.frame = broken
    subscription.waiting = False
    until(lambda: "connections" not in next(iter(emitter._subscriptions._clients.values())).topics)
    assert client.emit("subscribe", {"topics": ["stats"]}, callback=True)["topics"] == ["stats"]


def test_there_is_a_limit_of_clients(site: Site) -> None:
    clients = [connect(site) for _ in range(MAX_CLIENTS)]
    assert all(client.is_connected() for client in clients)
    assert not connect(site).is_connected()
    clients[0].disconnect()
    assert connect(site).is_connected()


def test_dns_sends_what_is_new_once_and_obeys_q(site: Site) -> None:
    client = connect(site)
    assert subscribe(client, topics=["dns"], q="rcode:NXDOMAIN", limit=50)["ok"]
    first = events(client, "dns")[0]
    assert {entry["rcode"] for entry in first["dns_queries"]} <= {"NXDOMAIN"}
    assert len(first["dns_queries"]) <= 50
    refused = subscribe(client, topics=["dns"], q="colour:red")
    assert (refused["ok"], refused["error"]["parameter"]) == (False, "q")
