"""Addresses between text and halves, against the standard library's ipaddress module."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.addresses import (
    format_address,
    format_addresses,
    halves,
    parse_address,
    parse_network,
    range_between,
)

V6_GROUPS = st.lists(st.sampled_from([0, 0, 0, 1, 0xABCD, 0xFFFF]), min_size=8, max_size=8)


def of_groups(groups):
    value = 0
    for group in groups:
        value = value << 16 | group
    return ipaddress.IPv6Address(value)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), V6_GROUPS.map(of_groups)))
def test_text_is_that_of_the_ipaddress_module(address):
    hi, lo = halves(address)
    text = format_address(hi, lo, address.version)
    if address.version == 6 and address.ipv4_mapped:
        assert text == f"::ffff:{address.ipv4_mapped}"  # older Pythons write the last groups in hex
    else:
        assert text == str(address)
    assert parse_address(text) == (address.version, hi, lo)


def test_no_address_has_no_text():
    assert format_address(0, 0, 0) is None
    assert format_addresses(np.zeros(2, "u8"), np.array([0xFFFF0A000001, 5], "u8"), np.array([4, 0])) == [
        "10.0.0.1",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.*", "10.0.0.0/8"),
        ("192.168.*.*", "192.168.0.0/16"),
        ("1.2.3.*", "1.2.3.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:db8::/96", "2001:db8::/96"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_networks(text, same):
    network = ipaddress.ip_network(same)
    found = parse_network(text)
    assert (found.low_hi, found.low_lo) == halves(network.network_address)
    assert (found.high_hi, found.high_lo) == halves(network.broadcast_address)
    assert found.version == network.version


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3", "1.2.3.4/33", "*", "1.*.3.4", "fe80::1%eth0", "1.2.3.4.*", "::*", "1" * 100]
)
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError):
        parse_network(text)


def test_ranges_between_two_addresses():
    found = range_between("10.0.0.5", "10.0.1.2")
    assert found.contains(*parse_address("10.0.0.255"))
    assert not found.contains(*parse_address("10.0.1.3"))
    with pytest.raises(ValueError, match="same IP version"):
        range_between("10.0.0.1", "::1")
    with pytest.raises(ValueError, match="ends before"):
        range_between("10.0.0.2", "10.0.0.1")


@given(
    st.sampled_from(
        ["10.0.0.0/8", "::/0", "0.0.0.0/0", "2001:db8::/33", "2001:db8:0:1::/100", "::ffff:0:0/96", "1.2.3.4"]
    ),
    st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), V6_GROUPS.map(of_groups)), max_size=20),
)
def test_the_column_mask_equals_membership(network, addresses):
    found, expected = parse_network(network), ipaddress.ip_network(network)
    pairs = [halves(address) for address in addresses]
    mask = found.mask(
        np.array([address.version for address in addresses], "u1"),
        np.array([hi for hi, _ in pairs], "u8"),
        np.array([lo for _, lo in pairs], "u8"),
    )
    assert mask.tolist() == [address.version == expected.version and address in expected for address in addresses]
