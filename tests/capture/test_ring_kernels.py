"""The walk over a ring block: what the kernel writes there, and any bytes in its place."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.capture import ring_kernels as kernels
from app.native.loader import kernel
from app.wire.records import FRAME_DTYPE
from tests.wire.plain_kernels import Checked, plain, records

ETHERNET, RAW, LOOP = (7, 1, 0), (8, 101, 0), (1, 1, 1)
VLAN, TPID = 1 << 4, 1 << 6


def packet(
    data: bytes,
    *,
    wire_len: int = 0,
    flags: int = 0,
    tci: int = 0,
    tpid: int = 0,
    network: int = 14,
    number: int = 7,
    kind: int = 0,
) -> bytes:
    """A packet as it stands in a ring: tpacket3_hdr, sockaddr_ll, the frame; without its place in the chain."""
    begin = 80
    size = (begin + len(data) + 15) & ~15
    head = struct.pack(
        "=6I2H2IHH8x", size, 5, 6, len(data), wire_len or len(data), flags, begin, begin + network, 0, tci, tpid, 0
    )
    address = struct.pack("=HHiHBB8x", 17, 0, number, 1, kind, 6)
    return (head + address).ljust(begin, b"\0") + data + bytes(size - begin - len(data))


def walk(
    ring: bytes, count: int, table: list[tuple[int, int, int]], fixed: int, room: int = 16
) -> tuple[int, np.ndarray, list[int]]:
    frames = np.zeros(room, FRAME_DTYPE)
    state = np.array([0, count, 0], np.int64)
    data = np.frombuffer(ring, np.uint8).copy()
    status = kernel("walk_ring_block")(data, len(data), np.array(table, np.int64), len(table), fixed, frames, state)
    return status, frames[: state[kernels.COUNT]], state.tolist()


def test_frames_lie_where_the_kernel_put_them() -> None:
    ring = packet(b"a" * 60, wire_len=1500) + packet(b"b" * 61)
    status, frames, _ = walk(ring, 2, [ETHERNET], 0)
    assert status == kernels.DONE
    assert frames["ts"].tolist() == [5_000_000_006] * 2
    assert frames["cap_len"].tolist() == [60, 61]
    assert frames["wire_len"].tolist() == [1500, 61]
    assert [ring[int(f["offset"]) : int(f["offset"]) + int(f["cap_len"])] for f in frames] == [b"a" * 60, b"b" * 61]


def test_tags_come_from_the_ring_header_and_count_on_the_wire() -> None:
    ring = (
        packet(b"x" * 60, flags=VLAN | TPID, tci=0x2064, tpid=0x88A8)
        + packet(b"x" * 60, flags=VLAN, tci=5)
        + packet(b"x" * 60, tci=5)
    )
    _, frames, _ = walk(ring, 3, [ETHERNET], 0)
    assert frames[["vlan_tpid", "vlan_tci", "wire_len", "cap_len"]].tolist() == [
        (0x88A8, 0x2064, 64, 60),
        (0x8100, 5, 64, 60),
        (0, 0, 60, 60),
    ]


def test_raw_ip_begins_at_the_network_header() -> None:
    _, frames, _ = walk(packet(b"PPP!ip packet", network=4, wire_len=20), 1, [RAW], 0)
    assert frames[["cap_len", "wire_len", "link_type"]].tolist() == [(9, 16, 101)]
    assert frames["offset"][0] == 84


def test_what_a_loopback_sends_is_not_counted_twice() -> None:
    ring = packet(b"out", kind=4) + packet(b"in", kind=0)
    assert walk(ring, 2, [LOOP], 0)[1]["cap_len"].tolist() == [2]
    assert walk(ring, 2, [ETHERNET], 0)[1]["cap_len"].tolist() == [3, 2]


def test_interfaces_are_found_by_number_and_a_new_one_stops_the_walk() -> None:
    ring = packet(b"a", number=8) + packet(b"b", number=7) + packet(b"c", number=9) + packet(b"d", number=7)
    status, frames, state = walk(ring, 4, [ETHERNET, RAW], -1)
    assert status == kernels.UNKNOWN_INTERFACE
    assert frames["interface"].tolist() == [1, 0]
    assert state == [2 * 96, 2, 2]


def test_a_full_array_stops_the_walk_at_the_next_packet() -> None:
    status, frames, state = walk(packet(b"a") * 3, 3, [ETHERNET], 0, room=2)
    assert (status, len(frames), state) == (kernels.FULL, 2, [2 * 96, 1, 2])


@pytest.fixture(scope="module")
def checked() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield plain(kernels, patch)


PACKETS = st.lists(
    st.builds(
        packet,
        st.binary(max_size=40),
        wire_len=st.integers(0, 2**31),
        flags=st.sampled_from((0, VLAN, VLAN | TPID)),
        network=st.integers(0, 60),
        number=st.sampled_from((1, 7, 8, 9)),
        kind=st.integers(0, 5),
    ),
    min_size=1,
    max_size=4,
)
EDITS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    packets=PACKETS,
    edits=EDITS,
    count=st.integers(0, 6),
    fixed=st.sampled_from((-1, 0, 1, 2)),
    room=st.sampled_from((0, 2, 16)),
)
def test_any_ring_is_walked_within_its_bounds(
    checked: Any, packets: list[bytes], edits: list[tuple[int, int]], count: int, fixed: int, room: int
) -> None:
    data = np.frombuffer(b"".join(packets), np.uint8).copy()
    for place, value in edits:
        data[place % len(data)] = value
    table = np.array([ETHERNET, RAW, LOOP], np.int64)
    fast, (slow, view) = np.zeros(room, FRAME_DTYPE), records(room, FRAME_DTYPE)
    state, plain_state = np.array([0, count, 0], np.int64), np.array([0, count, 0], np.int64)
    status = kernel("walk_ring_block")(data, len(data), table, 3, fixed, fast, state)
    frames = fast[: state[kernels.COUNT]]
    assert (frames["offset"].astype(np.int64) + frames["cap_len"] <= len(data)).all()
    assert status in (kernels.DONE, kernels.FULL, kernels.UNKNOWN_INTERFACE, kernels.DAMAGED)
    if (frames["wire_len"] < 2**32 - 70).all():  # plain Python refuses numbers that do not fit
        assert status == checked.walk_ring_block(Checked(data), len(data), table, 3, fixed, view, plain_state)
        assert state.tolist() == plain_state.tolist()
        assert fast.tobytes() == slow.tobytes()
