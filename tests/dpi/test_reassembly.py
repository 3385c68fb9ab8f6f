"""TCP reassembly: order, overlaps, gaps, wrap, snap length, and bounds that hold whatever comes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.reassembly import HELD_BYTES, HELD_PIECES, ReassemblyBudget, TcpStream

ISN = 1000


class Receiver:
    """Writes down what a stream gives out; gaps as None entries in `events`."""

    def __init__(self, **options):
        self.events = []
        self.times = []
        self.stream = TcpStream(self._data, self._gap, **options)
        self.ts = 0

    def _data(self, data, ts):
        self.events.append(bytes(data))
        self.times.append(ts)

    def _gap(self, length):
        self.events.append(length)

    def syn(self, isn=ISN, payload=b""):
        self.stream.segment(isn & 0xFFFFFFFF, payload, True, False, self.ts, len(payload))

    def send(self, offset, payload, isn=ISN, fin=False, wire_len=None):
        self.ts += 1
        wire_len = len(payload) if wire_len is None else wire_len
        self.stream.segment((isn + 1 + offset) & 0xFFFFFFFF, payload, False, fin, self.ts, wire_len)

    @property
    def joined(self):
        return b"".join(event for event in self.events if isinstance(event, bytes))

    @property
    def gaps(self):
        return [event for event in self.events if isinstance(event, int)]


def receiver(**options):
    made = Receiver(**options)
    made.syn()
    return made


def test_segments_in_order_go_through_at_once():
    got = receiver()
    got.send(0, b"abc")
    got.send(3, b"def")
    assert got.events == [b"abc", b"def"]


def test_out_of_order_waits_and_keeps_its_capture_time():
    got = receiver()
    got.send(3, b"def")
    assert got.events == []
    assert got.stream.waiting
    got.send(0, b"abc")
    assert got.joined == b"abcdef"
    assert got.times == [2, 1]


def test_retransmission_is_dropped_and_a_longer_one_gives_its_new_bytes():
    got = receiver()
    got.send(0, b"abc")
    got.send(0, b"abc")
    got.send(0, b"abcdef")
    assert got.joined == b"abcdef"
    assert got.stream.discarded_bytes == 6


def test_sequence_numbers_wrap():
    got = Receiver()
    isn = 0xFFFFFFFD
    got.syn(isn)
    got.send(3, b"d", isn)
    got.send(0, b"abc", isn)
    got.send(4, b"e", isn)
    assert got.joined == b"abcde"


def test_data_in_the_syn_begins_after_it():
    got = Receiver()
    got.syn(payload=b"GET ")
    got.send(4, b"/")
    assert got.joined == b"GET /"


def test_bytes_before_the_isn_are_not_of_the_stream():
    got = receiver()
    got.send(-5, b"xxxxxab")
    got.send(2, b"c")
    assert got.joined == b"abc"


def test_a_second_syn_with_another_isn_counts_until_data_came():
    got = Receiver()
    got.syn(5000)
    got.syn(90_000)
    got.send(0, b"ab", 90_000)
    got.syn(400_000)
    got.send(2, b"c", 90_000)
    assert got.joined == b"abc"


def test_capture_that_began_in_the_middle():
    got = Receiver()
    got.send(500, b"abc")
    got.send(503, b"def")
    got.send(400, b"zzz")
    assert got.events == [b"abc", b"def"]


def test_keep_alive_and_zero_window_probe():
    got = receiver()
    got.send(0, b"abc")
    got.send(2, b"\0")  # keep-alive: the last byte again, with any content
    got.send(3, b"d")  # probe: the next byte, sent again later
    got.send(3, b"def")
    assert got.joined == b"abcdef"


def test_snap_length_makes_a_gap_of_the_missing_bytes():
    got = receiver()
    got.send(0, b"abc", wire_len=10)
    got.send(10, b"def")
    assert got.events == [b"abc", 7, b"def"]
    assert (got.stream.gaps, got.stream.gap_bytes) == (1, 7)


def test_cut_bytes_held_behind_a_hole_give_way_to_real_ones():
    got = receiver()
    got.send(2, b"c", wire_len=4)
    got.send(3, b"def")
    got.send(0, b"ab")
    assert got.events == [b"ab", b"c", b"def"]


def test_hole_is_named_when_the_flow_ends():
    got = receiver()
    got.send(0, b"ab")
    got.send(5, b"fg")
    got.send(9, b"j")
    got.stream.flush()
    assert got.events == [b"ab", 3, b"fg", 2, b"j"]


def test_hole_is_given_up_when_too_many_bytes_wait():
    got = receiver()
    got.send(0, b"ab")
    for index in range(60):
        got.send(10 + index * 1400, b"x" * 1400)
    assert got.events[:2] == [b"ab", 8]
    assert not got.stream.waiting


def test_hole_is_given_up_when_too_many_pieces_wait():
    got = receiver()
    for index in range(HELD_PIECES + 1):
        got.send(10 + index * 3, b"x")
    assert got.gaps == [10]
    assert len(got.events) == 2


def test_acknowledged_hole_is_given_up_after_a_while():
    got = receiver()
    got.send(0, b"ab")
    got.send(4, b"ef")
    end = ISN + 1 + 6
    got.stream.acknowledged(end, got.ts + 1000)
    assert got.gaps == []
    got.stream.acknowledged(ISN + 1 + 2, got.ts + 10**9)
    assert got.gaps == []
    got.stream.acknowledged(end, got.ts + 10**9)
    assert got.events == [b"ab", 2, b"ef"]


def test_fin_ends_the_stream():
    got = receiver()
    got.send(3, b"def", fin=True)
    assert not got.stream.finished
    got.send(0, b"abc")
    assert got.stream.finished
    got.send(6, b"more")
    assert got.joined == b"abcdef"


def test_fin_without_data():
    got = receiver()
    got.send(0, b"abc")
    got.send(3, b"", fin=True)
    assert got.stream.finished


def test_far_sequence_number_is_not_of_the_stream():
    got = receiver()
    got.send(0, b"abc")
    got.send(1 << 30 | 1 << 29, b"zzz")
    got.stream.flush()
    assert got.events == [b"abc"]


def test_stop_lets_go_and_ignores_the_rest():
    budget = ReassemblyBudget(10_000)
    got = receiver(budget=budget)
    got.send(5, b"later")
    assert budget.held > 0
    got.stream.stop()
    got.send(0, b"abcde")
    got.stream.flush()
    assert got.events == []
    assert budget.held == 0


def test_shared_budget_makes_a_stream_let_go():
    budget = ReassemblyBudget(4000)
    first, second = receiver(budget=budget), receiver(budget=budget)
    for index in range(3):
        first.send(10 + index * 1000, b"x" * 1000)
    assert first.gaps == []
    second.send(10, b"y" * 1000)
    assert second.gaps == [10]
    assert budget.refused == 1
    first.stream.flush()
    assert budget.held == 0


@pytest.mark.parametrize(("policy", "expected"), [("first", b"abCDEfgh"), ("last", b"abXYEfgh")])
def test_conflicting_overlap_follows_the_policy(policy, expected):
    got = receiver(policy=policy)
    got.send(2, b"CDE")
    got.send(1, b"bXY")
    got.send(5, b"fgh")
    got.send(0, b"a")
    assert got.joined == expected
    assert got.stream.conflicts == 1


def test_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="first and last are allowed"):
        TcpStream(lambda data, ts: None, lambda length: None, policy="linux")


pieces = st.lists(st.tuples(st.integers(0, 299), st.integers(1, 60)), max_size=40)


@settings(max_examples=200, deadline=None)
@given(isn=st.integers(0, 0xFFFFFFFF), cuts=st.sets(st.integers(1, 299), max_size=30), extra=pieces, data=st.data())
def test_any_order_with_duplicates_gives_the_string(isn, cuts, extra, data):
    text = bytes(index % 251 for index in range(300))
    edges = [0, *sorted(cuts), 300]
    whole = list(itertools.pairwise(edges))
    whole += [(start, min(300, start + length)) for start, length in extra]
    order = data.draw(st.permutations(whole))
    got = Receiver(limit_pieces=200)
    got.syn(isn)
    for start, end in order:
        got.send(start, text[start:end], isn)
    assert got.joined == text
    assert got.gaps == []
    assert got.stream.conflicts == 0
    assert got.stream.held_bytes == 0


@settings(max_examples=200, deadline=None)
@given(
    segments=st.lists(st.tuples(st.integers(1, 40), st.binary(min_size=1, max_size=12)), max_size=30),
    policy=st.sampled_from(["first", "last"]),
)
def test_conflicting_overlaps_byte_by_byte(segments, policy):
    """Against the plainest model there is: a dictionary of bytes. Byte 0 comes last, so that everything is held."""
    model = {0: ord("@")}
    got = receiver(policy=policy, limit_pieces=10_000)
    for start, payload in segments:
        for index, byte in enumerate(payload):
            if policy == "last" or start + index not in model:
                model[start + index] = byte
        got.send(start, payload)
    got.send(0, b"@")
    got.stream.flush()
    assert got.joined == bytes(model[place] for place in sorted(model))
    assert sum(got.gaps) == max(model) + 1 - len(model)


segment = st.tuples(
    st.integers(-(1 << 31), 1 << 31) | st.integers(-50, 5000),
    st.binary(max_size=2000),
    st.integers(0, 3000),
    st.booleans(),
    st.integers(0, 30),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(segment, max_size=60), st.sampled_from(["first", "last"]))
def test_bounds_hold_whatever_comes(segments, policy):
    budget = ReassemblyBudget(20_000)
    got = Receiver(policy=policy, limit_bytes=8000, limit_pieces=10, budget=budget)
    for offset, payload, cut, fin, syn in segments:
        got.ts += 1
        got.stream.segment(offset & 0xFFFFFFFF, payload, syn == 0, fin, got.ts, len(payload) + cut)
        assert 0 <= got.stream.held_bytes <= 8000 + 10 * 128
        assert budget.held == got.stream.held_bytes
    got.stream.flush()
    assert got.stream.held_bytes == 0
    assert got.stream.delivered_bytes == len(got.joined) <= sum(len(payload) for _, payload, *_ in segments)
    assert got.stream.gap_bytes == sum(got.gaps)


def test_default_bound_is_64_kb():
    got = receiver()
    got.send(1, b"x" * HELD_BYTES)
    assert got.events == []
    got.send(HELD_BYTES + 1, b"x" * 9000)
    assert got.gaps == [1]
