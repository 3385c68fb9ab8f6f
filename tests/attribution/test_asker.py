"""The sensor's side: first packets become questions, answers become rows, and a flood stays bounded."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app.attribution import asker
from app.attribution.asker import Asker
from app.link.handover import Receiver, send
from app.wire.records import PACKET_DTYPE


@pytest.fixture
def ends() -> Iterator[tuple[Asker, socket.socket]]:
    here, there = socket.socketpair()
    one = Asker(here)
    one.live = True
    yield one, there
    there.close()
    here.close()


def packets(count: int, first: bool = True) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rows = np.zeros(count, PACKET_DTYPE)
    rows["protocol"], rows["ip_version"] = 6, 4
    rows["src_lo"], rows["dst_lo"] = 0xFFFF_0A000001, 0xFFFF_0A000002
    rows["src_port"], rows["dst_port"] = np.arange(count) % 60_000, 443
    rows["kind"] = 0x80 if first else 0
    return rows, np.arange(1, count + 1, dtype=np.uint64)


def heard(there: socket.socket) -> list[dict[str, Any]]:
    receiver = Receiver(there)
    receiver.fill()
    return [message for message, _ in receiver.take()]


def test_first_packets_are_asked_for_and_only_they(ends: tuple[Asker, socket.socket]) -> None:
    one, there = ends
    one.take(*packets(3))
    one.take(*packets(3, first=False))
    one.ask()
    (message,) = heard(there)
    assert [row[0] for row in message["flows"]] == [1, 2, 3]
    assert message["flows"][0][2] == "00000000000000000000ffff0a000001"


def test_nothing_is_asked_of_a_file(ends: tuple[Asker, socket.socket]) -> None:
    one, _ = ends
    one.live = False
    one.take(*packets(3))
    assert one.state()["queued"] == 0


def test_a_flood_is_counted_and_left_out(ends: tuple[Asker, socket.socket]) -> None:
    one, _ = ends
    one.take(*packets(5_000))
    assert one.state()["queued"] == asker.PER_TICK
    assert one.lost == 5_000 - asker.PER_TICK
    one.tick()
    one.take(*packets(5_000))
    assert one.state()["queued"] == 2 * asker.PER_TICK


def test_answers_reach_the_snapshot_once_and_corrections_again(ends: tuple[Asker, socket.socket]) -> None:
    one, there = ends
    one.take(*packets(1))
    process = {"process": 1, "pid": 7, "name": "x"}
    rows = [[1, [1, "sock_diag", 0.8, 12.0, "listener"], None]]
    send(there, {"type": "owners", "rows": rows, "processes": [process], "state": {"methods": ["sock_diag"]}})
    one.serve()
    said = one.drain()
    assert said["processes"] == [process]
    assert said["owners"] == [[1, 0, 0xFFFF_0A000001, 0, [1, "sock_diag", 0.8, 12.0, "listener"], None]]
    assert one.drain()["owners"] == []
    rows = [[1, [1, "sock_diag", 1.0, 60.0, None], None], [99, None, None]]
    send(there, {"type": "owners", "rows": rows, "processes": [], "state": {"methods": ["sock_diag"]}})
    one.serve()
    assert [row[0] for row in one.drain()["owners"]] == [1]


def test_packets_in_tunnels_are_nobody_s(ends: tuple[Asker, socket.socket]) -> None:
    one, _ = ends
    rows, ids = packets(1)
    rows["depth"] = 1
    one.take(rows, ids)
    assert one.drain()["owners"][0][4][4] == "tunnelled"


def test_without_the_broker_it_goes_on_and_says_why(ends: tuple[Asker, socket.socket]) -> None:
    one, there = ends
    there.close()
    one.serve()
    assert one.fileno() is None
    assert "gone" in one.state()["why_not"]["all"]
    one.take(*packets(3))
    one.ask()


def test_a_message_that_is_none_ends_the_naming_not_the_sensor(ends: tuple[Asker, socket.socket]) -> None:
    one, there = ends
    body = json.dumps([1]).encode()
    there.send(struct.pack(">I", len(body)) + body)
    one.serve()
    assert one.fileno() is None
