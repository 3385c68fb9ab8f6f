"""Every route: the right shape of answer, and one shape of error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import ImATeapot

from app.services.house import House
from tests.fakes.web import Site, running_site, until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("routes")) as found:
        found.wait_for_flows()
        until(lambda: len(found.house.mirror.packets()) > 200)
        found.house.interfaces.refresh()
        yield found


def strict(response: Any) -> Any:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    return json.loads(response.get_data(), parse_constant=refuse)


def is_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.get_data()
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = strict(response)
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in document["detail"]
    return document


def routes(site: Site) -> list[tuple[str, set[str]]]:
    found: dict[str, set[str]] = {}
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint != "static":
            found.setdefault(re.sub(r"<[^>]+>", "1", rule.rule), set()).update(rule.methods or ())
    return list(found.items())


def test_every_get_answers_json_or_the_page(site: Site) -> None:
    for path, methods in routes(site):
        if "GET" not in methods or path.startswith(("/api/export", "/api/history/", "/api/reference", "/metrics")):
            continue  # they have tests of their own: files, text, and a store that is off here
        response = site.client.get(path)
        if path in ("/", "/api/cards/report", "/api/security/report"):
            assert response.content_type.startswith("text/html")
        elif "/1" in path and response.status_code in (400, 404):  # there is no alert, host or log of that name
            is_problem(response, response.status_code)
        else:
            assert response.status_code == 200, (path, response.get_data())
            assert response.content_type == "application/json"
            strict(response)


def test_every_route_refuses_other_methods_in_the_one_shape(site: Site) -> None:
    for path, methods in routes(site):
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - methods:
            response = site.client.open(path, method=method)
            is_problem(response, 405)
            assert "Allow" in response.headers


def test_every_api_route_names_a_parameter_it_does_not_know(site: Site) -> None:
    for path, methods in routes(site):
        if not path.startswith("/api/") or path == "/api/capture/replay":
            continue
        method = next(name for name in ("GET", "POST", "DELETE") if name in methods)
        document = is_problem(site.client.open(f"{path}?bogus=1", method=method), 400)
        assert document["parameter"] == "bogus", path


def test_every_post_refuses_a_body_that_is_no_json_object(site: Site) -> None:
    for path in ("/api/connections/filter", "/api/capture/start", "/api/legal"):
        for body in ("{", "[1]", "5", '"x"', "null", "\xff", '{"a":' * 200):
            is_problem(site.client.post(path, data=body), 400)


def test_what_is_not_there_is_a_problem(site: Site) -> None:
    is_problem(site.client.get("/api/nothing"), 404)
    is_problem(site.client.get("/static/nothing.js"), 404)
    is_problem(site.client.get("/api/packets/x"), 404)
    is_problem(site.client.get("/api/packets/-1"), 404)


def test_bodies_are_bounded(site: Site) -> None:
    is_problem(site.client.post("/api/connections/filter", data=b"x" * 70_000), 413)


def test_what_nobody_foresaw_is_a_problem_without_details(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: House) -> list[str]:
        raise RuntimeError("secret details")

    monkeypatch.setattr(House, "interface_names", broken)
    document = is_problem(site.client.get("/api/connections"), 500)
    assert "secret" not in document["detail"]


def test_strange_statuses_of_flask_are_problems(site: Site) -> None:
    with site.app.test_request_context():
        handler = site.app.handle_user_exception(ImATeapot())
        assert handler.content_type == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/connections", "/api/packets"])
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e3", "limit"),
        ("limit=99999", "limit"),
        ("limit=%D9%A1", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999", "offset"),
        ("sort=nope", "sort"),
        ("cursor=%00", "cursor"),
        ("q=nope:1", "q"),
        ("q=(", "q"),
    ],
)
def test_list_parameters_are_named(site: Site, path: str, query: str, parameter: str) -> None:
    assert is_problem(site.client.get(f"{path}?{query}"), 400)["parameter"] == parameter


def test_q_tells_the_column_and_what_is_allowed(site: Site) -> None:
    document = is_problem(site.client.get("/api/connections?q=port:443 nope:1"), 400)
    assert document["position"] == 9
    assert "port" in document["allowed"]


# -- connections -------------------------------------------------------------------------------------------------------


def test_connections_page_with_links(site: Site) -> None:
    first = site.client.get("/api/connections?limit=7&sort=-bytes_recv")
    rows = strict(first)
    assert len(rows) == 7
    assert int(first.headers["X-Total-Count"]) > 100
    link = re.fullmatch(r'<(/api/connections\?[^>]+)>; rel="next"', first.headers["Link"])
    assert link
    assert "sort=-bytes_recv" in link[1]
    second = strict(site.client.get(link[1]))
    assert second[0]["bytes_recv"] <= rows[-1]["bytes_recv"]
    assert TIME.fullmatch(rows[0]["time_of_detection"])


def test_connections_filter(site: Site) -> None:
    rows = strict(site.client.post("/api/connections/filter?limit=10", json={"protocol": "UDP", "port": 53}))
    assert rows
    assert {row["service"] for row in rows} == {"DNS"}
    document = is_problem(site.client.post("/api/connections/filter", json={"colour": "red"}), 400)
    assert document["parameter"] == "colour"
    assert "remote_address" in document["allowed"]
    is_problem(site.client.post("/api/connections/filter", json={"bytes_sent": "many"}), 400)


# -- packets -----------------------------------------------------------------------------------------------------------


def test_packets_newest_first_and_on_by_cursor(site: Site) -> None:
    def from_the_sensor() -> Any:  # on a slow machine its first answer is waited for in vain, and the mirror's is given
        response = site.client.get("/api/packets?limit=50&q=protocol:tcp")
        return response if response.headers["X-Packets-Source"] == "sensor" else None

    first = until(from_the_sensor)
    rows = strict(first)
    numbers = [row["id"] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert {row["protocol"] for row in rows} == {"tcp"}
    link = re.fullmatch(r'<(.+)>; rel="next"', first.headers["Link"])
    assert link
    following = strict(site.client.get(link[1]))
    assert following[0]["id"] < numbers[-1]


def test_packets_by_offset_and_in_rising_order(site: Site) -> None:
    before = site.house.mirror.packets()["packet_id"].max()
    rows = strict(site.client.get(f"/api/packets?limit=10&cursor={before}"))
    shifted = strict(site.client.get(f"/api/packets?limit=5&offset=5&cursor={before}"))
    assert shifted == rows[5:]
    assert strict(site.client.get(f"/api/packets?limit=10&sort=id&cursor={before}")) == rows[::-1]


def test_packets_come_from_the_mirror_without_a_sensor(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        until(lambda: len(site.house.mirror.packets()) > 100)
        site.broker.restart_seconds = 60
        site.broker.sensor.die()
        until(lambda: site.house.mirror.sensor.state == "restarting")
        response = site.client.get("/api/packets?limit=20&q=protocol:udp")
        assert response.headers["X-Packets-Source"] == "mirror"
        assert {row["protocol"] for row in strict(response)} == {"udp"}
        document = is_problem(site.client.get("/api/packets/1"), 503)
        assert document["code"] == "sensor_gone"


def test_a_packet_taken_apart(site: Site) -> None:
    number = strict(site.client.get("/api/packets?limit=1"))[0]["id"]
    document = strict(site.client.get(f"/api/packets/{number}"))
    assert document["packet"]["id"] == document["id"] == number
    assert [layer["name"] for layer in document["tree"]][:2] == ["Ether", "IP"]
    assert document["hex"]
    missing = is_problem(site.client.get("/api/packets/999999999"), 404)
    assert missing["code"] == "not_held"


# -- statistics --------------------------------------------------------------------------------------------------------


def test_statistics(site: Site) -> None:
    document = strict(site.client.get("/api/stats"))
    keys = [
        "time",
        "totals",
        "rates",
        "runtime_s",
        "protocols",
        "top_ips",
        "top_ports",
        "top_conversations",
        "sizes",
        "flows",
        "losses",
        "latency",
        "packet_loss_percent",
        "throughput_bps",
        "capture",
        "sensor",
        "store",
        "health",
    ]
    assert set(keys) <= set(document)
    assert document["totals"]["packets"] > 0
    assert document["protocols"][0]["name"] == "eth"
    assert set(document["top_ips"][0]) == {"ip", "packets_sent", "packets_recv", "bytes_sent", "bytes_recv"}
    assert set(document["top_ports"][0]) == {"port", "protocol", "service", "packets", "bytes"}
    assert set(document["top_conversations"][0]) == {"a", "b", "packets", "bytes"}
    assert document["sensor"]["state"] == "connected"
    assert document["capture"]["state"] == "running"
    assert TIME.fullmatch(document["totals"]["first"])
    assert not [key for part in document.values() if isinstance(part, dict) for key in part if key.endswith("_ns")]


def test_statistics_before_anything_was_seen(tmp_path: Path) -> None:
    with running_site(tmp_path, autostart=False) as site:
        until(lambda: site.house.mirror.snapshots)
        for path in (
            "/api/stats",
            "/api/connections",
            "/api/packets",
            "/api/capture",
            "/api/timeseries",
            "/api/pie_data",
        ):
            assert site.client.get(path).status_code == 200
        document = is_problem(site.client.get("/api/export/pcap"), 404)
        assert "no packet has been captured" in document["detail"]


def test_charts(site: Site) -> None:
    document = strict(site.client.get("/api/timeseries?metric=bps,flows&step=10"))
    assert len(document["times"]) == len(document["series"]["bps"]) == len(document["series"]["flows"]) > 100
    assert is_problem(site.client.get("/api/timeseries?metric=x"), 400)["parameter"] == "metric"
    assert is_problem(site.client.get("/api/timeseries?step=7"), 400)["parameter"] == "step"
    assert is_problem(site.client.get("/api/timeseries?from=noon"), 400)["parameter"] == "from"


@pytest.mark.parametrize("by", ["process"])
def test_shares_of_what_is_not_known_say_why_they_are_empty(site: Site, by: str) -> None:
    response = site.client.get(f"/api/pie_data?by={by}")
    assert strict(response) == []
    assert response.headers["X-Empty-Because"]


@pytest.mark.parametrize("by", ["protocol", "host", "port", "app"])
def test_shares(site: Site, by: str) -> None:
    rows = strict(site.client.get(f"/api/pie_data?by={by}"))
    assert rows
    assert all(set(row) == {"app_name", "traffic"} for row in rows)
    view = site.house.mirror.flow_view()
    total = int((view.flows["src_bytes"] + view.flows["dst_bytes"]).sum())
    assert sum(row["traffic"] for row in rows) == pytest.approx(total, rel=0.2)
    if by == "app":
        assert {"DNS", "Google"} <= {row["app_name"] for row in rows}


def test_shares_of_something_else(site: Site) -> None:
    assert is_problem(site.client.get("/api/pie_data?by=colour"), 400)["allowed"]


# -- the program -------------------------------------------------------------------------------------------------------


def test_help_explains_every_number_that_is_shown(site: Site) -> None:
    explained = strict(site.client.get("/api/help"))
    shown = {
        *strict(site.client.get("/api/connections?limit=1"))[0],
        *strict(site.client.get("/api/packets?limit=1"))[0],
    }
    stats = strict(site.client.get("/api/stats"))
    shown |= {*stats["losses"], *stats["latency"], "pps", "bps", "runtime_s", "throughput_bps"} - {"samples"}
    assert shown - set(explained) == set()


def test_settings_show_no_secret(tmp_path: Path) -> None:
    with running_site(tmp_path, ipinfo_token="hush") as site:
        text = site.client.get("/api/settings").get_data(as_text=True)
    assert "hush" not in text
    assert '"right"' not in text
    rows = {row["name"]: row for row in json.loads(text)}
    assert rows["AUTH_TOKEN"]["value"] == rows["IPINFO_TOKEN"]["value"] != None  # noqa: E711 - masked, but shown to be set
    assert rows["PORT"] == {**rows["PORT"], "value": 8080, "default": 8080, "secret": False}


def test_the_legal_notice_is_accepted_once_and_remembered(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        assert strict(site.client.get("/api/legal"))["accepted"] is False
        is_problem(site.client.post("/api/legal", json={"accepted": "yes"}), 400)
        document = strict(site.client.post("/api/legal", json={"accepted": True}))
        assert document["accepted"] is True
        assert TIME.fullmatch(document["accepted_at"])
    assert (tmp_path / "legal.json").stat().st_mode & 0o777 == 0o600
    with running_site(tmp_path) as site:
        assert strict(site.client.get("/api/legal"))["accepted"] is True
    (tmp_path / "legal.json").write_text("{broken")
    with running_site(tmp_path) as site:
        assert strict(site.client.get("/api/legal"))["accepted"] is False


def test_interfaces(site: Site) -> None:
    document = strict(site.client.get("/api/interfaces"))
    keys = [
        "interface",
        "is_up",
        "is_physical",
        "speed_mbps",
        "mtu",
        "addresses",
        "bytes_sent",
        "bytes_recv",
        "packets_sent",
        "packets_recv",
        "upload_bps",
        "download_bps",
        "errors",
        "drops",
    ]
    assert set(keys) <= set(document["interfaces"][0])
    assert isinstance(document["total_data_usage_gb"], float)


def test_health_tells_of_the_sensor(site: Site) -> None:
    assert strict(site.client.get("/healthz")) == {"status": "ok", "sensor": "connected"}


def test_shutdown_answers_first(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        ended: list[bool] = []
        site.house.shut_down = lambda: ended.append(True)
        assert strict(site.client.post("/api/shutdown")) == {"status": "shutting down"}
        until(lambda: ended)
