"""Any bytes through the walkers: never an exception, never a frame outside of the data, and the same as plain, checked Python."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.capture.pcap_file import open_file
from app.model.errors import CaptureError
from app.native.loader import kernel
from app.wire import pcap, pcap_kernels, pcap_layout, pcapng
from app.wire.records import FRAME_DTYPE
from tests.wire.plain_kernels import Checked, plain, records

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
SEEDS = [
    (CAPTURES / name).read_bytes()
    for name in sorted(json.loads((CAPTURES / "totals.json").read_text()))
    if not name.endswith(".gz")
]
ROOM = 64


def mutate(raw: bytes, edits: list[tuple[int, int]], cut: int) -> bytes:
    data = bytearray(raw)
    for place, value in edits:
        if data:
            data[place % len(data)] = value
    return bytes(data[: max(len(data) - cut, 0)])


EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from((0, 1, 3, 6, 0x7F, 0x80, 0xFF)) | st.integers(0, 255)), max_size=12
)
MUTATED = st.builds(mutate, st.sampled_from(SEEDS), EDITS, st.sampled_from((0, 0, 0, 1, 5, 40)))


def read_all(raw: bytes) -> list[tuple[int, int, int]] | None:
    try:
        source = open_file(io.BytesIO(raw))
    except CaptureError:
        return None
    found = []
    for _ in range(10_000):
        if source.finished:
            break
        block = source.read()
        if block is not None:
            frames = block.frames
            assert (frames["offset"].astype(np.int64) + frames["cap_len"] <= len(block.data)).all()
            assert (frames["interface"] < len(source.interfaces)).all()
            assert (frames["ts"] >= -1).all()
            found += frames[["ts", "cap_len", "wire_len"]].tolist()
    assert source.finished, "the source never ends"
    return found


@settings(max_examples=400, deadline=None)
@given(MUTATED)
def test_mutated_captures(raw: bytes) -> None:
    read_all(raw)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((b"", b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(16), SEEDS[-1][:28])), st.binary(max_size=400))
def test_any_bytes(head: bytes, raw: bytes) -> None:
    read_all(head + raw)


@pytest.fixture(scope="module")
def checked() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield plain(pcap_kernels, patch)


@settings(max_examples=300, deadline=None)
@given(raw=MUTATED, start=st.integers(0, 60), short=st.integers(0, 30), room=st.sampled_from((0, 1, 2, ROOM)))
def test_the_compiled_walks_read_nothing_outside_and_agree_with_plain_python(
    checked: Any, raw: bytes, start: int, short: int, room: int
) -> None:
    data = np.frombuffer(raw or b"\0", np.uint8).copy()
    end = max(len(raw) - short, 0)
    layout = np.array([raw[:1] == b"\xa1", 1000, 16, 1, len(raw) % 3], np.int64)
    table = np.array([[1, 0, 1000, 0, 0, 0], [101, 1, 1000, 5, 64, 1], [1, 2, 63, -(10**9), 0, 2]], np.int64)
    for arguments in (("walk_pcap", layout), ("walk_pcapng", raw[8:9] == b"\x1a", table, 3)):
        name, *rest = arguments
        fast, slow = np.zeros(room, FRAME_DTYPE), records(room, FRAME_DTYPE)
        state, plain_state = np.zeros(pcap_layout.STATE_SIZE, np.int64), np.zeros(pcap_layout.STATE_SIZE, np.int64)
        status = kernel(name)(data, start, end, *rest, fast, state)
        assert status == getattr(checked, name)(Checked(data), start, end, *rest, slow[1], plain_state)
        assert state.tolist() == plain_state.tolist()
        assert fast.tobytes() == slow[0].tobytes()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_options_of_any_bytes(body: bytes, big: bool) -> None:
    for code, value in pcapng.options(body, big):
        assert 0 < code < 65536
        assert len(value) <= len(body)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_headers_of_any_bytes(raw: bytes) -> None:
    for magic in (b"", b"\xa1\xb2\xc3\xd4"):
        assert isinstance(pcap.parse_header(magic + raw), (str, pcap.PcapHeader))
