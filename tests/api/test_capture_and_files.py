"""Start, stop, uploads and exports, as a client sees them."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.web import Site, running_site, until

PCAP = b"\xd4\xc3\xb2\xa1" + bytes(20)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path, max_upload_mb=1) as found:
        found.wait_for_flows()
        yield found


def uploads(site: Site) -> list[str]:
    directory = site.house.settings.data_dir / "uploads"
    return os.listdir(directory) if directory.exists() else []


def send(site: Site, content: bytes, name: str = "trace.pcap", **form: Any) -> Any:
    return site.client.post(
        "/api/capture/replay", data={"file": (io.BytesIO(content), name), **form}, content_type="multipart/form-data"
    )


def test_start_and_stop(site: Site) -> None:
    answer = site.client.post("/api/capture/start", json={"interfaces": ["eth1", "eth2"], "bpf_filter": "tcp"})
    assert answer.get_json() == {"status": "started"}
    until(
        lambda: (
            [entry["name"] for entry in site.client.get("/api/capture").get_json()["interfaces"]] == ["eth1", "eth2"]
        )
    )
    assert site.client.get("/api/capture").get_json()["bpf_filter"] == "tcp"
    assert site.client.post("/api/capture/stop").get_json() == {"status": "stopped"}
    until(lambda: site.client.get("/api/capture").get_json()["state"] == "stopped")


def test_the_kernels_and_libpcaps_own_words(site: Site) -> None:
    answer = site.client.post("/api/capture/start", json={"interface": "nope0"})
    assert (answer.status_code, answer.get_json()["detail"], answer.get_json()["code"]) == (
        400,
        "nope0: No such device",
        "no_such_interface",
    )
    answer = site.client.post("/api/capture/start", json={"bpf_filter": "bad"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_filter")
    assert "syntax error" in answer.get_json()["detail"]
    assert site.client.post("/api/capture/start", json={"interface": 5}).get_json()["parameter"] == "interfaces"


def test_an_upload_is_replayed_and_deleted(site: Site) -> None:
    answer = send(site, PCAP, "../../etc/pass\x01wd.pcap")
    assert answer.status_code == 202
    assert answer.get_json() == {"status": "replaying", "file": "passwd.pcap", "size": 24}
    until(lambda: site.client.get("/api/capture").get_json()["state"] == "finished")
    until(lambda: not uploads(site))


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"hello world", "no capture file")])
def test_what_is_no_capture_file_is_refused_in_words(site: Site, content: bytes, words: str) -> None:
    answer = send(site, content, "a.txt")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert words in answer.get_json()["detail"]
    assert "a.txt" in answer.get_json()["detail"]
    assert uploads(site) == []


def test_too_large(site: Site) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.pcap"\r\n\r\n'
    body = head + PCAP + bytes(2 << 20) + b"\r\n--x--\r\n"
    answer = site.client.post("/api/capture/replay", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"
    assert uploads(site) == []


def test_forms_without_or_with_too_many_files(site: Site) -> None:
    assert site.client.post("/api/capture/replay", data=PCAP).get_json()["parameter"] == "Content-Type"
    answer = site.client.post("/api/capture/replay", data={"other": "x"}, content_type="multipart/form-data")
    assert answer.get_json()["parameter"] == "file"
    two = {"file": (io.BytesIO(PCAP), "a"), "more": (io.BytesIO(PCAP), "b")}
    answer = site.client.post("/api/capture/replay", data=two, content_type="multipart/form-data")
    assert (answer.status_code, answer.get_json()["detail"]) == (400, "one file at a time")
    answer = site.client.post(
        "/api/capture/replay", data={"wrong": (io.BytesIO(PCAP), "a")}, content_type="multipart/form-data"
    )
    assert answer.status_code == 400
    answer = send(site, PCAP, bpf_filter="x" * 5000)
    assert answer.get_json()["parameter"] == "bpf_filter"
    assert uploads(site) == []


def test_other_addresses_take_no_files(site: Site) -> None:
    for path in ("/api/legal", "/api/connections/filter", "/api/capture/start"):
        answer = site.client.post(path, data={"file": (io.BytesIO(PCAP), "a")}, content_type="multipart/form-data")
        assert answer.status_code == 400
    assert uploads(site) == []


def test_uploads_are_throttled(site: Site) -> None:
    answers = [send(site, b"") for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [400] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_an_export_holds_the_packets(site: Site) -> None:
    until(lambda: len(site.broker.sensor.packets) > 100)
    answer = site.client.get("/api/export/pcap")
    data = answer.get_data()
    assert answer.status_code == 200
    assert answer.content_type == "application/vnd.tcpdump.pcap"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="netglass-packets.pcap"'
    assert int(answer.headers["Content-Length"]) == len(data)
    assert struct.unpack_from("<I", data)[0] == 0xA1B2C3D4
    assert (len(data) - 24) % 76 == 0
    flow = int(site.broker.sensor.packets["flow_id"][-1])
    part = site.client.get(f"/api/export/pcap?flow={flow}").get_data()
    assert 24 < len(part) < len(data)
    assert 24 < len(site.client.get("/api/export/pcap?q=protocol:udp").get_data()) < len(data)


@pytest.mark.parametrize(
    ("query", "words"),
    [("flow=99999999", "flow 99999999"), ("q=port:1", "port:1"), ("q=ip:203.0.113.77&flow=5", "flow 5")],
)
def test_an_empty_export_says_why(site: Site, query: str, words: str) -> None:
    answer = site.client.get(f"/api/export/pcap?{query}")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert words in answer.get_json()["detail"]


def test_wrong_exports(site: Site) -> None:
    assert site.client.get("/api/export/pcap?q=nope:1").get_json()["parameter"] == "q"
    assert site.client.get("/api/export/pcap?flow=0").get_json()["parameter"] == "flow"
    assert site.client.get("/api/export/pcap?format=zip").get_json()["parameter"] == "format"
    site.broker.restart_seconds = 60
    site.broker.sensor.die()
    until(lambda: site.house.mirror.sensor.state == "restarting")
    assert site.client.get("/api/export/pcap").status_code == 503
