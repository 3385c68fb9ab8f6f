"""Both ends of the link over a real socket pair."""

import socket
import threading
import time

import pytest

from app.link import channel as channel_module
from app.link import messages
from app.link.channel import Channel, LinkClosed, SensorEnd
from app.model.errors import ProtocolError


@pytest.fixture
def ends():
    web_socket, sensor_socket = socket.socketpair()
    # as a patched parent leaves it
    web_socket.setblocking(False)
    sensor = SensorEnd(sensor_socket)
    web = Channel(web_socket)
    yield web, sensor
    web.close()
    sensor.close()


def snapshot(number, size=0):
    return {"type": "snapshot", "seq": number, "wall_ns": 1, "now_ns": 1, "capture": {}, "filler": bytes(size)}


def test_messages_both_ways(ends):
    web, sensor = ends
    assert sensor.send(messages.hello(1, "aa"))
    sensor.offer_snapshot(snapshot(1))
    assert web.receive()["type"] == "hello"
    assert web.receive()["seq"] == 1
    web.send({"type": "stop", "id": 4})
    assert sensor.receive() == [{"type": "stop", "id": 4}]
    assert sensor.receive() == []  # nothing there: it does not block


def test_first_message_must_be_hello(ends):
    web, sensor = ends
    sensor.send({"type": "notice", "level": "info", "text": "x"})
    with pytest.raises(ProtocolError, match="not hello"):
        web.receive()


def test_unknown_types_are_counted_on_both_sides(ends):
    web, sensor = ends
    for message in (
        messages.hello(1, "aa"),
        {"type": "from the future"},
        {"type": "notice", "level": "info", "text": "x"},
    ):
        sensor.send(message)
    assert [web.receive()["type"] for _ in range(2)] == ["hello", "notice"]
    assert web.unknown == 1
    web.send({"type": "self-destruct", "id": 1})
    assert sensor.receive() == []
    assert sensor.unknown == 1


def test_end_of_the_link(ends):
    web, sensor = ends
    sensor.send(messages.hello(1, "aa"))
    sensor.close()
    assert [message["type"] for message in web.messages()] == ["hello"]
    with pytest.raises(LinkClosed):
        web.send({"type": "stop", "id": 1})


def test_sensor_sees_the_end(ends):
    web, sensor = ends
    web.close()
    with pytest.raises(LinkClosed):
        sensor.receive()


def test_close_wakes_the_reader(ends):
    web, _ = ends
    reader = threading.Thread(target=web.receive)
    reader.start()
    time.sleep(0.05)
    web.close()
    reader.join(30)
    assert not reader.is_alive()


def test_a_slow_reader_gets_the_newest_snapshot_and_every_reply(ends):
    web, sensor = ends
    sensor.send(messages.hello(1, "aa"))
    big = 1 << 20  # more than the socket takes
    for number in range(1, 6):
        sensor.offer_snapshot(snapshot(number, big))
    assert sensor.snapshots_replaced == 3  # 1 is on its way, 2, 3 and 4 made room for 5
    assert sensor.snapshot_waits
    for number in range(3):
        assert sensor.send({"type": "reply", "id": number, "ok": True})
    received = []

    def read():
        for message in web.messages():
            received.append(message)
            if len(received) == 6:
                return

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 30
    while reader.is_alive() and time.monotonic() < deadline:
        sensor.flush()
        time.sleep(0.001)
    reader.join(30)
    # what was begun is finished, then replies, then the newest snapshot
    assert [message.get("seq", message.get("id", "hello")) for message in received] == ["hello", 1, 0, 1, 2, 5]
    assert not sensor.wants_write


def test_the_queue_is_bounded_and_counts_what_was_lost(ends, monkeypatch):
    monkeypatch.setattr(channel_module, "QUEUE_BYTES", 1 << 20)
    _, sensor = ends
    part = {"type": "reply", "id": 1, "ok": True, "result": {"data": bytes(300_000)}}
    sent = [sensor.send(part) for _ in range(8)]
    assert sent == sorted(sent, reverse=True)
    assert 3 <= sum(sent) <= 5
    assert sensor.lost == 8 - sum(sent)
    assert sensor.queued_bytes <= 1 << 20


def test_one_message_larger_than_the_queue_still_goes(ends, monkeypatch):
    monkeypatch.setattr(channel_module, "QUEUE_BYTES", 1000)
    _, sensor = ends
    assert sensor.send({"type": "reply", "id": 1, "ok": True, "result": {"data": bytes(1 << 20)}})


def test_garbage_ends_the_link(ends):
    web, sensor = ends
    web._sock.sendall(b"\xff" * 100)
    with pytest.raises(ProtocolError):
        sensor.receive()
