"""Entropy in the web process: kept in bounds, filtered, told without NaN, logged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.services.entropy_mirror import MAX_FLOWS, SERIES, EntropyMirror
from app.services.entropy_recorder import EntropyRecorder, log_rows
from app.services.entropy_view import EntropyRequest, entropy_document
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest
from app.wire.records import ENTROPY_DTYPE
from config import Settings
from tests.fakes.rows import NOON, SECOND, flow, flows


def sample(number: int, at: float = 0, **values) -> np.ndarray:
    row = np.zeros(1, ENTROPY_DTYPE)
    for name in ENTROPY_DTYPE.names:
        if ENTROPY_DTYPE[name].kind == "f":
            row[name] = np.nan
    row["flow_id"], row["ts"] = number, NOON + int(at * SECOND)
    given = {
        "src_value": 7.5,
        "src_low": 7.4,
        "src_high": 7.6,
        "src_life": 7.0,
        "src_bytes": 900,
        "src_life_bytes": 1_000,
        "src_verdict": 4,
    }
    for name, value in (given | values).items():
        row[name] = value
    return row


@pytest.fixture
def mirror() -> Mirror:
    made = Mirror()
    made.apply(
        {
            "capture": {"started_ns": 1, "source": "live", "interfaces": [{"name": "eth0"}]},
            "flows": flows(
                flow(1, "10.0.0.1:1000", "192.0.2.1:443", src_bytes=10),
                flow(2, "10.0.0.2:1000", "192.0.2.7:53", protocol=17, src_bytes=500),
                flow(3, "[2001:db8::1]:9", "[2001:db8::2]:80", src_bytes=100),
            ).tobytes(),
            "entropy": np.concatenate(
                [sample(1, i) for i in range(5)] + [sample(2, alert=5), sample(3), sample(99)]
            ).tobytes(),
            "entropy_state": {"slots": 4096, "used": 3, "flows_without": 7},
            "now_ns": NOON,
        }
    )
    return made


def ask(mirror: Mirror, **wanted) -> dict:
    document = entropy_document(mirror, EntropyRequest.parse(**({"top": None, "protocol": None, "ip": None} | wanted)))
    return json.loads(json.dumps(document, allow_nan=False))


def test_alerts_come_first_then_the_busiest(mirror):
    found = ask(mirror)
    assert [one["flow_id"] for one in found["flows"]] == ["2", "3", "1"]
    assert (found["total"], found["alerts"]) == (3, 1)
    assert found["slots"]["total"] == 4096
    assert found["slots"]["flows_without"] == 7
    first = found["flows"][0]
    assert first["alert"] == "spike+mismatch"
    assert first["alerts"] == ["spike", "mismatch"]
    assert first["src"]["verdict"] == "encrypted or random"
    assert first["src"]["expected_low"] is None
    assert first["dst"] is None
    assert found["flows"][2]["series"] == [[NOON / 1e9 + i, 7.5, None] for i in range(5)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"top": 1}, ["2"]),
        ({"protocol": "udp"}, ["2"]),
        ({"protocol": "TCP"}, ["3", "1"]),
        ({"ip": "10.0.0.1"}, ["1"]),
        ({"ip": "10.0"}, ["2", "1"]),
        ({"ip": "192.0.2.0/30"}, ["1"]),
        ({"ip": "2001:DB8::/32"}, ["3"]),
        ({"ip": "198.51.100.1"}, []),
    ],
)
def test_filters(mirror, wanted, expected):
    assert [one["flow_id"] for one in ask(mirror, **wanted)["flows"]] == expected


@pytest.mark.parametrize(
    "wanted",
    [
        {"top": 0},
        {"top": 201},
        {"top": True},
        {"ip": "nobody"},
        {"ip": "1.2.3.4/99"},
        {"protocol": 5},
        {"ip": "x" * 65},
    ],
)
def test_wrong_questions(mirror, wanted):
    with pytest.raises(BadRequest) as caught:
        ask(mirror, **wanted)
    assert caught.value.parameter == next(iter(wanted))


def test_flows_and_samples_are_bounded():
    kept = EntropyMirror()
    for i in range(SERIES + 60):
        kept.apply(sample(1, i, src_value=i % 8))
    assert [int(ts) for ts in kept.series([1])[1]["ts"]] == [NOON + (i + 60) * SECOND for i in range(SERIES)]
    kept.apply(np.concatenate([sample(i) for i in range(2, MAX_FLOWS + 2)]))
    assert len(kept) == MAX_FLOWS
    assert kept.series([1]) == {}
    for _ in range(12):
        kept.apply(np.concatenate([sample(i) for i in range(1, 4_097)]))
    assert kept.unlogged_lost > 0
    assert sum(map(len, kept.take_unlogged())) <= 40_000


def test_a_new_capture_forgets_but_still_logs(mirror):
    mirror.apply({"capture": {"started_ns": 2, "source": "live"}})
    assert ask(mirror)["flows"] == []
    assert mirror.take_unlogged_entropy()


def test_lines_of_the_log(mirror):
    rows = np.concatenate([sample(1), sample(2, alert=2, dst_value=3.25, dst_bytes=40), sample(99)])
    lines = log_rows(rows, mirror.flow_view(), ["eth0"])
    assert lines == [
        ("2025-10-09T08:53:20.000000Z", "eth0", "TCP 10.0.0.1:1000 > 192.0.2.1:443", "7.5000", ""),
        ("2025-10-09T08:53:20.000000Z", "eth0", "UDP 10.0.0.2:1000 > 192.0.2.7:53", "7.5000", "drop"),
        ("2025-10-09T08:53:20.000000Z", "eth0", "UDP 192.0.2.7:53 > 10.0.0.2:1000", "3.2500", "drop"),
    ]


def test_the_recorder_writes_and_can_be_switched_off(mirror, tmp_path):
    recorder = EntropyRecorder(Settings(data_dir=tmp_path), mirror)
    recorder.step()
    recorder.step()
    (path,) = recorder.log.files()
    assert path.name.startswith("entropy_log_eth0_")
    assert len(path.read_text().splitlines()) == 1 + 7
    mirror.entropy.apply(sample(1))
    silent = EntropyRecorder(Settings(data_dir=tmp_path / "b", entropy_log=False), mirror)
    silent.step()
    assert silent.log.files() == []
