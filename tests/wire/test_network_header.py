"""Link headers read in plain Python."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.wire.network_header import ip_header, network_header

MACS = b"x" * 12


def test_network_headers_by_link_type():
    assert network_header(b"x" * 14 + b"\x08\x00", 113) == (0x0800, 16)
    assert network_header(b"\x86\xdd" + b"x" * 20, 276) == (0x86DD, 20)
    assert network_header(b"\x45", 101) == (0, 0)
    assert network_header(b"", 1) == (0, 14)
    assert network_header(MACS + b"\x00\x26" + b"x" * 40, 1) == (0, 14)
    assert network_header(MACS + b"\x88\xa8\x00\x01\x81\x00\x00\x02\x08\x06", 1) == (0x0806, 22)


def test_where_ip_starts():
    assert ip_header(MACS + b"\x08\x00E", 1) == 14
    assert ip_header(MACS + b"\x81\x00\x00\x01\x86\xdd`", 1) == 18
    assert ip_header(MACS + b"\x88\x47" + b"\x00\x01\x00\x40" + b"\x00\x01\x01\x40" + b"E", 1) == 22
    assert ip_header(MACS + b"\x88\x64" + b"\x11\x00\x00\x01\x00\x20" + b"\x00\x21E", 1) == 22
    assert ip_header(MACS + b"\x08\x06", 1) is None
    assert ip_header(b"E", 101) == 0
    assert ip_header(b"\x02\0\0\0E", 0) == 4
    assert ip_header(b"E", 147) is None


@given(st.binary(max_size=80), st.integers(0, 300))
def test_any_bytes_have_an_answer(frame, link_type):
    network_header(frame, link_type)
    ip_header(frame, link_type)
