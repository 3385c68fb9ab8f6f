"""Queries made at random, evaluated once on columns and once row by row in plain Python."""

from __future__ import annotations

import ipaddress
import operator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire.addresses import halves
from app.wire.filter import parse
from app.wire.filter_columns import FLOW_FIELDS
from app.wire.records import FLOW_DTYPE

HOSTS = ["10.0.0.1", "10.0.0.2", "10.1.0.1", "192.168.0.1", "8.8.8.8", "::1", "fe80::1", "2001:db8::1", "::ffff:a00:1"]
NETWORKS = ["10.0.0.0/8", "10.0.0.0/31", "0.0.0.0/0", "::/0", "fe80::/10", "2001:db8::/32", "::/64", "10.0.0.1"]
COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "": operator.eq, "=": operator.eq}
UNITS = {"": 1, "k": 1000, "Ki": 1024, "M": 10**6}
SECOND = 10**9

small = st.integers(0, 5)
flow = st.fixed_dictionaries(
    {
        "src": st.sampled_from(HOSTS),
        "dst": st.sampled_from(HOSTS),
        "src_port": st.sampled_from([0, 22, 53, 80, 443, 65535]),
        "dst_port": st.sampled_from([0, 22, 53, 80, 443, 65535]),
        "protocol": st.sampled_from([1, 6, 17, 58, 132]),
        "src_bytes": st.sampled_from([0, 1, 999, 1000, 1024, 10**6, 2**63, 2**64 - 1]),
        "duration": st.sampled_from([0, 1, SECOND, 5 * SECOND, 3600 * SECOND]),
        "src_flags": st.integers(0, 255),
        "vlan": small,
    }
)


def number_terms(name, value_of, values, units):
    def term(parts):
        compare, value, unit = parts
        limit = value * UNITS[unit]
        return f"{name}:{compare}{value}{unit}", lambda row: any(COMPARE[compare](got, limit) for got in value_of(row))

    def ranged(parts):
        low, high = parts
        return f"{name}:{low}..{high}", lambda row: any(low <= got <= high for got in value_of(row))

    return st.one_of(
        st.tuples(st.sampled_from(sorted(COMPARE)), st.sampled_from(values), st.sampled_from(units)).map(term),
        st.tuples(st.sampled_from(values), st.sampled_from(values)).map(ranged),
    )


def ports(row):
    return [row["src_port"], row["dst_port"]] if row["protocol"] in (6, 17, 132) else []


def within(network):
    def test(row):
        # ::ffff:a00:1 in an IPv6 header is an IPv6 address
        addresses = [ipaddress.ip_address(row["src"])]
        return any(address.version == network.version and address in network for address in addresses)

    return test


def flag_term(names):
    bits = {"syn": 2, "ack": 16, "fin": 1, "rst": 4}
    wanted = sum(bits[name] for name in set(names))
    return "src_flags:" + "+".join(names), lambda row: row["src_flags"] & wanted == wanted


terms = st.one_of(
    number_terms("port", ports, [0, 22, 53, 80, 443, 65535], [""]),
    number_terms(
        "src_bytes", lambda row: [row["src_bytes"]], [0, 1, 2, 1000, 2**40, 2**63, 2**64 - 1, 2**70], sorted(UNITS)
    ),
    number_terms("duration", lambda row: [row["duration"] / SECOND], [0, 1, 5, 3600], [""]),
    number_terms("vlan", lambda row: [row["vlan"]] if row["vlan"] else [], [1, 2, 4094], [""]),
    st.sampled_from(NETWORKS).map(lambda text: (f"src_ip:{text}", within(ipaddress.ip_network(text)))),
    st.lists(st.sampled_from(["syn", "ack", "fin", "rst"]), min_size=1, max_size=3).map(flag_term),
    st.sampled_from([("tcp", 6), ("udp", 17), ("icmp", 1)]).map(
        lambda known: (f"protocol:{known[0]}", lambda row: row["protocol"] == known[1])
    ),
)


def combine(children):
    pairs = st.lists(children, min_size=2, max_size=3)
    return st.one_of(
        children.map(lambda c: (f"-({c[0]})", lambda row: not c[1](row))),
        pairs.map(lambda cs: (" ".join(f"({c[0]})" for c in cs), lambda row: all(c[1](row) for c in cs))),
        pairs.map(lambda cs: (" OR ".join(f"({c[0]})" for c in cs), lambda row: any(c[1](row) for c in cs))),
    )


def as_rows(records):
    rows = np.zeros(len(records), FLOW_DTYPE)
    for row, record in zip(rows, records, strict=True):
        # one version a row: a destination of the other family is left out
        for side in ("src", "dst"):
            address = ipaddress.ip_address(record[side])
            if side == "src":
                row["ip_version"] = address.version
            row[f"{side}_hi"], row[f"{side}_lo"] = halves(address)
        for name in ("src_port", "dst_port", "protocol", "src_bytes", "src_flags", "vlan"):
            row[name] = record[name]
        row["end"] = record["duration"]
    return rows


@settings(max_examples=300, deadline=None)
@given(st.recursive(terms, combine, max_leaves=6), st.lists(flow, max_size=12))
def test_masks_equal_the_oracle(query, records):
    text, oracle = query
    parsed = parse(text, FLOW_FIELDS)
    assert parsed.mask(as_rows(records)).tolist() == [oracle(record) for record in records]
    assert parse(str(parsed), FLOW_FIELDS) == parsed
