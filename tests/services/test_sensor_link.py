"""The link: commands find their replies, a dead or silent sensor is seen in time, and the next one is told what was wanted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.link.channel import Channel
from app.link.messages import COMMANDS, Message, hello
from app.model.errors import CommandError
from app.services import sensor_link
from app.services.captures import CaptureRequest
from app.services.mirror import Mirror
from app.services.sensor_link import SensorLink
from tests.fakes.sensor import FakeBroker
from tests.fakes.web import Site, running_site, until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as found:
        until(lambda: found.house.mirror.sensor_ready)
        yield found


def test_commands_run_side_by_side_and_get_their_own_replies(site: Site) -> None:
    site.wait_for_flows()
    answers: dict[int, int] = {}

    def ask(limit: int) -> None:
        answers[limit] = len(site.house.link.command("packets", limit=limit)["rows"]) // 168

    threads = [threading.Thread(target=ask, args=(limit,)) for limit in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {limit: limit for limit in range(1, 21)}


def test_a_refusal_carries_code_and_words(site: Site) -> None:
    with pytest.raises(CommandError, match="No such device") as refused:
        site.house.link.command("start", interfaces=["nope0"])
    assert refused.value.code == "no_such_interface"


def test_a_sensor_that_does_not_answer(site: Site) -> None:
    until(lambda: site.house.mirror.part("capture").get("state") == "running")  # the settings' own start was answered
    until(lambda: not site.house.link._pending)
    site.broker.sensor.silent = True
    with pytest.raises(CommandError, match="did not answer stop") as refused:
        site.house.link.command("stop", 0.1)
    assert refused.value.code == "timeout"
    assert not site.house.link._pending


def test_a_start_is_waited_for_as_long_as_progress_comes(site: Site) -> None:
    link, before = site.house.link, time.monotonic()
    site.broker.sensor.silent = site.broker.sensor.compiling = True  # tells of progress, answers nothing
    until(lambda: link._last_progress > before)
    heard: list[Message] = []
    link._take = heard.append  # type: ignore[method-assign, assignment]
    until(lambda: heard)  # from here on nobody else sets the time
    link._last_progress = time.monotonic() + 3600  # as if progress went on coming
    answers: list[str] = []

    def start() -> None:
        try:
            link.command("start", 0.1, interfaces=[], bpf_filter="", snaplen=0)
        except CommandError as error:
            answers.append(error.code)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    link._last_progress = before
    thread.join(30)
    assert answers == ["timeout"]


def test_death_is_seen_within_two_seconds_and_the_next_sensor_goes_on(site: Site) -> None:
    site.wait_for_flows()
    site.house.captures.start(CaptureRequest(("eth7",), "tcp", 96))
    first = site.broker.sensor
    site.broker.may_restart.clear()
    started = time.monotonic()
    first.die()
    until(lambda: site.house.mirror.sensor.state == "restarting", 30)
    assert time.monotonic() - started < 2
    until(lambda: "signal 9" in (site.house.mirror.sensor.message or ""), 30)
    with pytest.raises(CommandError) as refused:
        site.house.link.command("stop")
    assert refused.value.code == "sensor_gone"
    site.broker.may_restart.set()
    until(lambda: site.house.mirror.sensor.state == "connected", 30)
    assert site.broker.sensor is not first
    start = until(lambda: [message for message in site.broker.sensor.commands if message["type"] == "start"])[0]
    assert (start["interfaces"], start["bpf_filter"], start["snaplen"]) == (["eth7"], "tcp", 96)
    assert site.house.mirror.sensor.restarts == 1
    site.wait_for_flows()


def test_a_defect_in_those_that_hear_does_not_end_the_reader(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.wait_for_flows()
    link, heard = site.house.link, site.house.link.on_message
    taken: list[str] = []

    def stumbles(message: Message) -> None:
        taken.append(message["type"])
        raise RuntimeError("a defect")

    link.on_message = stumbles
    until(lambda: len(taken) > 2)
    link.on_message = heard
    assert link.command("packets", 60, limit=5)["rows"]
    assert site.house.mirror.sensor.state == "connected"
    assert link.failures >= 3
    assert "a defect" in caplog.text
    said = [one["text"] for one in site.house.mirror.notices_since(0)[1]]
    assert sum("not taken wholly" in text for text in said) == 1


def test_a_command_under_way_fails_at_once_when_the_sensor_dies(site: Site) -> None:
    site.broker.sensor.silent = True
    threading.Timer(0.2, site.broker.sensor.die).start()
    started = time.monotonic()
    with pytest.raises(CommandError) as refused:
        site.house.link.command("stop", 10)
    assert refused.value.code == "sensor_gone"
    assert time.monotonic() - started < 3


def test_a_capture_that_was_stopped_is_not_started_again(site: Site) -> None:
    site.wait_for_flows()
    site.house.captures.stop()
    site.broker.sensor.die()
    until(lambda: len(site.broker.sensors) == 2 and site.house.mirror.sensor.state == "connected")
    time.sleep(0.3)
    assert not [message for message in site.broker.sensor.commands if message["type"] == "start"]


def test_a_file_is_not_replayed_after_the_sensor_died_over_it(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "some.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20))
    site.house.captures.replay(path, "some.pcap")
    site.broker.sensor.die()
    until(lambda: any("some.pcap" in entry["text"] for entry in site.house.mirror.notices_since(0)[1]))
    assert not [message for message in site.broker.sensor.commands if message["type"] == "replay"]


def test_silence_is_shown_and_ends_with_the_next_word(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_link, "SILENT_SECONDS", 0.3)
    site.broker.sensor.silent = True
    until(lambda: site.house.mirror.sensor.state == "silent", 30)
    site.broker.sensor.silent = False
    until(lambda: site.house.mirror.sensor.state == "connected", 30)


class OneLink:
    """A source of one link only."""

    def __init__(self) -> None:
        web, self.far = socket.socketpair()
        self.links = [Channel(web)]

    @property
    def ended(self) -> bool:
        return not self.links

    def next_link(self, timeout: float) -> Channel | None:
        return self.links.pop()

    def why_gone(self) -> str | None:
        return None

    def quit(self) -> None: ...


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"layouts": {"flow": 1}}, "other sizes"),
        ({"type": "reply", "id": 1, "ok": True}, "not hello"),
    ],
)
def test_a_sensor_of_another_release_is_refused_in_words(change: dict[str, object], words: str) -> None:
    source = OneLink()
    mirror = Mirror()
    link = SensorLink(source, mirror)
    far = Channel(source.far, COMMANDS)
    far.send({**hello(1, "boot"), **change})
    told: list[str | None] = []
    original = mirror.sensor_state
    mirror.sensor_state = lambda state, message: (told.append(message), original(state, message))[1]  # type: ignore[method-assign]
    link.run()
    far.close()
    assert any(words in (message or "") for message in told), told


def test_a_stream_that_nobody_takes_is_ended_and_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_link, "UNREAD_BYTES", 20_000)
    site.wait_for_flows()
    until(lambda: len(site.broker.sensor.packets) > 1000)
    parts = site.house.link.stream("export", 60)
    next(parts)
    until(lambda: not site.house.link._pending)  # the last part has come
    with pytest.raises(CommandError) as refused:
        list(parts)
    assert refused.value.code == "overrun"


def test_a_sensor_that_compiles_is_waited_for(tmp_path: Path) -> None:
    broker = FakeBroker(50, 0.1, first=lambda sensor: setattr(sensor, "compiling", True))
    with running_site(tmp_path, broker=broker) as site:
        until(lambda: (site.house.mirror.progress or {}).get("text") == "decoding")
        with pytest.raises(CommandError, match="decoding, 2 of 8") as refused:
            site.house.link.command("stop")
        assert refused.value.code == "starting"
        time.sleep(0.3)
        assert broker.sensor.commands == []
        broker.sensor.compiling = False
        site.wait_for_flows()
        assert [message["type"] for message in broker.sensor.commands] == ["start"]
        assert site.house.mirror.progress is None
