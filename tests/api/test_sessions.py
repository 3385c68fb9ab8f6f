"""Capture files beside the live capture: opened, listed, asked through every endpoint, closed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sensor import FakeBroker
from tests.fakes.web import Site, running_site, until

PCAP = b"\xd4\xc3\xb2\xa1" + bytes(20)
LONG = 30.0
LIVE_FLOWS, FILE_FLOWS = 200, 50
READING = [
    "/api/connections", "/api/packets", "/api/dns_queries", "/api/stats", "/api/timeseries", "/api/pie_data", "/api/entropy", "/api/alerts",
    "/api/security", "/api/hosts", "/api/programs", "/api/latency", "/api/world", "/api/cards", "/api/capture", "/api/export", "/api/export/json",
    "/api/export_anomalies", "/api/interfaces", "/api/settings", "/api/help", "/api/legal", "/api/logs", "/api/mutes", "/api/rare_names",
]  # fmt: skip


class FileSensors:
    """Hands out sensors of sessions and remembers them; each ends for good, as a real one does."""

    def __init__(self) -> None:
        self.made: list[FakeBroker] = []

    def __call__(self, settings: Any) -> FakeBroker:
        self.made.append(FakeBroker(FILE_FLOWS, 0.1, restart_seconds=3600))
        return self.made[-1]


@pytest.fixture
def sensors() -> FileSensors:
    return FileSensors()


@pytest.fixture
def site(tmp_path: Path, sensors: FileSensors) -> Iterator[Site]:
    with running_site(
        tmp_path / "data",
        LIVE_FLOWS,
        new_sensor=sensors,
        max_sessions=2,
        max_upload_mb=1,
        export_dir=tmp_path / "exports",
    ) as found:
        found.wait_for_flows()
        yield found


def send(site: Site, content: bytes = PCAP, file: str = "trace.pcap", **form: Any) -> Any:
    return site.client.post(
        "/api/sessions", data={"file": (io.BytesIO(content), file), **form}, content_type="multipart/form-data"
    )


def opened(site: Site, **form: Any) -> str:
    answer = send(site, **form)
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["id"])


def listed(site: Site) -> list[dict[str, Any]]:
    return list(site.client.get("/api/sessions").get_json()["sessions"])


def flows(site: Site, session: str = "") -> set[int]:
    rows = site.client.get("/api/connections", query_string={"session": session, "limit": 1000}).get_json()
    return {row["flow_id"] for row in rows}


def test_a_file_is_opened_beside_the_live_capture(site: Site) -> None:
    before = site.client.get("/api/capture").get_json()
    answer = send(site, name="  last   Tuesday ")
    found = answer.get_json()
    assert (found["name"], found["file"], found["size"]) == ("last Tuesday", "trace.pcap", len(PCAP))
    assert answer.headers["Location"] == f"/api/sessions/{found['id']}"
    assert [one["id"] for one in listed(site)] == ["live", found["id"]]
    done = until(lambda: [one for one in listed(site)[1:] if one["state"] == "finished"], LONG)[0]
    assert done == site.client.get(f"/api/sessions/{found['id']}").get_json()
    assert site.client.get("/api/capture", query_string={"session": found["id"]}).get_json()["file"] == "trace.pcap"
    after = site.client.get("/api/capture").get_json()
    assert (after["state"], after["started"], after["source"]) == ("running", before["started"], "live")
    until(lambda: not os.listdir(site.house.settings.data_dir / "uploads"), LONG)


def test_every_endpoint_answers_for_the_session_it_is_asked_for(site: Site) -> None:
    session = opened(site)
    until(lambda: len(flows(site, session)) >= FILE_FLOWS, LONG)
    until(lambda: len(flows(site)) >= LIVE_FLOWS, LONG)
    assert len(flows(site, session)) < len(flows(site, "live"))
    for path in READING:
        assert site.client.get(path, query_string={"session": session}).status_code in (200, 404), path
        nobody = site.client.get(path, query_string={"session": "nobody"})
        assert (nobody.status_code, nobody.content_type) == (404, "application/problem+json"), path
        assert "no session 'nobody'" in nobody.get_json()["detail"]
    page = site.client.get("/api/connections", query_string={"session": session, "limit": 5})
    assert f"session={session}" in page.headers["Link"]


def test_what_is_said_of_alerts_stays_in_the_session(site: Site) -> None:
    session = opened(site)
    made = site.client.post(f"/api/mutes?session={session}", json={"q": "severity:low", "reason": "known"})
    assert made.status_code == 201, made.get_json()
    assert len(site.client.get(f"/api/mutes?session={session}").get_json()) == 1
    assert site.client.get("/api/mutes").get_json() == []
    site.client.delete(f"/api/sessions/{session}")
    assert os.listdir(site.house.settings.data_dir / "sessions") == []


def test_a_session_captures_nothing_and_has_no_history(site: Site) -> None:
    session = opened(site)
    for path in ("/api/capture/start", "/api/capture/replay"):
        answer = site.client.post(f"{path}?session={session}", json={})
        assert (answer.status_code, answer.get_json()["parameter"]) == (400, "session")
    answer = site.client.get(f"/api/connections?history=1&session={session}")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "history_off")
    assert "session" in answer.get_json()["detail"]


def test_reading_is_stopped_and_what_was_read_stays(site: Site, sensors: FileSensors) -> None:
    session = opened(site)
    until(lambda: flows(site, session), LONG)
    assert site.client.post(f"/api/capture/stop?session={session}").get_json() == {"status": "stopped"}
    until(lambda: listed(site)[1]["state"] in ("stopped", "finished"), LONG)
    assert flows(site, session)
    assert site.client.get("/api/capture").get_json()["state"] == "running"


def test_closing_ends_its_process_and_forgets_it(site: Site, sensors: FileSensors) -> None:
    session = opened(site)
    assert site.client.delete(f"/api/sessions/{session}").status_code == 204
    assert sensors.made[0].ended
    assert sensors.made[0].sensor.dead
    assert len(listed(site)) == 1
    for answer in (site.client.delete(f"/api/sessions/{session}"), site.client.get(f"/api/sessions/{session}")):
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert site.client.delete("/api/sessions/live").status_code == 400
    until(lambda: not os.listdir(site.house.settings.data_dir / "uploads"), LONG)


def test_there_are_only_so_many(site: Site) -> None:
    first, second = opened(site), opened(site)
    names = [one["name"] for one in listed(site)[1:]]
    assert names == ["trace.pcap", "trace.pcap (2)"]
    answer = send(site)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "too_many_sessions")
    assert "MAX_SESSIONS" in answer.get_json()["detail"]
    site.client.delete(f"/api/sessions/{first}")
    assert opened(site) != second


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"hello world", "no capture file")])
def test_what_is_no_capture_file_is_refused_in_words(site: Site, content: bytes, words: str) -> None:
    answer = send(site, content, "a.txt")
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert words in answer.get_json()["detail"]
    assert "a.txt" in answer.get_json()["detail"]
    assert len(listed(site)) == 1
    assert os.listdir(site.house.settings.data_dir / "uploads") == []


def test_too_large_names_and_keys(site: Site) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.pcap"\r\n\r\n'
    body = head + PCAP + bytes(2 << 20) + b"\r\n--x--\r\n"
    answer = site.client.post("/api/sessions", data=body, content_type="multipart/form-data; boundary=x")
    assert (answer.status_code, answer.content_type) == (413, "application/problem+json")
    assert send(site, name="x" * 81).get_json()["parameter"] == "name"
    assert site.client.post("/api/sessions", json={"path": "/etc/passwd"}).get_json()["parameter"] == "path"
    assert len(listed(site)) == 1


def test_a_capture_in_the_export_directory_is_opened_by_its_name(site: Site) -> None:
    directory = site.house.settings.export_dir
    directory.mkdir()
    (directory / "saved.pcap").write_bytes(PCAP)
    (directory / "link.pcap").symlink_to("/etc/passwd")
    answer = site.client.post("/api/sessions", json={"file": "saved.pcap", "name": "saved"})
    assert (answer.status_code, answer.get_json()["name"]) == (201, "saved")
    until(lambda: listed(site)[1]["state"] == "finished", LONG)
    assert (directory / "saved.pcap").exists()
    for name, status in (("../data/x", 400), ("", 400), (7, 400), ("none.pcap", 404), ("link.pcap", 404), ("..", 404)):
        assert site.client.post("/api/sessions", json={"file": name}).status_code == status, name


def test_the_death_of_its_sensor_is_told_and_the_live_one_goes_on(site: Site, sensors: FileSensors) -> None:
    session = opened(site)
    until(lambda: flows(site, session), LONG)
    boot = site.house.mirror.sensor.boot
    sensors.made[0].ended = True
    sensors.made[0].sensor.die()
    until(lambda: site.client.get(f"/api/stats?session={session}").get_json()["sensor"]["state"] == "gone", LONG)
    assert flows(site, session)
    assert site.house.mirror.sensor.boot == boot
    assert site.client.delete(f"/api/sessions/{session}").status_code == 204


def test_a_subscription_is_of_one_session(site: Site) -> None:
    session = opened(site)
    until(lambda: len(flows(site, session)) >= FILE_FLOWS, LONG)
    client = site.app.extensions["socketio"].test_client(site.app, headers={"Authorization": "Bearer right"})
    refused = client.emit("subscribe", {"topics": ["connections"], "session": "nobody"}, callback=True)
    assert (refused["ok"], refused["error"]["parameter"]) == (False, "session")
    client.emit("subscribe", {"topics": ["connections"], "session": session}, callback=True)
    client.emit("subscribe", {"topics": ["sessions"]}, callback=True)
    received: list[Any] = []

    def of(name: str) -> list[Any]:
        received.extend(client.get_received())
        return [event["args"][0] for event in received if event["name"] == name]

    assert until(lambda: of("connections"), LONG)[0]["total"] < LIVE_FLOWS
    assert [one["id"] for one in until(lambda: of("sessions"), LONG)[0]["sessions"]] == ["live", session]
    site.client.delete(f"/api/sessions/{session}")
    received.clear()
    client.emit(
        "subscribe", {"topics": ["sessions"]}, callback=True
    )  # frames that are not acknowledged are not followed by others
    assert [one["id"] for one in until(lambda: of("sessions"), LONG)[-1]["sessions"]] == ["live"]
    answer = client.emit("unsubscribe", {"topics": ["sessions"]}, callback=True)
    assert answer == {"ok": True, "topics": []}


def test_leftovers_of_an_earlier_run_are_deleted(tmp_path: Path) -> None:
    left = tmp_path / "sessions" / "0badcafe"
    left.mkdir(parents=True)
    (left / "mutes.json").write_text("[]")
    with running_site(tmp_path):
        assert not left.exists()


def test_a_session_gets_another_name(site: Site) -> None:
    first, second = opened(site, name="Monday"), opened(site, name="Tuesday")
    answer = site.client.post(f"/api/sessions/{first}", json={"name": "  the  outage "})
    assert (answer.status_code, answer.get_json()["name"]) == (200, "the outage")
    assert (
        site.client.post(f"/api/sessions/{second}", json={"name": "the outage"}).get_json()["name"] == "the outage (2)"
    )
    assert site.client.post(f"/api/sessions/{first}", json={"name": "the outage"}).get_json()["name"] == "the outage"
    assert [one["name"] for one in listed(site)[1:]] == ["the outage", "the outage (2)"]
    for name in ("", "  ", "x" * 81, "a\u202eb", 5, None):
        refused = site.client.post(f"/api/sessions/{first}", json={"name": name})
        assert (refused.status_code, refused.get_json().get("parameter")) == (400, "name"), (name, refused.get_json())
    assert site.client.post("/api/sessions/live", json={"name": "a"}).status_code == 400
    assert site.client.post("/api/sessions/nobody", json={"name": "a"}).status_code == 404
