"""One run of the monitor: a source through the pipeline, packets and statistics to the terminal, until somebody or something says stop."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from typing import Final

from app.capture.opening import Opened, Stop
from app.capture.pcap_file import open_file
from app.capture.source import Source
from app.sensor.pipeline import Pipeline
from app.terminal.feed import Feed
from app.terminal.palette import Palette
from app.terminal.plan import Plan
from app.terminal.printer import Printer
from app.terminal.statistics_text import final_text, live_text
from app.wire.block import Block

MAX_FLOWS: Final = 1 << 16
_RING_BYTES: Final = 64 << 20
_POLL_MS: Final = 100
_READ_SECONDS: Final = 0.1  # of packets, before the clock is looked at again
SILENCE_SECONDS: Final = 10.0
DRAIN_SECONDS: Final = 3.0


def open_source(plan: Plan, opened: Sequence[Opened]) -> Source:
    """What the plan names. Raises CaptureError."""
    if plan.file is not None:
        return open_file(plan.file, plan.bpf_filter or None)
    if not opened:
        from app.capture.scapy_source import open_sniffer

        return open_sniffer(plan.interfaces, plan.bpf_filter, 0)
    from app.capture.af_packet import OpenedSocket, open_ring

    return open_ring([OpenedSocket(*one) for one in opened], snaplen=0, ring_bytes=_RING_BYTES)


class Session:
    """Runs once."""

    def __init__(self, plan: Plan, source: Source, stop: Stop) -> None:
        self._plan = plan
        self._source = source
        self._stop = stop
        self._palette = Palette(plan.color)
        self._printer = Printer(sys.stdout.fileno(), plan.file is not None, self._reader_gone)
        self._feed = Feed(plan, self._printer, self._palette, self._interfaces)
        self._pipeline = Pipeline(MAX_FLOWS, self._feed)
        self._began = time.monotonic()
        self._last_stats = self._began
        self._packets_then = 0
        self._warned = False

    def run(self) -> int:
        """0: ended as it should; 1: the output could not be written."""
        print(f"Watching {self._plan.where}. Ctrl+C ends it.", file=sys.stderr, flush=True)
        try:
            self._watch()
            self._drain()
            self._pipeline.close_tick()
            self._pipeline.finish()
            self._say_final()
        finally:
            self._printer.close()
            self._feed.close()
        if self._printer.failure is not None:
            print(f"netglass: writing failed: {self._printer.failure}", file=sys.stderr)
            return 1
        return 0

    def _watch(self) -> None:
        descriptor = self._source.fileno()
        poll = select.poll()
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
        while not self._stop.asked and not self._source.finished and self._left() != 0:
            end = self._end_in()
            if end <= 0:
                break
            if descriptor is not None:
                poll.poll(max(1, min(_POLL_MS, int(end * 1000))))
            self._read()
            self._say_live()
            if descriptor is not None:
                self._warn_of_silence()

    def _drain(self) -> None:
        """Let nothing more in, and count what the kernel still holds."""
        refuse = getattr(self._source, "refuse_more", None)
        if refuse is None or self._left() == 0:
            return
        refuse()
        until = time.monotonic() + DRAIN_SECONDS
        time.sleep(0.15)  # longer than the kernel keeps a half-filled block
        while time.monotonic() < until and (block := self._source.read()) is not None:
            self._pipeline.feed(block)
            self._source.release(block)

    def _read(self) -> None:
        """What is there, for a moment at most."""
        until = time.monotonic() + _READ_SECONDS
        while time.monotonic() < until and not self._stop.asked and not self._source.finished:
            left = self._left()
            if left == 0:
                return
            block = self._source.read()
            if block is None:
                if self._source.fileno() is not None:
                    return
                continue
            frames = block.frames if left is None else block.frames[:left]
            self._pipeline.feed(Block(block.data, frames, block.token))
            self._source.release(block)

    def _left(self) -> int | None:
        """Packets still wanted; None: no limit."""
        return None if self._plan.count is None else self._plan.count - self._pipeline.counts.packets

    def _end_in(self) -> float:
        if self._plan.seconds is None:
            return float("inf") if self._source.fileno() is None else 3600.0
        return self._began + self._plan.seconds - time.monotonic()

    def _say_live(self) -> None:
        now = time.monotonic()
        if self._plan.json or now - self._last_stats < self._plan.stats_seconds:
            return
        self._pipeline.close_tick()
        packets = self._pipeline.counts.packets
        pps = (packets - self._packets_then) / (now - self._last_stats)
        self._last_stats, self._packets_then = now, packets
        drops = self._source.statistics().kernel_drops
        self._printer.text(live_text(self._pipeline, self._feed, now - self._began, pps, drops, self._palette))

    def _say_final(self) -> None:
        """In JSON mode on standard error, where it breaks no line of the other."""
        counts = self._pipeline.counts
        seconds = time.monotonic() - self._began
        if self._plan.file is not None:
            seconds = ((counts.last_ns or 0) - (counts.first_ns or 0)) / 1e9
        drops = self._source.statistics().kernel_drops
        palette = self._palette if not self._plan.json else Palette(False)
        text = final_text(self._pipeline, self._feed, self._plan.where, seconds, drops, palette)
        if self._source.truncated:
            text += "\nThe file is damaged or cut; this is what could be read.\n"
        if self._plan.json:
            print(text, file=sys.stderr, flush=True)
        else:
            self._printer.text(text)

    def _warn_of_silence(self) -> None:
        if self._warned or self._pipeline.counts.packets or time.monotonic() - self._began < SILENCE_SECONDS:
            return
        self._warned = True
        causes = [f"nothing may be going over {self._plan.where} (python -m app interfaces lists the others)"]
        if self._plan.bpf_filter:
            causes.insert(0, f"the filter may let nothing through: {self._plan.bpf_filter}")
        causes += [f"{one.name} is down" for one in self._source.interfaces if not one.up]
        print(
            f"netglass: no packets for {SILENCE_SECONDS:.0f} s: {'; '.join(causes)}. Still waiting.",
            file=sys.stderr,
            flush=True,
        )

    def _interfaces(self) -> list[str]:
        return [one.name for one in self._source.interfaces]

    def _reader_gone(self) -> None:
        self._stop.asked = True
