"""Entropy through the pipeline: verdicts of bytes of known origin, what detectors hear, what leaves for the web process."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import numpy as np
import pytest

from app.detect.engine import Engine
from app.flow.flow_entropy import EntropySettings
from app.model.entropy import VERDICTS
from app.sensor.entropy_watch import EntropyWatch
from app.sensor.pipeline import Pipeline
from app.wire.records import ENTROPY_DTYPE
from tests.frames import EPOCH, SECOND, block
from tests.payload_frames import Tcp, encrypted, executables, gzipped, noise, text, udp

SIZE = 4_096
FLOWS = 60


def run(frames, times=None, **settings):
    """(watch, alerts) of a capture that holds these frames."""
    watch = EntropyWatch(EntropySettings(**settings))
    engine = Engine()
    pipeline = Pipeline(4_096, detection=engine, watch=watch)
    pipeline.feed(block(frames, times=times))
    pipeline.close_tick()
    pipeline.finish()
    return watch, [alert.detection for alert in engine.folding.alerts()]


def last_rows(watch) -> dict[int, np.void]:
    rows = np.frombuffer(watch.rows(), ENTROPY_DTYPE)
    return {int(row["flow_id"]): row for row in rows}


def _executable(size: int, seed: int) -> bytes:
    programs = executables()
    with programs[seed % len(programs)].open("rb") as file:
        return file.read(size)


SOURCES: dict[str, tuple[Callable[[int, int], bytes], str]] = {
    "text": (text, "text"),
    "base64": (lambda size, seed: base64.b64encode(noise(size, seed))[:size], "text"),
    "gzip": (gzipped, "compressed"),
    "AES": (encrypted, "encrypted or random"),
    "random": (noise, "encrypted or random"),
    "executable": (_executable, "binary"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_verdict_on_bytes_of_known_origin(source):
    if source == "executable" and len(executables()) < 20:
        pytest.skip("this machine has too few ELF programs to read")
    make, expected = SOURCES[source]
    sizes = random.Random(1)
    frames = []
    for i in range(FLOWS):
        flow = Tcp(20_000 + i)
        frames += flow.handshake() + flow.send(0, make(SIZE, i), sizes.choice([300, 536, 1000, 1448]))
    watch, _ = run(frames)
    found = [VERDICTS[int(row["src_life_verdict"])] for row in last_rows(watch).values()]
    assert len(found) == FLOWS
    assert found.count(expected) >= 0.95 * FLOWS, found


def test_deflate_without_its_head_is_mostly_told_from_random_bytes():
    frames = []
    for i in range(FLOWS):
        flow = Tcp(20_000 + i)
        frames += flow.handshake() + flow.send(0, gzipped(3 * SIZE, i)[SIZE : 2 * SIZE], 1448)
    watch, _ = run(frames)
    found = [VERDICTS[int(row["src_life_verdict"])] for row in last_rows(watch).values()]
    assert found.count("compressed") >= 0.75 * FLOWS, found


def rules(alerts):
    return sorted((alert.rule, alert.details["what"]) for alert in alerts)


def conversation(parts, port=9_000, packets=40, size=500, start=True):
    """Frames of a connection that sends `packets` of each kind of bytes in turn."""
    flow = Tcp(dport=port)
    frames = flow.handshake() if start else []
    for number, make in enumerate(parts):
        frames += flow.send(0, b"".join(make(size, 1000 * number + i) for i in range(packets)), size)
    return frames


def test_a_spike_and_the_level_it_is_measured_against():
    _, alerts = run(conversation([text, text, noise]))
    assert rules(alerts) == [("entropy_spike", "spike")]
    (alert,) = alerts
    assert alert.measured > 7.5
    assert 1.5 * 4 < alert.threshold <= 8
    assert "the limit is 50 %" in alert.reason
    assert (alert.source, alert.target) == ("10.0.0.1", "192.0.2.9")


def test_a_drop():
    zeros = lambda size, seed: bytes(size)  # noqa: E731
    _, alerts = run(conversation([text, text, zeros]))
    assert ("entropy_drop", "drop") in rules(alerts)


def test_the_ratio_is_the_users():
    _, alerts = run(conversation([text, text, noise]), ratio=0.9)
    assert not alerts


def test_text_within_an_encrypted_flow():
    _, alerts = run(conversation([noise, noise, text], start=False))
    assert rules(alerts) == [("entropy_mismatch", "fell")]


def test_encryption_without_a_handshake_is_told_only_of_flows_seen_from_their_beginning():
    both = Tcp()
    frames = both.handshake() + both.send(0, encrypted(6_000, 1)) + both.send(1, encrypted(6_000, 2))
    _, alerts = run(frames)
    assert rules(alerts) == [("entropy_mismatch", "no_handshake")]
    _, alerts = run(frames[3:])
    assert not alerts
    headed = Tcp()
    frames = (
        headed.handshake() + headed.send(0, b"\x16\x03\x01" + encrypted(6_000, 1)) + headed.send(1, encrypted(6_000))
    )
    _, alerts = run(frames)
    assert not alerts


def test_random_bytes_on_port_53_and_text_on_443():
    frames = [udp("10.0.0.1", 4_000, "192.0.2.53", 53, noise(300, i)) for i in range(20)]
    _, alerts = run(frames)
    assert rules(alerts) == [("entropy_mismatch", "random")]
    assert "DNS is expected" in alerts[0].reason
    flow = Tcp(dport=443)
    _, alerts = run(flow.handshake() + flow.send(0, text(2_000)) + flow.send(1, text(2_000)))
    assert rules(alerts) == [("entropy_mismatch", "plaintext")]


def test_usual_traffic_is_quiet():
    """A handshake that turns into encryption on TLS's port; HTTP whose bodies are compressed; DNS."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise(32) + bytes(400) + b"example.org" * 5
    tls = Tcp(dport=443)
    frames = tls.handshake() + tls.send(0, hello) + tls.send(1, hello * 3)
    frames += tls.send(0, noise(60_000, 5)) + tls.send(1, noise(200_000, 6))
    web = Tcp(40_001, 80)
    frames += web.handshake()
    for i in range(60):
        frames += web.send(0, b"GET /%d HTTP/1.1\r\nHost: example.org\r\n\r\n" % i)
        frames += web.send(1, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped(3_000, i))
    for i in range(200):
        question = i.to_bytes(2, "big") + b"\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01"
        frames.append(udp("10.0.0.1", 5_353 + i % 9, "192.0.2.53", 53, question))
    _, alerts = run(frames)
    assert not alerts, [alert.reason for alert in alerts]


def test_rows_for_the_web_process_are_bounded_and_say_when_a_flow_ended():
    watch, _ = run(conversation([text]))
    rows = last_rows(watch)
    assert rows[1]["flags"] == 1
    assert rows[1]["src_value"] == pytest.approx(rows[1]["src_plain"], abs=0.2)
    assert np.isnan(rows[1]["dst_value"])
    watch._rows_waiting = 20_000
    watch._keep(np.zeros(5, ENTROPY_DTYPE))
    assert watch.statistics()["samples_lost"] == 5


def test_a_mixed_sequence_of_bytes_never_stops_the_watch():
    rng = random.Random(3)
    flows = [Tcp(30_000 + i, rng.choice([53, 443, 80, 22, 9_999])) for i in range(20)]
    frames, times = [], []
    for i in range(3_000):
        flow = rng.choice(flows)
        frames.append(
            flow.frame(rng.randrange(2), rng.choice([0, 2, 16, 17, 24, 255]), rng.randbytes(rng.randrange(0, 90)))
        )
        times.append(EPOCH + i * SECOND // 20 - rng.randrange(3) * 40 * SECOND)
    engine = Engine()
    pipeline = Pipeline(16, detection=engine, watch=EntropyWatch(EntropySettings(slots=16, window_packets=4)))
    for start in range(0, len(frames), 500):
        pipeline.feed(block(frames[start : start + 500], times=times[start : start + 500]))
        pipeline.close_tick()
    pipeline.finish()
    assert not engine.failures
    assert pipeline.watch.statistics()["used"] == 0
