"""The scapy source over sockets that only look like scapy's."""

from __future__ import annotations

import queue
import select
from typing import Any

import pytest

from app.capture import scapy_source
from app.capture.scapy_source import ScapySource, open_sniffer
from app.model.errors import CaptureError


class Ether:
    """Stands for scapy's class: only its name is looked at."""


class Raw:
    """A link type nobody knows."""


class FakeSocket:
    """Gives frames that a test puts in; None as a frame: the interface is gone."""

    LL = Ether

    def __init__(self) -> None:
        self.frames: queue.Queue[Any] = queue.Queue()
        self.closed = False

    def select(self, sockets: list[Any], remain: float) -> list[Any]:
        try:
            self.next = self.frames.get(timeout=0.01)
        except queue.Empty:
            return []
        return sockets

    def recv_raw(self, size: int) -> tuple[Any, bytes, float | None]:
        if self.next is None:
            raise OSError(100, "Network is down")
        return self.next

    def close(self) -> None:
        self.closed = True


def wait(source: ScapySource) -> bool:
    return bool(select.select([source.fileno()], [], [], 5)[0])


def test_frames_become_blocks() -> None:
    sock = FakeSocket()
    source = ScapySource([("en0", sock)], snaplen=4)
    try:
        assert [(one.name, one.link_type) for one in source.interfaces] == [("en0", 1)]
        assert source.read() is None
        for frame in ((Ether, b"abcdef", 1.5), (Raw, b"", 2.0), (Ether, b"gh", 3.0)):
            sock.frames.put(frame)
        found = []
        while len(found) < 3:
            assert wait(source)
            block = source.read()
            assert block is not None
            for frame in block.frames:
                at = int(frame["offset"])
                data = block.data[at : at + int(frame["cap_len"])].tobytes()
                found.append((int(frame["ts"]), data, int(frame["wire_len"]), int(frame["link_type"])))
        assert found == [(1_500_000_000, b"abcd", 6, 1), (2_000_000_000, b"", 0, 147), (3_000_000_000, b"gh", 2, 1)]
        assert not select.select([source.fileno()], [], [], 0)[0]
        assert source.statistics().packets == 3
    finally:
        source.close()
    assert sock.closed
    assert source.finished


def test_what_does_not_fit_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scapy_source, "QUEUE_BYTES", 100)
    sock = FakeSocket()
    source = ScapySource([("en0", sock)], 0)
    try:
        for _ in range(5):
            sock.frames.put((Ether, bytes(40), 1.0))
        for _ in range(500):
            if source.statistics().kernel_drops == 3:
                break
            select.select([], [], [], 0.01)
        block = source.read()
        assert block is not None
        assert len(block.frames) == 2
        assert source.statistics().kernel_drops == 3
    finally:
        source.close()


def test_an_interface_that_goes_away_is_down_and_the_other_goes_on() -> None:
    gone, other = FakeSocket(), FakeSocket()
    source = ScapySource([("en0", gone), ("en1", other)], 0)
    try:
        gone.frames.put(None)
        for _ in range(500):
            if not source.interfaces[0].up:
                break
            select.select([], [], [], 0.01)
        other.frames.put((Ether, b"x", 1.0))
        assert wait(source)
        block = source.read()
        assert block is not None
        assert block.frames["interface"].tolist() == [1]
        assert [one.up for one in source.interfaces] == [False, True]
        assert source.statistics().interface_events == 1
    finally:
        source.close()


def test_scapys_errors_have_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import scapy.layers.all  # noqa: F401 -- sets conf.L2listen when it is imported first
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    closed: list[bool] = []

    class Opened:
        def close(self) -> None:
            closed.append(True)

    for error, code in (
        (PermissionError(1, "Operation not permitted"), "not_permitted"),
        (Scapy_Exception("Failed to compile filter expression"), "bad_filter"),
        (Scapy_Exception("No libpcap"), "failed"),
        (OSError(19, "No such device"), "no_such_interface"),
        (ValueError("Unknown network interface 'en9'"), "no_such_interface"),
    ):

        def listen(iface: str, filter: str | None, error: Exception = error) -> Opened:
            if iface == "en9":
                raise error
            return Opened()

        monkeypatch.setattr(conf, "L2listen", listen)
        with pytest.raises(CaptureError) as refused:
            open_sniffer(["en0", "en9"], "tcp")
        assert refused.value.code == code
    assert len(closed) == 5
