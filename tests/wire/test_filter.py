"""The query language: any text gives a query or a QueryError, queries write themselves, and masks equal a per-row oracle."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire.addresses import halves
from app.wire.filter import Field, FieldSet, QueryError, parse
from app.wire.filter_columns import FLOW_FIELDS, PACKET_FIELDS, flow_fields, packet_fields
from app.wire.filter_facets import TextFacet
from app.wire.records import FLOW_DTYPE, PACKET_ROW_DTYPE

SECOND = 10**9
NOW = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z


def flows(*records):
    """FLOW rows from dicts; `src`/`dst` are texts of addresses."""
    rows = np.zeros(len(records), FLOW_DTYPE)
    rows["rtt_ns"] = -1
    for row, record in zip(rows, records, strict=True):
        for name, value in record.items():
            if name in ("src", "dst"):
                address = ipaddress.ip_address(value)
                row[f"{name}_hi"], row[f"{name}_lo"] = halves(address)
                row["ip_version"] = address.version
            else:
                row[name] = value
    return rows


ROWS = flows(
    {"src": "10.0.0.1", "dst": "1.1.1.1", "src_port": 40000, "dst_port": 443, "protocol": 6, "src_bytes": 5_000_000},
    {"src": "10.0.0.2", "dst": "8.8.8.8", "src_port": 40001, "dst_port": 53, "protocol": 17, "dst_bytes": 300},
    {"src": "192.168.1.9", "dst": "10.0.0.1", "src_port": 8, "dst_port": 0, "protocol": 1, "vlan": 7},
    {"src": "fe80::1", "dst": "2001:db8::5", "src_port": 40002, "dst_port": 8080, "protocol": 6, "ended": 1},
    {"src": "10.0.0.1", "dst": "8.8.4.4", "src_port": 8, "dst_port": 9, "protocol": 17, "src_bytes": 999},
)
ROWS["start"] = [NOW - 600 * SECOND, NOW - 60 * SECOND, NOW, NOW + SECOND, NOW + 86400 * SECOND]
ROWS["end"] = ROWS["start"] + np.array([1, 2_500_000_000, 7 * SECOND, 60 * SECOND, 0])
ROWS["rtt_ns"] = [20_000_000, -1, -1, 120_000_000, -1]
ROWS["src_flags"] = [0x1B, 0, 0, 0x02, 0]
ROWS["history"] = [b"ShADadFf", b"Dd", b"", b"S", b"D"]
ROWS["src_entropy"] = [7.9, np.nan, np.nan, 3.0, np.nan]
ROWS["dst_entropy"] = [7.1, np.nan, 2.0, 3.0, np.nan]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("   ", [0, 1, 2, 3, 4]),
        ("ip:10.0.0.1", [0, 2, 4]),
        ("10.0.0.1", [0, 2, 4]),
        ("src_ip:10.0.0.1", [0, 4]),
        ("ip:8.8.0.0/16", [1, 4]),
        ("ip:192.168.*", [2]),
        ("ip:10.0.0.2..10.0.0.9", [1]),
        ("ip:::/0", [3]),
        ("fe80::1", [3]),
        ("fe80::/10", [3]),
        ("ip:fe80::1,1.1.1.1", [0, 3]),
        ("port:443,53", [0, 1]),
        ("port:8", [4]),
        ("port:40000..40001", [0, 1]),
        ("port:>=40001", [1, 3]),
        ("dst_port:<100", [1, 4]),
        ("port:*", [0, 1, 3, 4]),
        ("service:dns", [1]),
        ("service:http*", [0, 3]),
        ("https", [0]),
        ("protocol:tcp", [0, 3]),
        ("protocol:ICMP,17", [1, 2, 4]),
        ("-tcp", [1, 2, 4]),
        ("NOT (tcp or udp)", [2]),
        ("tcp OR udp -port:53", [0, 3, 4]),
        ("(tcp OR udp) -port:53", [0, 3, 4]),
        ("tcp udp", []),
        ("tcp AND port:443", [0]),
        ("bytes:>1M", [0]),
        ("bytes:>=5MB", [0]),
        ("src_bytes:<1KiB", [1, 2, 3, 4]),
        ("bytes:300..999", [1, 4]),
        ("bytes:..300", [1, 2, 3]),
        ("duration:>5s", [2, 3]),
        ("duration:>=2.5", [1, 2, 3]),
        ("duration:1m", [3]),
        ("latency_ms:<50", [0]),
        ("latency:>=120ms", [3]),
        ("latency:*", [0, 3]),
        ("start:2026-01-01", [2, 3]),
        ("start:>=2026-01-01T00:00Z", [2, 3, 4]),
        ("start:>2026-01-01", [4]),
        ("start:<2026-01-01T01:00:00+01:00", [0, 1]),
        ("start:-5m", [1, 2, 3, 4]),
        ("start:<-5m", [0]),
        ("start:-20m..now", [0, 1, 2]),
        ("flags:SA", [0]),
        ("flags:syn+ack", [0]),
        ("flags:=syn", [3]),
        ("flags:none", [1, 2, 4]),
        ("history:*F*", [0]),
        ("history:=s", [3]),
        ("history:d", [0, 1, 4]),
        ("active:no", [3]),
        ("session_status:active", [0, 1, 2, 4]),
        ("vlan:*", [2]),
        ("vlan:7", [2]),
        ("entropy:>7.5", [0]),
        ("entropy:<=3", [2, 3]),
        ("ending:closed", [3]),
    ],
)
def test_flows_that_a_query_finds(query, expected):
    assert np.flatnonzero(parse(query, FLOW_FIELDS).mask(ROWS, NOW)).tolist() == expected


@pytest.mark.parametrize(
    ("query", "position", "words"),
    [
        ("foo:1", 0, "no field"),
        ("tcp foo:1", 4, "no field"),
        ("port:70000", 5, "between 0 and 65535"),
        ("port:443,x", 9, "no number"),
        ("bytes:>1X", 7, "no unit"),
        ("ip:10.0.0", 3, "no IP address"),
        ("ip:>10.0.0.1", 4, "compares numbers"),
        ("ip:10.0.0.2..10.0.0.1", 3, "ends before"),
        ("port:", 5, "needs a value"),
        ("port: 80", 5, "needs a value"),
        ("(tcp", 0, "never closed"),
        ("tcp)", 3, "closes nothing"),
        ("()", 1, "missing before"),
        ("tcp OR", 6, "missing before the end"),
        ("NOT", 3, "missing before the end"),
        ("tcp -", 4, "excludes the term"),
        ('"tcp', 0, "never closed"),
        ("start:2026-02-30", 6, "no time"),
        ("start:-5y", 6, "no unit of time"),
        ("start:..", 6, "at least one side"),
        ("sort:nope", 5, "cannot sort"),
        ("(sort:bytes)", 1, "cannot stand"),
        ("tcp OR sort:bytes", 7, "cannot stand"),
        ("protocol:quux", 9, "not among"),
        ("quux", 0, "no value of"),
        ("(" * 40 + "tcp" + ")" * 40, 32, "nests deeper"),
        ("x" * 2001, 2000, "longer than"),
        ("tcp " * 65, 0, "more than 64 terms"),
        ("port:" + "1," * 300 + "1", 0, "more than 256 values"),
    ],
)
def test_an_error_points_at_the_column(query, position, words):
    with pytest.raises(QueryError, match=words) as caught:
        parse(query, FLOW_FIELDS)
    assert caught.value.position == position
    assert f"(column {position + 1})" in str(caught.value)


def test_an_unknown_field_names_the_known_ones():
    with pytest.raises(QueryError) as caught:
        parse("prot:80", FLOW_FIELDS)
    assert "port" in caught.value.allowed
    assert "src_ip" in caught.value.allowed


def test_sorting_is_stable_and_takes_several_keys():
    query = parse("sort:protocol,-src_port", FLOW_FIELDS)
    assert [str(key) for key in query.sort_keys] == ["sort:protocol", "sort:-src_port"]
    assert query.order(ROWS).tolist() == [2, 3, 0, 1, 4]
    assert parse("sort:-active", FLOW_FIELDS).order(ROWS).tolist() == [0, 1, 2, 4, 3]
    assert parse("sort:ip", FLOW_FIELDS).order(ROWS).tolist() == [0, 4, 1, 2, 3]
    assert parse("", FLOW_FIELDS).order(ROWS).tolist() == [0, 1, 2, 3, 4]


def test_interfaces_are_known_by_name():
    rows = np.zeros(3, PACKET_ROW_DTYPE)
    rows["interface"] = [0, 1, 2]
    fields = packet_fields(["lo", "eth0", "eth1"])
    assert parse("interface:eth*", fields).mask(rows).tolist() == [False, True, True]
    assert parse("eth0", fields).mask(rows).tolist() == [False, True, False]
    assert parse("interface:2", packet_fields()).mask(rows).tolist() == [False, False, True]
    with pytest.raises(QueryError, match="not among"):
        parse("interface:wlan0", fields)
    assert parse("if:LO", flow_fields(["lo"])).condition is not None


def test_packets_are_found_by_layer_fragment_and_reason():
    rows = np.zeros(3, PACKET_ROW_DTYPE)
    rows["layers"] = [1 | 8, 1 | 16 | 64, 1 << 30]
    rows["reason"] = [0, 0, 4]
    rows["kind"] = [0, 3, 0]
    rows["protocol"] = [255, 6, 17]
    ask = lambda text: parse(text, PACKET_FIELDS).mask(rows).tolist()  # noqa: E731
    assert ask("layer:arp") == [True, False, False]
    assert ask("arp") == [True, False, False]
    assert ask("protocol:dns") == [False, False, True]
    assert ask("protocol:tcp") == [False, True, False]
    assert ask("undecoded:*") == [False, False, True]
    assert ask("undecoded:truncated_ip") == [False, False, True]
    assert ask("fragment:yes") == [False, True, False]
    rows["kind"] = [0, 32, 64]
    assert ask("retransmission:yes") == [False, True, False]
    assert ask("out_of_order:yes") == [False, False, True]


def test_every_field_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text()
    known = set(re.findall(r"`([a-z_]+)`", page))
    for fields in (FLOW_FIELDS, PACKET_FIELDS):
        for name in fields.names:
            assert name in known or name.removeprefix("src_").removeprefix("dst_") in known, name


def test_a_field_set_can_be_extended_with_text_from_outside_the_rows():
    names = np.array(["Firefox", None, "curl", "firefox-esr", ""], dtype=object)
    fields = FLOW_FIELDS.extended([Field("app", (TextFacet(lambda rows: [names]),))], free=["app"])
    ask = lambda text: np.flatnonzero(parse(text, fields).mask(ROWS)).tolist()  # noqa: E731
    assert ask("app:fire") == [0, 3]
    assert ask("fire") == [0, 3]
    assert ask("app:=FIREFOX") == [0]
    assert ask("app:*esr,curl") == [2, 3]
    assert ask("app:*") == [0, 2, 3]
    assert ask("app:f*x") == [0]
    assert ask('app:"*"') == []
    assert ask("app:a*a") == []
    assert parse("sort:app", fields).order(ROWS).tolist() == [1, 4, 2, 0, 3]
    assert "app" not in FLOW_FIELDS


def test_a_field_cannot_be_called_sort():
    with pytest.raises(ValueError, match="sort"):
        FieldSet([Field("sort", ())])


def test_patterns_take_linear_time():
    names = np.array(["a" * 5000] * 2, dtype=object)
    fields = FieldSet([Field("t", (TextFacet(lambda rows: [names]),))])
    assert not parse("t:" + "a*" * 900 + "b", fields).mask(np.zeros(2, FLOW_DTYPE)).any()


PIECES = (
    'port: ip: bytes:> start: sort: - ( ) OR AND NOT " .. , * 1M 80 tcp 10.0.0.1 ::1 /8 flags: SA = \\ 2026-01-01 T00:00Z 5s '
    "state:S1 \x00 é -5m history:"
)
WORDS = st.sampled_from(PIECES.split())


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200), st.lists(WORDS, max_size=25).map("".join), st.lists(WORDS, max_size=25).map(" ".join)
    )
)
def test_any_text_gives_a_query_or_a_query_error(text):
    positions = []
    for fields, rows in ((FLOW_FIELDS, ROWS), (PACKET_FIELDS, np.zeros(2, PACKET_ROW_DTYPE))):
        try:
            query = parse(text, fields)
        except QueryError as error:
            positions.append(error.position)
            continue
        assert query.mask(rows, NOW).shape == (len(rows),)
        assert sorted(query.order(rows).tolist()) == list(range(len(rows)))
        assert parse(str(query), fields) == query
    assert all(0 <= position <= len(text) for position in positions)
