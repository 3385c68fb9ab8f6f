"""Floods within one flow, answers that are not fetched, ports that all answer, datagrams from services' ports: at their limits, and beside what looks like them."""

from __future__ import annotations

from random import Random

import pytest

from app.detect import stream_watch
from app.detect.stream_samples import ENOUGH, StreamSamples
from app.model.alert import Detection
from bench import cases_floods, cases_overload, cases_scans
from bench.case_frames import ACK, PSH, SYN, Timed, connection, in_order, tcp, tried, udp
from bench.cases import Case, alerts_of

BAD, VICTIM = "10.1.1.66", "10.1.1.20"


def told(frames: list[Timed], rule: str) -> list[Detection]:
    return [one.detection for one in alerts_of(Case("", (), None, lambda: frames)) if one.detection.rule == rule]


def samples(*payloads: bytes, numbers: list[int] | None = None) -> StreamSamples:
    made = StreamSamples(0)
    for i, payload in enumerate(payloads):
        made.add(numbers[i] if numbers else 0, 7, payload, ())
    return made


def test_numbers_that_rise_stand_still_and_jump() -> None:
    rising = [(0xFFFFF000 + i * 1448) % (1 << 32) for i in range(ENOUGH)]
    assert samples(*[b""] * ENOUGH, numbers=rising).goes_on
    assert samples(*[b""] * ENOUGH, numbers=[*rising[:20], rising[18], *rising[20:31]]).goes_on  # one came late
    assert not samples(*[b""] * ENOUGH).goes_on
    assert not samples(*[b""] * ENOUGH, numbers=[Random(i).getrandbits(32) for i in range(ENOUGH)]).goes_on


def test_what_all_packets_have_in_common() -> None:
    chance = Random(1)
    noise = [chance.randbytes(200) for _ in range(ENOUGH)]
    quic = [bytes([0x40 | one[0] & 0x3F]) + one[1:] for one in noise]
    rtp = [b"\x80" + one for one in noise]
    assert [(one.uniform, one.headless, one.media) for one in (samples(*noise), samples(*quic), samples(*rtp))] == [
        (False, True, False),
        (False, False, False),
        (False, False, True),
    ]
    assert samples(*[b""] * ENOUGH).uniform
    assert samples(*[b"LOIC"] * ENOUGH).uniform


@pytest.mark.parametrize(
    ("rate", "seconds", "found"), [(290.0, 8, False), (310.0, 8, True), (900.0, 0.3, False), (900.0, 0.4, True)]
)
def test_a_stream_that_means_nothing_is_a_flood_from_300_packets_and_300_a_second_on(
    rate: float, seconds: float, found: bool
) -> None:
    number = int(rate * seconds)
    segments = cases_floods.within(number, rate, lambda i, random: (1000, 77))
    datagrams = cases_floods.stream(number, rate, lambda i, random: b"X" * 100)
    assert bool(told(segments, "tcp_flood")) is found
    assert bool(told(datagrams, "datagram_flood")) is found


def test_a_flood_within_one_flow_is_told_within_five_seconds_with_packets_that_show_it() -> None:
    frames = cases_floods.stream(8000, 1000.0, lambda i, random: b"X" * 100)
    alerts = alerts_of(Case("", (), None, lambda: frames))
    flood = next(one for one in alerts if one.detection.rule == "datagram_flood")
    assert flood.first_seen - 1_700_000_000 * 10**9 <= 6_000_000_000
    assert flood.detection.evidence
    assert flood.detection.severity == "medium"


@pytest.mark.parametrize("rate", [400.0, 2000.0, 20_000.0])
def test_what_is_kept_of_a_flood_is_enough_to_tell_it_again(rate: float) -> None:
    """Files of alerts hold 3,000 packets, or 370 large ones, answers included."""
    large = cases_floods.stream(365, rate, lambda i, random: b"X" * 1400)
    refused = cases_floods.within(1500, rate, cases_floods.by_chance, ACK, 0, True)
    assert told(large, "datagram_flood")
    assert told(refused, "tcp_flood")


def test_the_part_of_a_flood_that_is_kept_matters_as_much() -> None:
    whole = [
        *told(cases_floods.segments(6000, 6000.0, SYN, False), "syn_flood"),
        *told(cases_floods.within(60_000, 30_000.0, cases_floods.by_chance), "tcp_flood"),
    ]
    part = [
        *told(cases_floods.segments(900, 6000.0, SYN, False), "syn_flood"),
        *told(cases_floods.within(1500, 30_000.0, cases_floods.by_chance), "tcp_flood"),
    ]
    assert [(one.rule, one.severity) for one in whole] == [("syn_flood", "high"), ("tcp_flood", "high")]
    assert [(one.rule, one.severity) for one in part] == [("syn_flood", "high"), ("tcp_flood", "high")]


def test_a_stream_that_is_answered_is_none() -> None:
    frames = cases_floods.stream(4000, 1000.0, lambda i, random: b"X" * 100)
    answers = [(at + 0.0002, udp(VICTIM, 9, cases_floods.FAR, 5000, b"ok")) for at, _ in frames[::20]]
    assert told(in_order([frames, answers]), "datagram_flood") == []
    opened = cases_floods.within(4000, 1000.0, lambda i, random: (1000, 77))
    syn = [(-0.001, tcp(cases_floods.FAR, 4444, VICTIM, 80, SYN))]
    assert told([*syn, *opened], "tcp_flood") == []


@pytest.mark.parametrize(("number", "window", "fetched", "found"), [(29, 0, 1152, False), (30, 0, 1152, True), (40, 63, 1152, True), (40, 64, 1152, False), (40, 0, 65_536, True), (40, 0, 65_537, False)])  # fmt: skip
def test_answers_that_are_not_fetched(number: int, window: int, fetched: int, found: bool) -> None:
    frames = cases_overload.unread(number, 1, fetched, window)
    said = told(frames, "slow_http_flood")
    assert bool(said) is found
    assert all("nobody fetches" in one.title for one in said)


@pytest.mark.parametrize(("ports", "found"), [(24, False), (25, True)])
def test_ports_that_all_answer(ports: int, found: bool) -> None:
    assert bool(told(cases_scans.ports(ports, 0.02, "H"), "port_scan")) is found


def test_callers_that_speak_or_come_back_are_no_scan() -> None:
    spoken = in_order(tried(i * 0.05, BAD, VICTIM, i + 1, "S") for i in range(80))
    assert told(spoken, "port_scan") == []
    fetched = in_order(connection(i * 0.1, BAD, VICTIM, 30_000 + i, [(1, b"x" * 200)]) for i in range(80))
    assert told(fetched, "port_scan") == []
    checks = in_order(tried(k * 0.5 + i * 0.01, BAD, VICTIM, 8001 + i, "H") for k in range(9) for i in range(24))
    assert told(checks, "port_scan") == []


@pytest.mark.parametrize(("ports", "found"), [(11, False), (12, True)])
def test_datagrams_from_a_service_s_port(ports: int, found: bool) -> None:
    probes = [(i * 0.1, udp(BAD, 53, VICTIM, 100 + i, b"x")) for i in range(ports)]
    assert bool(told(probes, "port_scan")) is found
    answers = [(i * 0.1, udp(BAD, 53, VICTIM, 2000 + i, b"x")) for i in range(60)]
    assert told(answers, "port_scan") == []


def test_many_streams_that_mean_something_hide_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """They make room when they have been looked at."""
    monkeypatch.setattr(stream_watch, "MOST_WATCHED", 4)

    def film(i: int) -> list[Timed]:
        frames = cases_floods.stream(1800, 150.0, cases_floods.film)
        return [(at + i * 1e-4, frame[:34] + (6000 + i).to_bytes(2, "big") + frame[36:]) for at, frame in frames]

    flood = [(at + 1.5, frame) for at, frame in cases_floods.stream(4200, 400.0, lambda i, random: b"X" * 100)]
    said = told(in_order([*map(film, range(6)), flood]), "datagram_flood")
    assert [one.flow_ids for one in said] == [said[0].flow_ids]
    assert "all alike" in said[0].reason


def test_one_direction_of_a_transfer_is_no_flood() -> None:
    sent = cases_floods.within(8000, 4000.0, lambda i, random: (i * 1400, 77), PSH | ACK, 1400)
    assert told(sent, "tcp_flood") == []
