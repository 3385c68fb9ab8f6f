"""How far a live capture has been read: what its clock may say, and what "stop" still counts. With a source of the test's own."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from app.capture.source import SourceStatistics
from app.sensor import capture_control
from app.sensor.capture_control import CaptureControl


class Waiting:
    """Blocks that the kernel has handed over."""

    finished = truncated = False

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.interfaces: list[Any] = []
        self.refused = False

    def fileno(self) -> int:
        return 0

    def read(self) -> object | None:
        if self.blocks == 0:
            return None
        self.blocks -= 1
        return self

    def release(self, block: object) -> None: ...

    def refuse_more(self) -> None:
        self.refused = True

    def statistics(self) -> SourceStatistics:
        return SourceStatistics()

    def close(self) -> None: ...


class Slow:
    """A pipeline that takes its time with each block."""

    insight = owners = None

    def __init__(self, seconds: float) -> None:
        self.seconds, self.fed = seconds, 0

    def feed(self, block: object) -> None:
        time.sleep(self.seconds)
        self.fed += 1

    def reset(self) -> None: ...

    def finish(self) -> None: ...


def capturing(blocks: int, seconds: float) -> tuple[CaptureControl, Waiting, Slow]:
    source, pipeline = Waiting(blocks), Slow(seconds)
    live = SimpleNamespace(backend="test", want=lambda *_: SimpleNamespace(), open=lambda _: source)
    control = CaptureControl(pipeline, live, SimpleNamespace(can_capture=True, why_not=None), lambda *_: None)  # type: ignore[arg-type]
    control.start(["eth0"], "", 0)
    return control, source, pipeline


def test_the_wall_clock_counts_only_when_nothing_older_waits() -> None:
    control, source, _ = capturing(3, 0.02)
    control.work(time.monotonic() + 0.01)
    assert source.blocks
    assert control.live
    assert not control.up_to_now
    control.work(time.monotonic() + 60)
    assert not source.blocks
    assert control.up_to_now
    source.blocks = 1
    control.work(time.monotonic() - 1)  # no time was left to look
    assert not control.up_to_now


def test_stop_counts_what_the_kernel_had_taken_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_control, "DRAIN_SECONDS", 0.02)
    monkeypatch.setattr(capture_control, "LONGEST_DRAIN_SECONDS", 60.0)
    control, source, pipeline = capturing(30, 0.01)
    control.stop()
    assert source.refused
    assert (source.blocks, pipeline.fed) == (0, 30)
    assert not control.up_to_now
