"""The flow table against a table of dictionaries, and its rules one by one."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.flow.table import FlowTable, Timeouts
from app.model.layers import CONN_STATES, ENDINGS
from app.wire.records import FLOW_DTYPE, PACKET_DTYPE

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
A, B = (0, 0xFFFF0A000001), (0, 0xFFFF0A000002)


class Ended:
    """Collects what the table hands out."""

    def __init__(self) -> None:
        self.rows: list[np.void] = []

    def __call__(self, records: np.ndarray, rolled: np.ndarray) -> None:
        assert len(records) == len(rolled)
        self.rows.extend(records.copy())


def packet(
    src=A,
    dst=B,
    sport=1000,
    dport=80,
    *,
    at=0.0,
    flags=0,
    seq=0,
    ack=0,
    length=0,
    protocol=6,
    size=60,
    window=1000,
    **more,
):
    p = np.zeros(1, PACKET_DTYPE)[0]
    p["ts"] = T0 + round(at * SECOND)
    p["src_hi"], p["src_lo"] = src
    p["dst_hi"], p["dst_lo"] = dst
    p["src_port"], p["dst_port"], p["protocol"], p["ip_version"] = sport, dport, protocol, 4
    p["tcp_flags"], p["seq"], p["ack"], p["window"] = flags, seq, ack, window
    p["payload_len"], p["wire_len"] = length, size
    for name, value in more.items():
        p[name] = value
    return p


def back(**fields):
    return packet(src=B, dst=A, sport=80, dport=1000, **fields)


def run(*packets, capacity=64, timeouts=None):
    """(records of all flows by flow id, the packets after the update)."""
    ended = Ended()
    table = FlowTable(capacity, ended, timeouts)
    array = np.array(list(packets), PACKET_DTYPE)
    table.update(array)
    table.finish()
    return sorted(ended.rows, key=lambda row: row["flow_id"]), array


def only(*packets, **options):
    rows, _ = run(*packets, **options)
    assert len(rows) == 1
    return rows[0]


def state(row) -> str:
    return CONN_STATES[row["conn_state"]]


def history(row) -> str:
    return row["history"].decode()


HANDSHAKE = (
    packet(flags=SYN, seq=99, at=0.0),
    back(flags=SYN | ACK, seq=499, ack=100, at=0.010),
    packet(flags=ACK, seq=100, ack=500, at=0.025),
)


def test_a_whole_connection():
    row = only(
        *HANDSHAKE,
        packet(flags=ACK | PSH, seq=100, ack=500, length=10, at=0.03, size=70),
        back(flags=ACK, seq=500, ack=110, at=0.04),
        back(flags=ACK | PSH, seq=500, ack=110, length=1000, at=0.05, size=1060),
        packet(flags=ACK | FIN, seq=110, ack=1500, at=0.06),
        back(flags=ACK | FIN, seq=1500, ack=111, at=0.07),
        packet(flags=ACK, seq=111, ack=1501, at=0.08),
    )
    assert (row["src_lo"], row["src_port"], row["dst_port"]) == (A[1], 1000, 80)
    assert (row["src_packets"], row["dst_packets"]) == (5, 4)
    assert (row["src_bytes"], row["dst_bytes"]) == (310, 1240)
    assert (row["src_payload"], row["dst_payload"]) == (10, 1000)
    assert row["rtt_ns"] == 25_000_000
    assert state(row) == "SF"
    assert history(row) == "ShADadFf"
    assert (row["src_retransmissions"], row["dst_retransmissions"]) == (0, 0)
    assert ENDINGS[row["ended"]] == "closed"
    assert (row["start"], row["end"]) == (T0, T0 + 80_000_000)


@pytest.mark.parametrize(
    ("packets", "expected", "letters"),
    [
        ([packet(flags=SYN)], "S0", "S"),
        ([packet(flags=SYN, seq=9), back(flags=RST | ACK, ack=10)], "REJ", "Sr"),
        ([*HANDSHAKE], "S1", "ShA"),
        ([*HANDSHAKE, packet(flags=RST, seq=100)], "RSTO", "ShAR"),
        ([*HANDSHAKE, back(flags=RST, seq=500)], "RSTR", "ShAr"),
        ([*HANDSHAKE, packet(flags=FIN | ACK, seq=100, ack=500)], "S2", "ShAF"),
        ([*HANDSHAKE, back(flags=FIN | ACK, seq=500, ack=100)], "S3", "ShAf"),
        ([packet(flags=SYN), packet(flags=RST, seq=1)], "RSTOS0", "SR"),
        ([packet(flags=SYN), packet(flags=FIN, seq=1)], "SH", "SF"),
        ([packet(flags=ACK, length=5)], "OTH", "D"),
    ],
)
def test_states_and_history(packets, expected, letters):
    row = only(*packets)
    assert (state(row), history(row)) == (expected, letters)


def test_a_syn_ack_first_turns_the_flow_round():
    row = only(back(flags=SYN | ACK, seq=5, ack=6), packet(flags=ACK, seq=6, ack=6))
    assert (row["src_lo"], row["dst_port"]) == (A[1], 80)
    assert history(row).startswith("^h")


def test_the_sender_of_a_late_syn_is_the_originator():
    row = only(back(flags=ACK, seq=1, ack=1, length=3), packet(flags=SYN, seq=50, at=1))
    assert row["src_lo"] == A[1]
    assert history(row) == "dS"


def test_udp_and_icmp():
    rows, _ = run(
        packet(protocol=17, sport=5353, dport=53, length=30),
        packet(src=B, dst=A, protocol=17, sport=53, dport=5353, length=90),
        packet(protocol=1, sport=8, dport=0, length=8),
        packet(src=B, dst=A, protocol=1, sport=0, dport=8, length=8),
    )
    assert [(state(r), history(r), r["src_packets"], r["dst_packets"]) for r in rows] == [
        ("SF", "Dd", 1, 1),
        ("OTH", "Dd", 1, 1),
    ]


def test_one_way_icmp_has_a_flow_per_direction():
    rows, _ = run(
        packet(protocol=1, sport=3, dport=3, kind=4), packet(src=B, dst=A, protocol=1, sport=3, dport=3, kind=4)
    )
    assert [(r["src_lo"], r["dst_packets"]) for r in rows] == [(A[1], 0), (B[1], 0)]


def test_vlan_and_tunnel_keep_flows_apart():
    rows, _ = run(packet(), packet(vlan=5), packet(tunnel=9, depth=1), packet(tunnel=9, depth=2), packet(ip_version=6))
    assert len(rows) == 5


def test_packets_without_transport_belong_to_no_flow():
    table = FlowTable(64, Ended())
    ids, heads = table.update(np.array([packet(kind=16), packet(ip_version=0), packet()], PACKET_DTYPE))
    assert (ids > 0).tolist() == [False, False, True]
    assert heads.tolist() == [1, 1, 1]
    assert table.created == 1


def test_a_syn_with_another_sequence_number_is_another_connection():
    rows, after = run(*HANDSHAKE, packet(flags=SYN, seq=7777, at=1), packet(flags=SYN, seq=7777, at=2))
    assert [ENDINGS[r["ended"]] for r in rows] == ["port_reused", "end_of_capture"]
    assert rows[1]["src_retransmissions"] == 1
    assert (after["kind"] & 128 != 0).tolist() == [True, False, False, True, False]


def test_silence_ends_a_flow_without_a_sweep():
    limits = Timeouts(tcp_open=900, udp=180)
    rows, _ = run(packet(protocol=17), packet(protocol=17, at=179), packet(protocol=17, at=360), timeouts=limits)
    assert [(r["src_packets"], ENDINGS[r["ended"]]) for r in rows] == [(2, "idle"), (1, "end_of_capture")]


def test_a_straggler_after_the_end_keeps_the_direction():
    rows, _ = run(*HANDSHAKE, packet(flags=RST, seq=100, at=1), back(flags=ACK, seq=500, at=60))
    assert [r["src_lo"] for r in rows] == [A[1], A[1]]


def test_expire_frees_rows():
    ended = Ended()
    table = FlowTable(64, ended)
    table.update(np.array([packet(protocol=17), packet(sport=2000, flags=SYN)], PACKET_DTYPE))
    table.expire(T0 + 200 * SECOND)
    assert table.active == 1
    assert [ENDINGS[r["ended"]] for r in ended.rows] == ["idle"]
    table.expire(T0 + 901 * SECOND)
    assert table.active == 0


# -- retransmissions ---------------------------------------------------------------------------------------------------


def data(seq, length, *, at, **more):
    return packet(flags=ACK | PSH, seq=seq, ack=500, length=length, at=at, **more)


def resent(*packets) -> tuple[int, int]:
    row = only(*HANDSHAKE, *packets)
    return int(row["src_retransmissions"]), int(row["src_out_of_order"])


def test_new_data_is_no_retransmission():
    assert resent(data(100, 10, at=0.1), data(110, 10, at=0.2)) == (0, 0)


def test_the_same_bytes_again_are_a_retransmission():
    assert resent(data(100, 10, at=0.1), data(100, 10, at=0.5)) == (1, 0)


def test_a_gap_filled_within_the_handshake_rtt_is_out_of_order():
    assert resent(data(100, 10, at=0.1), data(120, 10, at=0.101), data(110, 10, at=0.102)) == (0, 1)


def test_a_gap_filled_late_is_a_retransmission():
    assert resent(data(100, 10, at=0.1), data(120, 10, at=0.101), data(110, 10, at=0.2)) == (1, 0)


def test_acknowledged_bytes_again_are_a_spurious_retransmission():
    assert resent(data(100, 10, at=0.1), back(flags=ACK, seq=500, ack=110, at=0.11), data(100, 10, at=0.111)) == (1, 0)


def test_after_two_duplicate_acknowledgements_it_is_a_fast_retransmission():
    duplicates = [back(flags=ACK, seq=500, ack=110, at=0.11 + i / 1000) for i in range(3)]
    packets = [data(100, 10, at=0.1), data(120, 10, at=0.1001), *duplicates, data(110, 10, at=0.1125)]
    assert resent(*packets) == (1, 0)


def test_a_keep_alive_is_none():
    assert resent(data(100, 10, at=0.1), data(109, 1, at=9), data(109, 0, at=18)) == (0, 0)


def test_sequence_numbers_wrap():
    top = 0xFFFFFFF0
    row = only(
        packet(flags=SYN, seq=top - 1),
        back(flags=SYN | ACK, seq=499, ack=top, at=0.01),
        packet(flags=ACK, seq=top, ack=500, at=0.02),
        packet(flags=ACK, seq=top, ack=500, length=32, at=0.03),
        packet(flags=ACK, seq=16, ack=500, length=10, at=0.04),
    )
    assert row["src_retransmissions"] == row["src_out_of_order"] == 0


def test_a_syn_again_counts_and_restarts_the_rtt():
    row = only(
        packet(flags=SYN, seq=9),
        packet(flags=SYN, seq=9, at=1.0),
        back(flags=SYN | ACK, seq=1, ack=10, at=1.2),
        packet(flags=ACK, seq=10, ack=2, at=1.3),
    )
    assert row["src_retransmissions"] == 1
    assert row["rtt_ns"] == 300_000_000


# -- capacity ----------------------------------------------------------------------------------------------------------


def test_a_full_table_evicts_and_counts():
    ended = Ended()
    table = FlowTable(16, ended)
    table.update(np.array([packet(sport=i, protocol=17, at=i) for i in range(1, 101)], PACKET_DTYPE))
    assert (table.active, table.evicted, table.created) == (16, 84, 100)
    table.finish()
    assert sorted(r["src_port"] for r in ended.rows) == list(range(1, 101))
    assert sum(int(r["src_packets"]) for r in ended.rows) == 100


def test_more_flows_end_at_once_than_the_buffer_holds():
    ended = Ended()
    table = FlowTable(20_000, ended)
    packets = np.array([packet(protocol=17)] * 20_000, PACKET_DTYPE)
    packets["src_lo"] = np.arange(20_000) + 1
    table.update(packets)
    table.finish()
    assert len(ended.rows) == 20_000
    assert len({int(r["flow_id"]) for r in ended.rows}) == 20_000


def test_collect_goes_on_where_it_stopped():
    table = FlowTable(64, Ended())
    table.update(np.array([packet(sport=i) for i in range(1, 31)], PACKET_DTYPE))
    first, slot, waiting = table.collect(0, 20)
    assert (len(first), waiting) == (20, 10)
    rest, slot, waiting = table.collect(0, 20, slot)
    assert (len(rest), slot, waiting) == (10, 0, 0)
    assert {int(r["src_port"]) for r in itertools.chain(first, rest)} == set(range(1, 31))
    table.next_tick()
    table.update(np.array([packet(sport=7)], PACKET_DTYPE))
    changed, _, _ = table.collect(1, 20)
    assert changed["src_port"].tolist() == [7]


def test_an_impossible_capacity_is_refused():
    with pytest.raises(ValueError, match="a flow table of 3 rows"):
        FlowTable(3, Ended())


# -- against a table of dictionaries -----------------------------------------------------------------------------------

HOSTS = st.integers(1, 4)
PORTS = st.sampled_from([1, 2, 80])
PACKETS = st.lists(
    st.tuples(HOSTS, HOSTS, PORTS, PORTS, st.sampled_from([6, 17, 47]), st.integers(60, 1500), st.integers(0, 3)),
    min_size=1,
    max_size=300,
)


@settings(max_examples=150, deadline=None)
@given(PACKETS, st.integers(16, 64))
def test_counts_equal_those_of_a_simple_table(rows, capacity):
    """Whatever is evicted, split or ended: per conversation and direction every packet and byte is there exactly once."""
    packets = np.zeros(len(rows), PACKET_DTYPE)
    expected: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for i, (src, dst, sport, dport, protocol, size, gap) in enumerate(rows):
        if protocol == 47:
            sport = dport = 0
        packets[i] = packet((0, src), (0, dst), sport, dport, protocol=protocol, size=size, at=i * gap * 40, flags=ACK)
        expected[(src, sport, dst, dport, protocol)][0] += 1
        expected[(src, sport, dst, dport, protocol)][1] += size
    ended = Ended()
    table = FlowTable(capacity, ended)
    half = len(rows) // 2
    for part in (packets[:half], packets[half:]):
        ids, _ = table.update(part)
        assert (ids > 0).all()
    table.finish()
    assert table.active == 0
    counted: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for r in ended.rows:
        key = (int(r["src_lo"]), int(r["src_port"]), int(r["dst_lo"]), int(r["dst_port"]), int(r["protocol"]))
        twin = (key[2], key[3], key[0], key[1], key[4])
        for k, n, size in ((key, r["src_packets"], r["src_bytes"]), (twin, r["dst_packets"], r["dst_bytes"])):
            if n:
                counted[k][0] += int(n)
                counted[k][1] += int(size)
    assert counted == expected
    assert FLOW_DTYPE.itemsize == 200


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=64), st.integers(0, 2**32 - 1))
def test_any_columns_are_survived(values, salt):
    """Columns that no decoder would write do not break the table."""
    packets = np.zeros(len(values), PACKET_DTYPE)
    raw = packets.view(np.uint64).reshape(len(values), -1)
    raw[:] = (np.array(values, np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(salt)
    table = FlowTable(16, Ended())
    table.update(packets)
    table.finish()
    assert table.active == 0
