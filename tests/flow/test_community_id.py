"""The vectors of the specification (corelight/community-id-spec, baseline of its reference implementation)."""

from __future__ import annotations

import ipaddress

import pytest

from app.flow.community_id import community_id

VECTORS = [
    ("128.232.110.120", "66.35.250.204", 6, 34855, 80, False, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("66.35.250.204", "128.232.110.120", 6, 80, 34855, False, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("192.168.1.52", "8.8.8.8", 17, 54585, 53, False, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ("192.168.0.89", "192.168.0.1", 1, 8, 0, False, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("192.168.0.1", "192.168.0.89", 1, 0, 8, False, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("192.168.0.89", "192.168.0.1", 1, 20, 0, True, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="),
    ("fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 58, 135, 136, False, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
]


@pytest.mark.parametrize(("src", "dst", "protocol", "src_port", "dst_port", "one_way", "expected"), VECTORS)
def test_vectors(src, dst, protocol, src_port, dst_port, one_way, expected):
    packed = [ipaddress.ip_address(text).packed for text in (src, dst)]
    assert community_id(*packed, protocol, src_port, dst_port, one_way=one_way) == expected


def test_protocols_without_ports():
    a, b = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    assert community_id(a, b, 46, 0, 0) == community_id(b, a, 46, 0, 0)
