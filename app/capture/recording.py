"""Frames from a source into a file, until enough came or somebody says stop."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from typing import Final

from app.capture.command import Request
from app.capture.opening import Opened, Stop
from app.capture.output_file import OutputFile
from app.capture.pcap_writer import PcapngWriter, PcapWriter, Writer
from app.capture.source import Source
from app.wire.block import Block

_POLL_MS: Final = 200
_PROGRESS_SECONDS: Final = 0.5
_RING_BYTES: Final = 64 << 20


def record(request: Request, opened: Sequence[Opened], stop: Stop) -> None:
    """Capture as asked, on packet sockets, or through scapy where there are none. Raises CaptureError, OSError of the output."""
    source = _source(request, opened)
    try:
        output = OutputFile(request.output)
        try:
            _record(request, source, output, stop)
            output.close()
        except BaseException:  # raised again: half a file is named as such
            output.abandon()
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


def _record(request: Request, source: Source, output: OutputFile, stop: Stop) -> None:
    """Read until asked to stop, to the count or the time; then what is still in the rings; then the summary."""
    writer: Writer
    if request.output.lower().endswith(".pcapng"):
        writer = PcapngWriter(output.write, source.interfaces, request.snaplen)
    else:
        link_type = source.interfaces[0].link_type if source.interfaces else None
        writer = PcapWriter(output.write, link_type, request.snaplen)
    poll = select.poll()
    poll.register(source.fileno() or 0, select.POLLIN)
    end = time.monotonic() + request.seconds if request.seconds else None
    print(f"capturing on {', '.join(request.interfaces)}", file=sys.stderr, flush=True)
    shown = 0.0
    while not stop.asked and not source.finished and not _enough(request, writer):
        left = _POLL_MS if end is None else min(_POLL_MS, int((end - time.monotonic()) * 1000) + 1)
        if left <= 0:
            break
        poll.poll(left)
        _take(request, source, writer)
        if sys.stderr.isatty() and time.monotonic() - shown >= _PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"\r{writer.written} packets, {output.size} bytes", end="", file=sys.stderr, flush=True)
    _drain(request, source, writer)
    _summary(source, writer, output)


def _enough(request: Request, writer: Writer) -> bool:
    return request.count is not None and writer.written >= request.count


def _take(request: Request, source: Source, writer: Writer) -> None:
    """Write what is ready."""
    while not _enough(request, writer):
        block = source.read()
        if block is None:
            return
        room = len(block.frames) if request.count is None else request.count - writer.written
        writer.write(Block(block.data, block.frames[:room], block.token))
        source.release(block)


def _drain(request: Request, source: Source, writer: Writer) -> None:
    """Let nothing more in, and write what the kernel still holds."""
    from app.capture.af_packet import RingSource
    from app.capture.ring import RETIRE_MS

    if isinstance(source, RingSource):
        source.refuse_more()
        time.sleep(2 * RETIRE_MS / 1000)
    _take(request, source, writer)


def _summary(source: Source, writer: Writer, output: OutputFile) -> None:
    counted = source.statistics()
    writer.finish(time.time_ns(), counted.packets + counted.kernel_drops, counted.kernel_drops)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    print(
        f"{writer.written} packets, {output.size} bytes written to {output.name}, {counted.kernel_drops} dropped by the kernel",
        file=sys.stderr,
    )
    if writer.left_out:
        print(f"{writer.left_out} packets of other link types left out: a .pcapng file holds them", file=sys.stderr)
