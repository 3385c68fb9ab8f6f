"""The query language over history finds what it finds over columns: SQL against the NumPy evaluation, and words against plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store.conditions import condition
from app.store.database import Database
from app.store.fields import FIELDS, PLACES
from app.store.layout import FLOW_DTYPE as STRETCH
from app.store.reading import Reader, Wanted
from app.wire.filter import QueryError, parse
from app.wire.filter_columns import FLOW_FIELDS
from app.wire.records import FLOW_DTYPE
from tests.store.stretches import NOON, SECOND, batch, stretches

NOW = NOON + 3600 * SECOND


def varied() -> np.ndarray:
    rng = np.random.default_rng(7)
    rows = stretches(600)
    rows["protocol"] = rng.choice([1, 6, 17, 47, 132], 600)
    rows["ip_version"] = rng.choice([0, 4, 6], 600, p=[0.05, 0.75, 0.2])
    six = rows["ip_version"] == 6
    for end in ("src", "dst"):
        rows[f"{end}_hi"][six] = np.uint64(0x20010DB8 << 32) + rng.integers(0, 4, six.sum()).astype(np.uint64)
        rows[f"{end}_lo"][six] = rng.integers(0, 5, six.sum()).astype(np.uint64)
    for name, high in (("src_bytes", 5_000_000), ("dst_bytes", 5_000_000), ("src_packets", 2_000), ("vlan", 4), ("depth", 3),
                       ("src_retransmissions", 5), ("ended", 6), ("conn_state", 13), ("src_flags", 64), ("dst_flags", 64)):  # fmt: skip
        rows[name] = rng.integers(0, high, 600)
    rows["rtt_ns"] = rng.choice([-1, 10_000_000, 90_000_000], 600)
    rows["end"] = rows["start"] + rng.integers(0, 20 * SECOND, 600)
    rows["src_entropy"] = rng.choice([np.nan, 0.0, 4.5, 7.9], 600)
    rows["dst_entropy"] = rng.choice([np.nan, 1.25, 7.9], 600)
    return rows


ROWS = varied()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    database = Database(tmp_path_factory.mktemp("conditions") / "h.duckdb")
    database.write(batch(ROWS))
    yield Reader(database.connection)
    database.close()


def found(reader: Reader, q: str) -> set[int]:
    answer = reader.flows(Wanted(q, now_ns=NOW), 1_000, None, 0, False)
    return {int(i) for i in np.frombuffer(answer["flows"], STRETCH)["flow_id"]}


def expected(q: str) -> set[int]:
    flows = np.zeros(len(ROWS), FLOW_DTYPE)
    for name in STRETCH.names or ():
        if name in (FLOW_DTYPE.names or ()):
            flows[name] = ROWS[name]
    return {int(i) for i in ROWS["flow_id"][parse(q, FLOW_FIELDS).mask(flows, NOW)]}


TERMS = (
    "ip:10.0.0.1", "ip:192.0.2.0/25", "dst_ip:192.0.2.*", "ip:2001:db8::/32", "src_ip:2001:db8::1", "ip:10.0.0.0..192.0.2.50", "ip:*",
    "ip:2001:db8::..2001:db8:0:1::3", "port:443", "port:>=40000", "src_port:33000..34000", "port:53,443", "dport:*", "protocol:udp",
    "protocol:ic*", "protocol:132", "service:dns", "service:http*", "vlan:*", "vlan:2", "bytes:>1M", "bytes:..500k", "src_bytes:>2.5M",
    "packets:>1k", "payload:0", "retransmissions:>=3", "duration:>5s", "duration:1s..4s", "start:>=2025-10-09T08:54:00.2Z", "end:-1h",
    "start:-5m", "start:2025-10-09", "end:<-3599s", "latency_ms:>20", "latency_ms:*", "latency:10", "state:SF,S1", "state:S*", "status:closed",
    "active:yes", "ending:idle", "ending:*", "flags:syn", "flags:syn+ack", "flags:=syn", "flags:none", "src_flags:SA", "entropy:>7",
    "entropy:*", "entropy:<2", "ip_version:6", "tunnel:0", "depth:>1", "flow_id:1..20", "bytes:>99999999999999999999999",
    "port:<1", "vlan:>-5", "-vlan:1",
)  # fmt: skip


@pytest.mark.parametrize("q", TERMS)
def test_a_term_finds_what_it_finds_over_columns(reader: Reader, q: str) -> None:
    assert found(reader, q) == expected(q)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.sampled_from(TERMS), lambda inner: st.builds(lambda a, word, b, sign: f"{sign}({a} {word} {b})", inner, st.sampled_from(["OR", "AND", ""]), inner, st.sampled_from(["", "-"])), max_leaves=5))  # fmt: skip
def test_so_do_their_combinations(reader: Reader, q: str) -> None:
    try:
        wanted = expected(q)
    except QueryError:
        return
    assert found(reader, q) == wanted


@pytest.mark.parametrize(
    ("q", "count"),
    [
        ("hostname:EXAMPLE", 450), ("hostname:=host1.example.org", 60), ("hostname:host1*", 60), ("hostname:*.example.org", 450),
        ("-hostname:*", 150), ("hostname:%", 0), ("hostname:_ost1.example.org", 0), ("hostname:\"a' OR 1=1 --\"", 0), ("app:dns", 150),
        ("pid:7", 1), ("pid:*", 85), ("-pid:*", 515), ("google", 450),
    ],
)  # fmt: skip
def test_words_of_text(reader: Reader, q: str, count: int) -> None:
    assert len(found(reader, q)) == count


def test_every_field_has_a_place_and_can_be_asked_for_and_sorted_by(reader: Reader) -> None:
    for kind, fields in FIELDS.items():
        assert set(fields.fields) == set(PLACES[kind])
        for name in fields.fields:
            wanted = Wanted(f"sort:-{name}", now_ns=NOW)
            if kind == "flows":
                reader.flows(wanted, 3, None, 0, False)
            else:
                reader.facts(kind, wanted, 3, None, 0, False)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40) | st.from_regex(r"(hostname|ip|port|app|start):[^ ]{0,12}", fullmatch=True))
def test_any_text_is_an_answer_or_a_mistake(reader: Reader, q: str) -> None:
    try:
        parse(q, FIELDS["flows"])
    except QueryError:
        return
    reader.flows(Wanted(q, now_ns=NOW), 1, None, 0, True)


def test_what_the_user_writes_is_never_sql() -> None:
    made = condition(parse("hostname:\"x' OR '1'='1\"", FIELDS["flows"]), FIELDS["flows"], PLACES["flows"], 0)
    assert "1'" not in made.text
    assert made.values == ("x' or '1'='1",)
