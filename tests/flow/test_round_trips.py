"""Ongoing round trips: which acknowledgements count, what a retransmission spoils, and the same values as tshark over real captures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.flow import layout
from app.flow.table import FlowTable
from app.wire.decode import Decoder
from tests.dpi.capture_flows import CAPTURES, open_file
from tests.flow.test_table import ACK, HANDSHAKE, back, only, packet

GOLDEN = Path(__file__).with_name("round_trips_golden.json")


def data(seq: int, at: float, length: int = 10, ack: int = 500):
    return packet(flags=ACK, seq=seq, ack=ack, length=length, at=at)


def answer(ack: int, at: float, seq: int = 500):
    return back(flags=ACK, seq=seq, ack=ack, at=at)


def test_the_handshake_is_the_first_round_trip():
    row = only(*HANDSHAKE)
    assert row["src_rtt_ms"] == row["src_rtt_min_ms"] == pytest.approx(10)
    assert row["dst_rtt_ms"] == row["dst_rtt_min_ms"] == pytest.approx(15)


def test_it_is_smoothed_and_the_smallest_is_kept():
    row = only(*HANDSHAKE, data(100, 1.0), answer(110, 1.018), data(110, 2.0), answer(120, 2.002))
    assert row["src_rtt_min_ms"] == pytest.approx(2)
    assert row["src_rtt_ms"] == pytest.approx((10 * 7 / 8 + 18 / 8) * 7 / 8 + 2 / 8, abs=0.001)


def test_no_acknowledgement_no_value():
    row = only(data(100, 0.0), data(110, 0.1))
    assert (row["src_rtt_ms"], row["src_rtt_min_ms"], row["dst_rtt_ms"]) == (0, 0, 0)


def test_what_was_sent_again_does_not_count():
    row = only(*HANDSHAKE, data(100, 1.0), data(100, 2.0), answer(110, 2.001), answer(110, 2.002))
    assert row["src_retransmissions"] == 1
    assert row["src_rtt_ms"] == row["src_rtt_min_ms"] == pytest.approx(10)


def test_what_waits_behind_a_gap_does_not_count_and_later_data_does():
    row = only(
        *HANDSHAKE,
        data(100, 1.0),
        data(110, 1.001),
        data(120, 1.002),
        data(100, 1.5),
        answer(110, 1.501),  # not yet all that was sent before
        answer(130, 1.502),
        data(130, 2.0),
        answer(140, 2.010),
    )
    assert row["src_rtt_ms"] == row["src_rtt_min_ms"] == pytest.approx(10, abs=0.001)


@pytest.mark.parametrize("acknowledged", [1, 2, 5, 20])
def test_segments_are_timed_while_others_are_on_their_way(acknowledged):
    stream = [data(100 + 10 * k, 1 + 0.001 * k) for k in range(20)]
    row = only(*HANDSHAKE, *stream, answer(100 + 10 * acknowledged, 1.029 + 0.001 * acknowledged))
    assert row["src_rtt_ms"] == pytest.approx(10 * 7 / 8 + 30 / 8, abs=0.001)


def test_a_full_ring_times_again_when_there_is_room():
    stream = [data(100 + 10 * k, 1 + 0.001 * k) for k in range(20)]
    row = only(
        *HANDSHAKE, *stream, answer(200, 1.1), data(300, 1.2), data(310, 1.201), answer(310, 1.204), answer(320, 1.205)
    )
    # the tenth of twenty was not timed; the one before the last of them was
    assert row["src_rtt_min_ms"] == pytest.approx(4, abs=0.001)
    assert row["src_rtt_ms"] == pytest.approx((10 * 7 / 8 + 4 / 8) * 7 / 8 + 4 / 8, abs=0.001)


def test_what_was_sent_before_a_lost_segment_counts():
    row = only(*HANDSHAKE, data(100, 1.0), data(110, 1.001), data(110, 1.5), answer(110, 1.6), answer(120, 1.7))
    assert row["src_rtt_ms"] == pytest.approx(10 * 7 / 8 + 600 / 8, abs=0.001)


def test_the_same_acknowledgement_answers_what_was_sent_again_without_need():
    row = only(*HANDSHAKE, data(100, 1.0), answer(110, 1.010), data(100, 2.0), answer(110, 2.002), answer(110, 2.003))
    assert row["src_rtt_min_ms"] == pytest.approx(2, abs=0.001)


def test_a_frame_captured_twice_spoils_nothing():
    row = only(*HANDSHAKE, data(100, 1.0), data(100, 1.0001), answer(110, 1.018))
    assert row["src_rtt_ms"] == pytest.approx(10 * 7 / 8 + 18 / 8, abs=0.001)


def test_a_late_acknowledgement_of_several_counts_from_the_last():
    row = only(*HANDSHAKE, data(100, 1.0), data(110, 1.100), data(120, 1.101), answer(130, 1.111))
    assert row["src_rtt_ms"] == pytest.approx(10, abs=0.001)


def test_sequence_numbers_may_wrap():
    first = 0xFFFFFFFA
    row = only(packet(flags=ACK, seq=first, ack=500, length=10, at=0), answer(4, 0.02))
    assert row["src_rtt_ms"] == pytest.approx(20)


def test_a_clock_that_runs_backwards_gives_nothing():
    row = only(data(100, 1.0), answer(110, 0.5))
    assert row["src_rtt_ms"] == 0


def samples(name: str) -> dict[int, float]:
    """Our samples in ms by number of frame: the round trip is set back after each packet, so that each sample stands alone."""
    decoder, table = Decoder(), FlowTable(4096, lambda records, rolled: None)
    source = open_file(str(CAPTURES / name))
    found: dict[int, float] = {}
    frame = 0
    while not source.finished:
        block = source.read()
        if block is None:
            continue
        packets = decoder.decode(block.data, block.frames)
        for i in range(len(packets)):
            frame += 1
            table.update(packets[i : i + 1])
            row = int(packets["flow"][i])
            if row < 0 or packets["protocol"][i] != 6:
                continue
            for place in (layout.ROUND_TRIP, layout.ROUND_TRIP + 1):
                if value := int(table.tcp[row, place]):
                    found[frame] = (value & 0xFFFFFFFF) * layout.ROUND_TRIP_UNIT_NS / 1e6
                    table.tcp[row, place] = 0
    source.close()
    return found


@pytest.mark.parametrize(("name", "expected"), sorted(json.loads(GOLDEN.read_text()).items()))
def test_each_sample_is_one_of_tshark(name, expected):
    """tshark's `tcp.analysis.ack_rtt` by frame. It times every segment, we time six of a direction at a time, none that was sent again: none of ours is another, few are missing."""
    ours = samples(name)
    theirs = {int(frame): value for frame, value in expected.items()}
    for frame, value in ours.items():
        assert value == pytest.approx(theirs[frame], abs=0.0005), frame
    assert len(ours) >= 0.93 * len(theirs)
