"""Which addresses have a place in the world, and what the others are."""

import numpy as np
import pytest

from app.enrich.scope import GLOBAL, NO_ADDRESS, SCOPES, scope, scopes
from app.wire.addresses import parse_address

CASES = {
    "8.8.8.8": "global", "10.1.2.3": "private", "172.15.255.255": "global", "172.16.0.0": "private", "172.31.255.255": "private",
    "172.32.0.0": "global", "192.168.1.1": "private", "0.0.0.0": "unspecified", "0.1.2.3": "reserved", "100.64.0.1": "shared",
    "100.128.0.0": "global", "127.255.0.1": "loopback", "169.254.1.1": "link_local", "192.0.0.9": "global", "192.0.0.1": "reserved",
    "192.0.2.255": "documentation", "198.51.100.7": "documentation", "203.0.113.7": "documentation", "198.19.255.255": "benchmarking",
    "224.0.0.251": "multicast", "239.255.255.255": "multicast", "240.0.0.1": "reserved", "255.255.255.254": "reserved",
    "255.255.255.255": "broadcast", "::": "unspecified", "::1": "loopback", "::2": "reserved", "::ffff:8.8.8.8": "global",
    "::ffff:10.0.0.1": "private", "2001:4860:4860::8888": "global", "2a00::1": "global", "2001:db8::1": "documentation",
    "3fff:fff::1": "documentation", "fe80::1%eth0": "link_local", "fd00::1": "private", "fec0::1": "reserved", "ff02::fb": "multicast",
    "2001:2::1": "benchmarking", "4000::1": "reserved", "64:ff9b::808:808": "global", "64:ff9b:1::1": "private",
}  # fmt: skip


@pytest.mark.parametrize(("address", "expected"), CASES.items())
def test_scope(address, expected):
    assert scope(address) == expected


def test_columns_say_the_same_and_a_row_without_address_is_none():
    parsed = [parse_address(address.partition("%")[0]) for address in CASES]
    version, high, low = (
        np.array(column, kind) for column, kind in zip(zip(*parsed, strict=True), ("u1", "u8", "u8"), strict=True)
    )
    assert [SCOPES[code] for code in scopes(version, high, low)] == list(CASES.values())
    assert scopes(np.zeros(1, np.uint8), high[:1], low[:1])[0] == NO_ADDRESS
    assert SCOPES[GLOBAL] == "global"


def test_text_that_is_no_address_is_refused():
    with pytest.raises(ValueError):
        scope("example.org")
