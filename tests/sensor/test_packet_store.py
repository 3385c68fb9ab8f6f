"""The packet store against a plain model: what it gives back is what went in, newest first, and losses are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.layers import LAYER_BIT
from app.sensor.card_masking import CardMasking
from app.sensor.packet_rows import masked_start
from app.sensor.packet_store import SMALLEST_CAPACITY, PacketStore
from app.wire.block import Block
from app.wire.filter import parse
from app.wire.filter_columns import PACKET_FIELDS
from app.wire.records import FRAME_DTYPE, PACKET_DTYPE, PACKET_ROW_DTYPE

EVERYTHING = parse("", PACKET_FIELDS)


def a_block(frames, *, ts=0, vlan=(), interface=0, link_type=1, protocol=6, port=80):
    """(block, packets) of frames, with a gap between them in the buffer."""
    records = np.zeros(len(frames), FRAME_DTYPE)
    packets = np.zeros(len(frames), PACKET_DTYPE)
    data = bytearray(b"gap")
    for place, frame in enumerate(frames):
        records[place]["offset"] = len(data)
        data += frame + b"gap"
    lengths = [len(frame) for frame in frames]
    records["cap_len"] = records["wire_len"] = packets["cap_len"] = packets["wire_len"] = lengths
    records["ts"] = packets["ts"] = ts + np.arange(len(frames))
    records["link_type"] = packets["link_type"] = link_type
    records["interface"] = packets["interface"] = interface
    packets["offset"] = records["offset"]
    packets["protocol"], packets["ip_version"], packets["dst_port"] = protocol, 4, port
    packets["payload_offset"] = 20
    packets["payload_len"] = np.maximum(np.array(lengths, int) - 20, 0)
    for place, (tpid, tci) in dict(vlan).items():
        records[place]["vlan_tpid"], records[place]["vlan_tci"] = tpid, tci
        records[place]["wire_len"] += 4
        packets[place]["wire_len"] += 4
    return Block(np.frombuffer(bytes(data), np.uint8).copy(), records), packets


def add(store, frames, *, heads=1, flows=0, **options):
    block, packets = a_block(frames, **options)
    count = len(frames)
    return store.add(
        block,
        packets,
        np.broadcast_to(np.uint8(heads), count).copy(),
        np.broadcast_to(np.uint64(flows), count).copy(),
    )


def test_frames_come_back_as_they_were():
    store = PacketStore(SMALLEST_CAPACITY)
    assert add(store, [b"a" * 60, b"b" * 1514], ts=1000, flows=7, interface=3) == 1
    assert add(store, [b"c" * 100], heads=0) == 3
    packet = store.get(2)
    assert packet.frame == b"b" * 1514
    assert (packet.ts, packet.interface, packet.link_type) == (1001, 3, 1)
    assert packet.row.dtype == PACKET_ROW_DTYPE
    assert packet.row[0]["flow_id"] == 7
    assert packet.row[0]["packet_id"] == 2
    assert packet.row[0]["payload"].tobytes() == b"b" * 64
    assert store.get(3).frame == b"c" * 100
    assert store.get(0) is None
    assert store.get(4) is None
    assert store.newest_id == 3


def test_the_tag_that_the_kernel_took_out_is_put_back():
    store = PacketStore(SMALLEST_CAPACITY)
    frame = bytes(range(12)) + b"\x08\x00" + b"payload of it"
    add(store, [frame, frame], vlan={0: (0x8100, 0x2064)})
    assert store.get(1).frame == bytes(range(12)) + b"\x81\x00\x20\x64\x08\x00" + b"payload of it"
    assert store.get(1).row[0]["cap_len"] == len(frame) + 4
    assert store.get(1).row[0]["payload"].tobytes()[:7] == store.get(2).row[0]["payload"].tobytes()[:7] == b"d of it"
    assert store.get(2).frame == frame


def test_bulk_never_pushes_out_heads():
    store = PacketStore(SMALLEST_CAPACITY)
    add(store, [b"h" * 500] * 100)
    for _ in range(20):
        add(store, [b"b" * 1500] * 100, heads=0)
    assert all(store.get(number).frame == b"h" * 500 for number in range(1, 101))
    statistics = store.statistics()
    assert statistics["head_packets"] == 100
    assert statistics["packets"] + statistics["packets_overwritten"] == statistics["packets_seen"] == 2100
    assert statistics["bytes"] <= statistics["capacity_bytes"]


def test_what_does_not_fit_together_is_refused():
    store = PacketStore(SMALLEST_CAPACITY)
    block, packets = a_block([b"x" * 60])
    with pytest.raises(ValueError, match="same length"):
        store.add(block, packets, np.zeros(2, np.uint8), np.zeros(1, np.uint64))
    with pytest.raises(TypeError, match="layouts"):
        store.add(block, block.frames, np.zeros(1, np.uint8), np.zeros(1, np.uint64))
    with pytest.raises(ValueError, match="holds"):
        PacketStore(1)


def test_a_frame_outside_its_buffer_is_held_empty_and_counted():
    store = PacketStore(SMALLEST_CAPACITY)
    block, packets = a_block([b"x" * 60, b"y" * 60])
    block.frames["cap_len"][1] = 10_000
    store.add(block, packets, np.ones(2, np.uint8), np.zeros(2, np.uint64))
    assert store.get(2).frame == b""
    assert store.get(1).frame == b"x" * 60
    assert store.statistics()["frames_outside"] == 1


def test_frames_longer_than_half_a_ring_are_cut():
    store = PacketStore(SMALLEST_CAPACITY)
    half = SMALLEST_CAPACITY // 4 // 2
    add(store, [b"x" * (half + 1), b"y" * half], heads=0)
    assert store.get(1).frame == b"x" * half
    assert store.get(1).row[0]["wire_len"] == half + 1
    assert store.get(2).frame == b"y" * half
    assert store.statistics()["packets_cut"] == 1


def test_pages_go_from_new_to_old_over_both_rings():
    store = PacketStore(SMALLEST_CAPACITY)
    for number in range(60):
        add(store, [bytes([number]) * 60], heads=number % 3 == 0, port=80 + number % 2)
    query = parse("port:81", PACKET_FIELDS)
    seen, before = [], 0
    for _ in range(10):
        rows, before, _ = store.rows(query, 7, before)
        seen.extend(rows["packet_id"].tolist())
        if not before:
            break
    assert seen == list(range(60, 0, -2))
    rows, _, scanned = store.rows(query, 1000)
    assert (len(rows), scanned) == (30, 60)
    rows, before, _ = store.rows(parse("sort:id", PACKET_FIELDS), 5)
    assert (rows["packet_id"].tolist(), before) == ([1, 2, 3, 4, 5], 0)


def test_pages_cross_the_windows_and_the_gaps_of_overwritten_packets():
    store = PacketStore(SMALLEST_CAPACITY)
    add(store, [b"first" * 12], port=443)
    for _ in range(30):
        add(store, [b"b" * 60] * 2000, heads=0)
    rows, before, _ = store.rows(parse("port:443", PACKET_FIELDS), 10)
    assert (rows["packet_id"].tolist(), before) == ([1], 0)


def test_the_live_list_gives_the_newest_oldest_first():
    store = PacketStore(SMALLEST_CAPACITY)
    assert len(store.newest(10)) == 0
    for number in range(20):
        add(store, [b"x" * 60], heads=number % 2)
    assert store.newest(5)["packet_id"].tolist() == [16, 17, 18, 19, 20]
    assert store.newest(5, after_id=18)["packet_id"].tolist() == [19, 20]
    assert len(store.newest(5, after_id=20)) == len(store.newest(0)) == 0


def test_frames_for_export_come_in_order_up_to_a_limit():
    store = PacketStore(SMALLEST_CAPACITY)
    for number in range(20):
        add(store, [bytes([number]) * 100], heads=number % 2, flows=number % 4, ts=number * 10)
    assert [frame.packet_id for frame in store.iter_frames(EVERYTHING)] == list(range(1, 21))
    assert [frame.ts for frame in store.iter_frames(EVERYTHING, flow_id=3)] == [30, 70, 110, 150, 190]
    assert [frame.packet_id for frame in store.iter_frames(EVERYTHING, limit_bytes=350)] == [1, 2, 3]


def test_frames_overwritten_during_an_export_are_left_out():
    store = PacketStore(SMALLEST_CAPACITY)
    add(store, [bytes([number]) * 1000 for number in range(100)], heads=0)
    frames = store.iter_frames(EVERYTHING)
    assert next(frames).packet_id == 1
    add(store, [b"new" * 300] * 240, heads=0)
    for frame in frames:
        assert frame.frame == bytes([frame.packet_id - 1]) * 1000


def test_clear_forgets():
    store = PacketStore(SMALLEST_CAPACITY)
    add(store, [b"x" * 60] * 3)
    store.clear()
    assert store.get(1) is None
    assert store.statistics()["oldest_ns"] is None
    assert add(store, [b"y" * 60]) == 4
    store.clear(renumber=True)
    assert add(store, [b"z" * 60]) == 1
    assert store.get(1).frame == b"z" * 60


def test_rows_of_frames_without_ip_show_their_type():
    store = PacketStore(SMALLEST_CAPACITY)
    arp = b"\xff" * 6 + b"\x02" * 6 + b"\x08\x06" + bytes.fromhex("0001080006040002") + b"s" * 20
    tagged = arp[:12] + b"\x81\x00\x00\x05" + arp[12:]
    block, packets = a_block([arp, tagged])
    packets["ip_version"], packets["protocol"], packets["layers"] = 0, 255, LAYER_BIT["arp"] | LAYER_BIT["eth"]
    store.add(block, packets, np.ones(2, np.uint8), np.zeros(2, np.uint64))
    for number in (1, 2):
        row = store.get(number).row[0]
        assert (row["ether_type"], row["arp_operation"]) == (0x0806, 2)
        assert row["payload"].tobytes()[:28] == arp[14:]
        assert row["payload_kept"] == 28


def test_the_link_types_of_what_matches():
    store = PacketStore(SMALLEST_CAPACITY)
    assert store.link_types(EVERYTHING) == set()
    add(store, [b"x" * 60], link_type=1, flows=1)
    add(store, [b"y" * 60], link_type=276, flows=2, port=53)
    assert store.link_types(EVERYTHING) == {1, 276}
    assert store.link_types(EVERYTHING, flow_id=2) == {276}
    assert store.link_types(parse("port:80", PACKET_FIELDS)) == {1}


def test_card_numbers_in_the_shown_payload_are_masked_even_at_its_edge():
    number = b"4111111111111111"
    for lead in range(80):
        data = b"h" * 10 + b"." * lead + number + b"." * 60
        shown, seen = masked_start(data, 10, 64, CardMasking())
        assert seen or lead > 64 + 24
        assert len(shown) == 64
        assert number[6:12] not in shown.replace(b".", b"")
    store = PacketStore(SMALLEST_CAPACITY)
    add(store, [b"e" * 20 + b"pan=" + number + b"&"])
    assert store.get(1).row[0]["payload"].tobytes()[:21] == b"pan=411111******1111&"
    assert number in store.get(1).frame
    assert number not in store.get(1).shown


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.booleans(), st.integers(0, 3), st.sampled_from([0, 0, 0x8100])),
        max_size=200,
    ),
    st.integers(1, 40),
)
def test_the_store_equals_a_list_of_what_it_saw(packets, per_block):
    store = PacketStore(SMALLEST_CAPACITY)
    seen = []
    for start in range(0, len(packets), per_block):
        part = packets[start : start + per_block]
        frames = [bytes([(start + i) % 256]) * length for i, (length, *_) in enumerate(part)]
        block, columns = a_block(frames, vlan={i: (tpid, 5) for i, (*_, tpid) in enumerate(part) if tpid})
        store.add(
            block,
            columns,
            np.array([head for _, head, _, _ in part], np.uint8),
            np.array([flow for _, _, flow, _ in part], np.uint64),
        )
        for frame, (*_, tpid) in zip(frames, part, strict=True):
            seen.append(frame[:12] + b"\x81\x00\x00\x05" + frame[12:] if tpid and len(frame) >= 12 else frame)
    held = {number: store.get(number) for number in range(1, len(seen) + 1)}
    for number, packet in held.items():
        assert packet is None or packet.frame == seen[number - 1]
    for head in (True, False):  # of each ring the newest are held, without a gap
        flags = [held[i + 1] is not None for i, packet in enumerate(packets) if bool(packet[1]) == head]
        assert flags == sorted(flags)
        assert not flags or flags[-1]
    statistics = store.statistics()
    there = [packet for packet in held.values() if packet is not None]
    assert statistics["packets"] == len(there)
    assert statistics["packets"] + statistics["packets_overwritten"] == len(seen)
    assert sum(len(packet.frame) for packet in there) <= statistics["bytes"] <= statistics["capacity_bytes"]
    assert [frame.packet_id for frame in store.iter_frames(EVERYTHING)] == [n for n, p in held.items() if p is not None]
