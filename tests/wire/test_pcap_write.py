"""Frames to capture files and back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.capture.pcap_file import open_file
from app.capture.pcap_writer import PcapngWriter, PcapWriter
from app.capture.source import SourceInterface
from app.native.loader import kernel
from app.wire import pcap_write_kernels
from app.wire.block import Block
from app.wire.pcap import MAX_FRAME
from app.wire.records import FRAME_DTYPE
from tests.wire.plain_kernels import Checked, plain, records

INTERFACES = [SourceInterface("eth0", 1, 0), SourceInterface("tun0", 101, 1)]


def block_of(frames: list[dict[str, int]], data: bytes) -> Block:
    array = np.zeros(len(frames), FRAME_DTYPE)
    for i, frame in enumerate(frames):
        for name, value in frame.items():
            array[name][i] = value
    return Block(np.frombuffer(data, np.uint8).copy(), array)


def read(raw: bytes) -> tuple[list[tuple[int, bytes, int, int]], Any]:
    source = open_file(io.BytesIO(raw))
    found = []
    while not source.finished:
        block = source.read()
        for frame in block.frames if block else ():
            at = int(frame["offset"])
            data = block.data[at : at + int(frame["cap_len"])].tobytes()  # type: ignore[union-attr]
            found.append((int(frame["ts"]), data, int(frame["wire_len"]), int(frame["interface"])))
    assert not source.truncated
    return found, source


def test_a_tag_that_the_kernel_took_out_is_put_back() -> None:
    ethernet = bytes(range(12)) + b"\x08\x00" + b"payload"
    frame = {"ts": 7, "offset": 3, "cap_len": len(ethernet), "wire_len": len(ethernet) + 4, "link_type": 1}
    block = block_of([{**frame, "vlan_tci": 0x6005, "vlan_tpid": 0x88A8}, frame], b"abc" + ethernet)
    expected = ethernet[:12] + b"\x88\xa8\x60\x05" + ethernet[12:]
    for make in (lambda w: PcapWriter(w, 1), lambda w: PcapngWriter(w, INTERFACES)):
        out = io.BytesIO()
        writer = make(out.write)
        writer.write(block)
        found, _ = read(out.getvalue())
        assert found == [(7, expected, len(expected), 0), (7, ethernet, len(expected), 0)]
        assert (writer.written, writer.left_out) == (2, 0)


def test_a_pcap_holds_one_link_type_and_a_pcapng_all() -> None:
    frames = [
        {"offset": i, "cap_len": 2, "wire_len": 9, "interface": i % 2, "link_type": (1, 101)[i % 2], "ts": i}
        for i in range(5)
    ]
    out = io.BytesIO()
    pcap = PcapWriter(out.write)
    pcap.write(block_of(frames, b"abcdefg"))
    assert (pcap.written, pcap.left_out) == (3, 2)
    assert [data for _, data, _, _ in read(out.getvalue())[0]] == [b"ab", b"cd", b"ef"]
    out = io.BytesIO()
    pcapng = PcapngWriter(out.write, INTERFACES)
    pcapng.write(block_of(frames, b"abcdefg"))
    pcapng.finish(1, 5, 0)
    found, source = read(out.getvalue())
    assert [(data, interface) for _, data, _, interface in found] == [
        (b"ab", 0),
        (b"bc", 1),
        (b"cd", 0),
        (b"de", 1),
        (b"ef", 0),
    ]
    assert [(one.name, one.link_type) for one in source.interfaces] == [("eth0", 1), ("tun0", 101)]


def test_an_interface_that_appears_later_is_described_then() -> None:
    interfaces = INTERFACES[:1]
    out = io.BytesIO()
    writer = PcapngWriter(out.write, interfaces)
    writer.write(block_of([{"cap_len": 1, "interface": 1}], b"a"))
    assert writer.left_out == 1
    interfaces.append(INTERFACES[1])
    writer.write(block_of([{"cap_len": 1, "interface": 1}], b"b"))
    assert read(out.getvalue())[0] == [(0, b"b", 0, 1)]


def test_files_without_packets_are_files() -> None:
    for make in (PcapWriter, lambda w: PcapngWriter(w, INTERFACES)):
        out = io.BytesIO()
        make(out.write).finish()
        assert read(out.getvalue())[0] == []


def test_the_largest_frame_fits_and_a_frame_outside_of_the_data_is_left_out() -> None:
    big = {"cap_len": MAX_FRAME, "wire_len": MAX_FRAME}
    block = block_of([big, {"offset": MAX_FRAME, "cap_len": 1}, big, big, big, big], bytes(MAX_FRAME))
    out = io.BytesIO()
    writer = PcapWriter(out.write, 0)
    writer.write(block)
    assert (writer.written, writer.left_out) == (5, 1)
    assert len(read(out.getvalue())[0]) == 5


@pytest.fixture(scope="module")
def checked() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield plain(pcap_write_kernels, patch)


FRAME = st.fixed_dictionaries(
    {
        "ts": st.integers(-1, 2**62),
        "offset": st.integers(0, 80),
        "cap_len": st.integers(0, 80) | st.just(2**32 - 1),
        "wire_len": st.integers(0, 2**32 - 1),
        "interface": st.integers(0, 2),
        "link_type": st.sampled_from((1, 101)),
        "vlan_tci": st.integers(0, 65535),
        "vlan_tpid": st.sampled_from((0, 0x8100)),
    }
)


@settings(max_examples=200, deadline=None)
@given(frames=st.lists(FRAME, max_size=6), data=st.binary(max_size=100), room=st.integers(0, 300))
def test_packing_reads_and_writes_nothing_outside(
    checked: Any, frames: list[dict[str, int]], data: bytes, room: int
) -> None:
    block = block_of(frames, data)
    copy, view = records(len(frames), FRAME_DTYPE)
    copy[:] = block.frames
    for name, which in (("pack_pcap", 1), ("pack_pcapng", 2)):
        fast, slow = np.zeros(room, np.uint8), np.zeros(room, np.uint8)
        result = kernel(name)(block.data, block.frames, 0, which, fast)
        assert result == getattr(checked, name)(Checked(block.data), view, 0, which, Checked(slow))
        assert fast.tobytes() == slow.tobytes()
