"""What is told to the kernel about a socket, as far as it can be seen without one."""

from __future__ import annotations

import socket
import sys

import pytest

from app.capture import packet_socket
from app.model.errors import CaptureError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packet sockets are Linux's")


def test_the_snap_length_is_what_a_match_returns() -> None:
    program = [(0x28, 0, 0, 12), (0x15, 0, 1, 0x800), (0x06, 0, 0, 262_144), (0x06, 0, 0, 0)]
    assert packet_socket.with_snaplen(program, 96) == [*program[:2], (0x06, 0, 0, 96), (0x06, 0, 0, 0)]
    assert packet_socket.with_snaplen(program, 0) == program
    assert packet_socket.with_snaplen(None, 0) == [(0x06, 0, 0, 262_144)]
    assert packet_socket.with_snaplen(None, 10**9) == [(0x06, 0, 0, 262_144)]


def test_a_filter_cuts_and_drops_on_any_socket() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        right.settimeout(5)
        packet_socket.attach_filter(right, [(0x30, 0, 0, 0), (0x15, 0, 1, ord("y")), (0x06, 0, 0, 3), (0x06, 0, 0, 0)])
        for message in (b"no", b"yes, but long"):
            try:
                left.send(message)
            except PermissionError:
                pass  # what a filter drops is reported to a local sender
        assert right.recv(100) == b"yes"


def test_a_program_that_the_kernel_refuses() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, pytest.raises(CaptureError, match="the kernel refuses the filter: Invalid argument"):
        packet_socket.attach_filter(sock, [(0x05, 0, 0, 9)])


@pytest.mark.parametrize(
    ("hardware", "link_type"), [(1, 1), (772, 1), (65534, 101), (512, 101), (803, 127), (9999, 147)]
)
def test_link_types(hardware: int, link_type: int) -> None:
    assert packet_socket.link_type_of(hardware) == link_type


def test_the_state_of_interfaces() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        number = packet_socket.index_of("lo")
        assert number is not None
        assert packet_socket.is_up(sock, number) in (True, False)
        assert packet_socket.is_up(sock, 2**30) is None
    assert packet_socket.index_of("no-such-interface") is None
