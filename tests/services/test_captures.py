"""Starting, stopping, replaying: what is refused, and that uploaded files do not stay."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.model.errors import CommandError
from app.services.captures import CaptureRequest, capture_request
from app.services.query_errors import BadRequest, Unavailable
from tests.fakes.sensor import FakeBroker, FakeSensor
from tests.fakes.web import Site, running_site, until

PCAP = b"\xd4\xc3\xb2\xa1" + bytes(20)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as found:
        found.wait_for_flows()
        yield found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, CaptureRequest()),
        ({"interface": "eth0"}, CaptureRequest(("eth0",))),
        ({"interface": "eth0, wlan0"}, CaptureRequest(("eth0", "wlan0"))),
        ({"interfaces": ["any"]}, CaptureRequest(("any",))),
        ({"interface": "auto"}, CaptureRequest()),
        ({"interfaces": None, "bpf_filter": None, "snaplen": None}, CaptureRequest()),
        ({"interfaces": ["a"], "bpf_filter": " tcp ", "snaplen": 96}, CaptureRequest(("a",), "tcp", 96)),
    ],
)
def test_bodies(body: dict[str, Any], expected: CaptureRequest) -> None:
    assert capture_request(body) == expected


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"iface": "eth0"}, "iface"),
        ({"interfaces": 5}, "interfaces"),
        ({"interfaces": [5]}, "interfaces"),
        ({"interfaces": [""]}, "interfaces"),
        ({"interfaces": ["a\nb"]}, "interfaces"),
        ({"interfaces": ["x" * 65]}, "interfaces"),
        ({"interfaces": ["x"] * 65}, "interfaces"),
        ({"snaplen": -1}, "snaplen"),
        ({"snaplen": 262_145}, "snaplen"),
        ({"snaplen": "96"}, "snaplen"),
        ({"snaplen": True}, "snaplen"),
        ({"bpf_filter": 5}, "bpf_filter"),
        ({"bpf_filter": "x" * 4097}, "bpf_filter"),
        ({"bpf_filter": "tcp\0"}, "bpf_filter"),
    ],
)
def test_wrong_bodies_are_named(body: dict[str, Any], parameter: str) -> None:
    with pytest.raises(BadRequest) as refused:
        capture_request(body)
    assert refused.value.parameter == parameter
    assert refused.value.allowed


def test_a_refused_start_leaves_the_wish_as_it_was(site: Site) -> None:
    site.house.captures.start(CaptureRequest(("eth1",)))
    with pytest.raises(CommandError, match="syntax error"):
        site.house.captures.start(CaptureRequest(("eth1",), "bad"))
    assert site.house.captures.wanted == CaptureRequest(("eth1",))


def test_without_a_sensor_it_is_unavailable(site: Site) -> None:
    site.broker.restart_seconds = 60
    site.broker.sensor.die()
    until(lambda: site.house.mirror.sensor.state == "restarting")
    with pytest.raises(Unavailable, match="started again"):
        site.house.captures.stop()


def upload(site: Site, content: bytes) -> Path:
    path, file = site.house.captures.new_upload()
    with file:
        file.write(content)
    return path


def test_an_upload_is_private(site: Site) -> None:
    path = upload(site, PCAP)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent.parent == site.house.settings.data_dir


def test_an_upload_is_deleted_when_the_sensor_has_read_it(site: Site) -> None:
    path = upload(site, PCAP)
    site.house.captures.replay(path, "x.pcap", uploaded=True)
    until(lambda: site.house.mirror.part("capture").get("state") == "finished")
    until(lambda: not path.exists())


@pytest.mark.parametrize("action", ["stop", "start", "replay", "refused"])
def test_an_upload_is_deleted_when_something_else_begins(site: Site, action: str, tmp_path: Path) -> None:
    path = upload(site, b"text" if action == "refused" else PCAP)
    if action == "refused":
        with pytest.raises(CommandError, match="no capture file"):
            site.house.captures.replay(path, "x.txt", uploaded=True)
    else:
        site.house.captures.replay(path, "x.pcap", uploaded=True)
    if action == "stop":
        site.house.captures.stop()
    elif action == "start":
        site.house.captures.start(CaptureRequest())
    elif action == "replay":
        other = tmp_path / "other.pcap"
        other.write_bytes(PCAP)
        site.house.captures.replay(other, "other.pcap")
        until(lambda: site.house.mirror.part("capture").get("state") == "finished")
        assert other.exists()
    assert not path.exists()


def test_an_upload_outlives_snapshots_of_the_capture_before_it(site: Site) -> None:
    path = upload(site, PCAP)
    site.house.captures._upload = path
    site.house.captures._replaying = "x.pcap"
    site.house.captures.snapshot_applied()  # still "running", of the live capture before
    assert path.exists()


def test_leftovers_of_an_earlier_run_are_removed_and_nothing_else(site: Site) -> None:
    path = upload(site, PCAP)
    other = path.parent / "notes.txt"
    other.write_text("x")
    site.house.captures.remove_leftovers()
    assert os.listdir(path.parent) == ["notes.txt"]


def test_the_first_sensor_is_told_what_the_settings_say(tmp_path: Path) -> None:
    with running_site(tmp_path, interface=("eth5",), bpf_filter="udp", snaplen=128) as site:
        start = until(lambda: [message for message in site.broker.sensor.commands if message["type"] == "start"])[0]
        assert (start["interfaces"], start["bpf_filter"], start["snaplen"]) == (["eth5"], "udp", 128)


def test_a_file_of_the_settings_is_replayed_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(PCAP)
    with running_site(tmp_path, pcap=path) as site:
        until(lambda: site.house.mirror.part("capture").get("state") == "finished")
        assert site.house.mirror.part("capture")["file"] == "a.pcap"
    assert path.exists()


def test_autostart_can_be_off(tmp_path: Path) -> None:
    with running_site(tmp_path, autostart=False) as site:
        until(lambda: site.house.mirror.snapshots > 2)
        assert site.broker.sensor.commands == []


def test_a_filter_of_the_settings_that_does_not_compile_is_said_to_the_user(tmp_path: Path) -> None:
    with running_site(tmp_path, bpf_filter="bad") as site:
        until(lambda: any("syntax error" in entry["text"] for entry in site.house.mirror.notices_since(0)[1]))


def test_the_settings_hold_until_a_sensor_took_them(tmp_path: Path) -> None:
    broker = FakeBroker(50, 0.1, first=lambda sensor: setattr(sensor, "commands", Deadly(sensor)))
    with running_site(tmp_path, broker=broker) as site:
        until(lambda: len(site.broker.sensors) == 2)
        site.wait_for_flows()


class Deadly(list[Any]):
    """A sensor dies over the first command that it is given."""

    def __init__(self, sensor: FakeSensor) -> None:
        super().__init__()
        self._sensor = sensor

    def append(self, message: Any) -> None:
        self._sensor.die()
