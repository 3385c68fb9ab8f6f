"""ipinfo against a local fake: batches, memory, pace, and everything that can be wrong with the token, the network or the answer."""

from __future__ import annotations

import json
import time

import pytest

from app.enrich.country import Place
from app.probe import ipinfo as module
from app.probe.ipinfo import Ipinfo, IpinfoClient, read_ipinfo
from tests.probe.fakes import fake_ipinfo, free_port

FULL = {
    "ip": "8.8.8.8", "city": "Mountain View", "country": "US", "loc": "37.4056,-122.0775", "org": "AS15169 Google LLC",
    "privacy": {"vpn": False, "proxy": False, "tor": False, "relay": False, "hosting": True},
}  # fmt: skip


@pytest.fixture
def fake():
    with fake_ipinfo() as server:
        yield server


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def asker(fake, tmp_path, clock=None, token=None) -> Ipinfo:
    return Ipinfo(IpinfoClient(token or fake.token, fake.url), tmp_path / "d" / "ipinfo.jsonl", clock or Clock())


def test_one_batch_for_many_and_only_global_ones(fake, tmp_path) -> None:
    fake.records = {"8.8.8.8": FULL}
    found = asker(fake, tmp_path).ask(["8.8.8.8", "10.0.0.1", "9.9.9.9", "8.8.8.8", "ff02::1", "no address"])
    assert fake.asked == [["8.8.8.8", "9.9.9.9"]]
    assert found["8.8.8.8"] == Place("US", "Mountain View", 37.4056, -122.0775, 15169, "Google LLC", False)
    assert found["9.9.9.9"] == Place("CH")


def test_answers_are_kept_on_disk_and_damaged_lines_left_out(fake, tmp_path) -> None:
    clock = Clock()
    first = asker(fake, tmp_path, clock)
    assert first.get_geoip_info("9.9.9.9") == Place("CH")
    cache = tmp_path / "d" / "ipinfo.jsonl"
    with cache.open("a") as file:
        file.write(
            '{"ip": "1.1.1.1"\n[]\n{"ip": "10.0.0.1", "time": 1, "place": {}}\n{"ip": "7.7.7.7", "time": 1e6, "place": {"x": 1}}\n'
        )
    again = asker(fake, tmp_path, clock)
    assert again.status.kept == 1
    assert again.get_geoip_info("9.9.9.9") == Place("CH")
    assert len(fake.asked) == 1
    clock.now += module.KEPT_SECONDS
    assert asker(fake, tmp_path, clock).get_geoip_info("9.9.9.9") == Place("CH")
    assert len(fake.asked) == 2
    assert fake.token not in cache.read_text()


def test_no_faster_than_is_allowed_and_no_more_at_once(fake, tmp_path) -> None:
    clock = Clock()
    one = asker(fake, tmp_path, clock)
    many = [f"8.8.{n // 200}.{n % 200}" for n in range(250)]
    assert len(one.ask(many)) == module.BATCH
    assert len(one.ask(many)) == module.BATCH  # those that are known; nothing was asked
    assert len(fake.asked) == 1
    assert one.wait_seconds() == module.SECONDS_BETWEEN
    clock.now += module.SECONDS_BETWEEN
    assert len(one.ask(many)) == 2 * module.BATCH


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (403, "refused", "token"),
        (401, "refused", "token"),
        (429, "quota", "quota"),
        (500, "failed", "500"),
        (302, "failed", "302"),
    ],
)
def test_refusals_become_a_status_and_a_pause(fake, tmp_path, status, state, words) -> None:
    fake.status = status
    clock = Clock()
    one = asker(fake, tmp_path, clock)
    assert one.ask(["8.8.8.8"]) == {}
    assert (one.status.state, words in one.status.text) == (state, True)
    assert fake.token not in one.status.text
    assert one.ask(["8.8.8.8"]) == {}
    assert len(fake.asked) == 1  # not again at once
    fake.status = 200
    clock.now += one.wait_seconds()
    assert one.ask(["8.8.8.8"]) == {"8.8.8.8": Place("CH")}
    assert one.status.state == "ready"


def test_a_wrong_token(fake, tmp_path) -> None:
    one = asker(fake, tmp_path, token="wrong")
    assert one.get_geoip_info("8.8.8.8") is None
    assert one.status.state == "refused"


def test_no_network_is_a_status(tmp_path) -> None:
    one = Ipinfo(IpinfoClient("t", f"http://127.0.0.1:{free_port()}"), tmp_path / "c", Clock())
    began = time.monotonic()
    assert one.ask(["8.8.8.8"]) == {}
    assert one.status.state == "unreachable"
    assert time.monotonic() - began < 2


def test_a_server_that_hangs_is_given_up(fake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", (0.2, 0.2))
    fake.delay = 1.0
    one = asker(fake, tmp_path)
    assert one.ask(["8.8.8.8"]) == {}
    assert one.status.text == "ipinfo did not answer in time."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b'"x"',
        b"{" * 5000,
        b'{"8.8.8.8": 3}',
        b'{"a": {}, "8.8.8.8": {"country": 5, "loc": [7]}}',
    ],
)
def test_strange_answers_say_nothing(fake, tmp_path, body) -> None:
    fake.body = body
    one = asker(fake, tmp_path)
    assert set(one.ask(["8.8.8.8"]).values()) <= {Place()}


def test_an_answer_without_end_is_cut_off(fake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    fake.body = b" " * 100_000
    one = asker(fake, tmp_path)
    assert one.ask(["8.8.8.8"]) == {}
    assert one.status.state == "failed"


def test_without_a_token_nothing_is_asked(tmp_path) -> None:
    one = Ipinfo(None, tmp_path / "c")
    assert one.ask(["8.8.8.8"]) == {}
    assert one.status.state == "off"
    assert not (tmp_path / "c").exists()


def test_every_plans_records() -> None:
    assert read_ipinfo(
        {"asn": "AS15169", "as_name": "Google LLC", "country_code": "US", "country": "United States"}
    ) == Place("US", asn=15169, organization="Google LLC")
    assert (
        read_ipinfo({"asn": {"asn": "AS7", "name": "Seven"}, "privacy": {"vpn": True, "tor": False}}).is_anonymous
        is True
    )
    assert read_ipinfo({"privacy": {"hosting": True}}).is_anonymous is None  # hosting hides nobody
    assert read_ipinfo({"anonymous": {"is_proxy": False, "is_tor": True}}).is_anonymous is True
    assert read_ipinfo({"bogon": True}) == Place()
    assert read_ipinfo(json.loads('{"org": "No number", "is_anonymous": false}')) == Place(
        organization="No number", is_anonymous=False
    )
