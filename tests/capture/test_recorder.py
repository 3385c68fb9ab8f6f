"""Files of a recording: whole captures each, every frame in exactly one, the oldest removed."""

import re
from pathlib import Path

import pytest

from app.capture.pcap_file import open_file
from app.capture.recorder import Recorder, Rotation

CAPTURE = Path(__file__).parents[1] / "data" / "captures" / "app-ftp-ipv4.pcap"


def frames_of(path):
    source = open_file(path)
    found = []
    while (block := source.read()) is not None or not source.finished:
        if block is not None:
            for frame in block.frames:
                start = int(frame["offset"])
                found.append((int(frame["ts"]), block.data[start : start + int(frame["cap_len"])].tobytes()))
    assert not source.truncated
    source.close()
    return found


def record(path, rotation, rounds=1, on_block=lambda: None):
    source = open_file(CAPTURE)
    recorder = Recorder(str(path), [], 0, rotation)
    blocks = []
    while (block := source.read()) is not None or not source.finished:
        if block is not None:
            blocks.append(block)
            for _ in range(rounds):
                recorder.write(block)
                on_block()
    recorder.finish(0, 0, 0)
    source.close()
    return recorder


@pytest.mark.parametrize("suffix", [".pcap"])
def test_one_file_without_a_rotation(tmp_path, suffix):
    path = tmp_path / f"all{suffix}"
    recorder = record(path, Rotation())
    assert recorder.names == [str(path)]
    assert frames_of(path) == frames_of(CAPTURE)
    assert recorder.written == len(frames_of(CAPTURE))
    assert recorder.size == path.stat().st_size


def test_a_ring_by_size(tmp_path):
    recorder = record(tmp_path / "ring.pcap", Rotation(bytes=5_000), rounds=8)
    names = [Path(name) for name in recorder.names]
    assert len(names) == recorder.count > 2
    assert all(re.fullmatch(r"ring_\d{5}_\d{14}\.pcap", name.name) for name in names)
    assert [frame for name in names for frame in frames_of(name)] == frames_of(CAPTURE) * 8
    assert sum(name.stat().st_size for name in names) == recorder.size
    assert recorder.written == 8 * len(frames_of(CAPTURE))


def test_only_the_newest_are_kept(tmp_path):
    recorder = record(tmp_path / "ring.pcap", Rotation(bytes=5_000, files=2), rounds=8)
    there = sorted(tmp_path.iterdir())
    assert [str(path) for path in there] == recorder.names
    assert len(there) == 2
    assert recorder.removed == recorder.count - 2
    assert frames_of(there[-1])[-1] == frames_of(CAPTURE)[-1]


def test_a_ring_by_time(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("app.capture.recorder.time.monotonic", lambda: now[0])

    def later():
        now[0] += 6

    recorder = record(tmp_path / "ring.pcap", Rotation(seconds=10), rounds=4, on_block=later)
    assert recorder.count == 2
    now[0] += 100
    assert recorder.count == 2
