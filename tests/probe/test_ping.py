"""Pings: an answer counts only if it is one to this very question, from the address that was asked."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from app.probe import ping as module
from app.probe.ping import NotPermitted, Pinger, _is_reply


class Sock:
    def __init__(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM) -> None:
        self.family, self.type = family, kind


def reply(identity=7, number=9, kind=0, code=0) -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, identity, number) + bytes(8)


@pytest.mark.parametrize(
    ("data", "source", "expected"),
    [
        (reply(), "192.0.2.1", True),
        (reply(), "192.0.2.2", False),
        (reply(identity=8), "192.0.2.1", False),
        (reply(number=10), "192.0.2.1", False),
        (reply(kind=8), "192.0.2.1", False),
        (reply(kind=3, code=1), "192.0.2.1", False),
        (reply()[:7], "192.0.2.1", False),
        (b"", "192.0.2.1", False),
    ],
)
def test_what_counts_as_an_answer(data, source, expected) -> None:
    assert _is_reply(Sock(), data, (source, 0), "192.0.2.1", 7, 9) is expected
    raw = bytes([0x45]) + bytes(19) + data if data else b""
    assert _is_reply(Sock(kind=socket.SOCK_RAW), raw, (source, 0), "192.0.2.1", 7, 9) is expected


def test_version_six_answers() -> None:
    assert _is_reply(Sock(socket.AF_INET6), reply(kind=129), ("fe80::1%eth0", 0, 0, 2), "fe80::1", 7, 9)
    assert not _is_reply(Sock(socket.AF_INET6), reply(kind=0), ("fe80::1", 0, 0, 2), "fe80::1", 7, 9)


def test_no_permission_is_one_sentence(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(module.socket, "socket", refuse)
    pinger = Pinger()
    with pytest.raises(NotPermitted, match="ping_group_range"):
        pinger.ping("127.0.0.1")
    assert pinger.document()["state"] == "failed"
    with pytest.raises(ValueError):
        pinger.ping("example.org")


@pytest.mark.root
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_answers_many_at_once(address) -> None:
    """All threads of one process have the same ICMP identity; only `seq` and the source tell the answers apart."""
    pinger, found = Pinger(), []
    try:
        module._echo_socket(socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except (NotPermitted, OSError) as error:
        pytest.skip(f"no echo requests here: {error}")
    threads = [threading.Thread(target=lambda: found.append(pinger.ping(address))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(ms is not None and 0 < ms < 2000 for ms in found)


@pytest.mark.root
def test_a_dead_host_is_dead_while_others_answer() -> None:
    """ping3 alone takes a neighbour's answer for its own."""
    pinger, dead, stop = Pinger(), [], threading.Event()
    try:
        module._echo_socket(socket.AF_INET).close()
    except NotPermitted as error:
        pytest.skip(f"no echo requests here: {error}")

    def busy() -> None:
        while not stop.is_set():
            pinger.ping("127.0.0.1", 0.2)

    others = [threading.Thread(target=busy) for _ in range(4)]
    for thread in others:
        thread.start()
    asking = [threading.Thread(target=lambda: dead.append(pinger.ping("192.0.2.77", 0.6))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert dead == [None] * 8
