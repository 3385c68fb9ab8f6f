"""Frames from a source into a file, until enough came or somebody says stop."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from typing import Final

from app.capture.command import Request
from app.capture.opening import Opened, Stop
from app.capture.recorder import Recorder, Rotation
from app.capture.source import Source
from app.wire.block import Block

_POLL_MS: Final = 200
_PROGRESS_SECONDS: Final = 0.5
_RING_BYTES: Final = 64 << 20


def record(request: Request, opened: Sequence[Opened], stop: Stop) -> None:
    """Capture as asked, on packet sockets, or through scapy where there are none. Raises CaptureError, OSError of the output."""
    source = _source(request, opened)
    try:
        rotation = Rotation(request.file_bytes, request.file_seconds, request.files)
        recorder = Recorder(request.output, source.interfaces, request.snaplen, rotation)
        try:
            _record(request, source, recorder, stop)
        except BaseException:  # raised again: half a file is named as such
            recorder.abandon()
            raise
    finally:
        source.close()


def _source(request: Request, opened: Sequence[Opened]) -> Source:
    if not opened:
        from app.capture.scapy_source import open_sniffer

        return open_sniffer(request.interfaces, request.bpf_filter, request.snaplen)
    from app.capture.af_packet import OpenedSocket, open_ring

    sockets = [OpenedSocket(*one) for one in opened]
    return open_ring(sockets, snaplen=request.snaplen, ring_bytes=_RING_BYTES)


def _record(request: Request, source: Source, recorder: Recorder, stop: Stop) -> None:
    """Read until asked to stop, to the count or the time; then what is still in the rings; then the summary."""
    poll = select.poll()
    poll.register(source.fileno() or 0, select.POLLIN)
    began = time.monotonic()
    end = began + request.seconds if request.seconds else None
    print(f"capturing on {', '.join(request.interfaces)}", file=sys.stderr, flush=True)
    shown = began
    packets = 0
    while not stop.asked and not source.finished and not _enough(request, recorder):
        left = _POLL_MS if end is None else min(_POLL_MS, int((end - time.monotonic()) * 1000) + 1)
        if left <= 0:
            break
        poll.poll(left)
        _take(request, source, recorder)
        recorder.turn_if_due()
        now = time.monotonic()
        if sys.stderr.isatty() and now - shown >= _PROGRESS_SECONDS:
            _show_progress(request, source, recorder, now - began, (recorder.written - packets) / (now - shown))
            shown, packets = now, recorder.written
    _drain(request, source, recorder)
    _summary(source, recorder, time.monotonic() - began)


def _show_progress(request: Request, source: Source, recorder: Recorder, seconds: float, pps: float) -> None:
    """One line, written over itself."""
    of = f" of {request.count:,}" if request.count is not None else ""
    until = f" of {request.seconds:g}" if request.seconds is not None else ""
    files = f", file {recorder.count}" if request.file_bytes or request.file_seconds else ""
    drops = source.statistics().kernel_drops
    lost = f", {drops:,} dropped" if drops else ""
    text = f"{seconds:.0f}{until} s: {recorder.written:,}{of} packets, {pps:,.0f}/s, {size_text(recorder.size)}{files}{lost}"
    print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def size_text(octets: float) -> str:
    """`1.5 MB` (powers of 1000)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "bytes" else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} TB"


def _enough(request: Request, recorder: Recorder) -> bool:
    return request.count is not None and recorder.written >= request.count


def _take(request: Request, source: Source, recorder: Recorder) -> None:
    """Write what is ready."""
    while not _enough(request, recorder):
        block = source.read()
        if block is None:
            return
        room = len(block.frames) if request.count is None else request.count - recorder.written
        recorder.write(Block(block.data, block.frames[:room], block.token))
        source.release(block)


def _drain(request: Request, source: Source, recorder: Recorder) -> None:
    """Let nothing more in, and write what the kernel still holds."""
    from app.capture.af_packet import RingSource
    from app.capture.ring import RETIRE_MS

    if isinstance(source, RingSource):
        source.refuse_more()
        time.sleep(2 * RETIRE_MS / 1000)
    _take(request, source, recorder)


def _summary(source: Source, recorder: Recorder, seconds: float) -> None:
    counted = source.statistics()
    recorder.finish(time.time_ns(), counted.packets + counted.kernel_drops, counted.kernel_drops)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    names = recorder.names
    where = names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} to {names[-1]}"
    print(
        f"{recorder.written} packets, {recorder.size} bytes written to {where}, {counted.kernel_drops} dropped by the kernel,"
        f" {seconds:.1f} s",
        file=sys.stderr,
    )
    if recorder.removed:
        print(f"{recorder.removed} older files were removed", file=sys.stderr)
    if recorder.left_out:
        print(f"{recorder.left_out} packets of other link types left out: a .pcapng file holds them", file=sys.stderr)
