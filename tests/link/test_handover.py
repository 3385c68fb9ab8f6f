"""Short messages with descriptors between real sockets."""

import json
import os
import socket
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.link.broker_links import BrokerLinks
from app.link.channel import Channel, SensorEnd
from app.link.handover import MAX_MESSAGE, Receiver, send
from app.link.messages import hello
from app.model.errors import ProtocolError


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    yield here, there
    here.close()
    there.close()


def open_descriptors():
    return set(os.listdir("/proc/self/fd"))


def test_descriptors_arrive_with_their_message(pair):
    here, there = pair
    receiver = Receiver(there)
    pipes = [os.pipe() for _ in range(3)]
    send(here, {"type": "a"})
    send(here, {"type": "b"}, [pipes[0][1], pipes[1][1]])
    send(here, {"type": "c"})
    send(here, {"type": "d"}, [pipes[2][1]])
    got = [receiver.receive(1) for _ in range(4)]
    assert [(message["type"], len(descriptors)) for message, descriptors in got] == [
        ("a", 0),
        ("b", 2),
        ("c", 0),
        ("d", 1),
    ]
    for (reader, writer), descriptor in zip(pipes, [*got[1][1], *got[3][1]], strict=True):
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"x")
        assert os.read(reader, 1) == b"x"
        for number in (reader, writer, descriptor):
            os.close(number)


def test_timeout_and_end(pair):
    here, there = pair
    receiver = Receiver(there)
    assert receiver.receive(0.01) is None
    assert not receiver.ended
    here.close()
    assert receiver.receive(1) is None
    assert receiver.ended


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_give_messages_or_a_protocol_error(pieces):
    here, there = socket.socketpair()
    with here, there:
        receiver = Receiver(there)
        for piece in pieces:
            here.sendall(piece)
        here.close()
        try:
            while receiver.receive(1) is not None:
                pass
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"type":1}',
        b'{"type":"x","descriptors":1}',
        b'{"type":"x","descriptors":-1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_message(pair, body):
    here, there = pair
    here.sendall(struct.pack(">I", len(body)) + body)
    with pytest.raises(ProtocolError):
        Receiver(there).receive(1)


def test_too_many_descriptors_are_closed(pair):
    here, there = pair
    before = open_descriptors()
    receiver = Receiver(there)
    body = json.dumps({"type": "x"}).encode()
    reader, writer = os.pipe()
    socket.send_fds(here, [struct.pack(">I", len(body)) + body], [writer] * 20)
    with pytest.raises(ProtocolError):
        receiver.receive(1)
    os.close(reader)
    os.close(writer)
    assert open_descriptors() == before


def test_long_messages_are_refused_by_both_sides(pair):
    here, there = pair
    with pytest.raises(ProtocolError):
        send(here, {"type": "x" * MAX_MESSAGE})
    here.sendall(struct.pack(">I", MAX_MESSAGE + 1))
    with pytest.raises(ProtocolError):
        Receiver(there).receive(1)


def test_the_web_process_takes_up_links(pair):
    here, there = pair
    links = BrokerLinks(Receiver(there))
    assert links.next_link(0.01) is None
    web, sensor = socket.socketpair()
    send(here, {"type": "sensor", "pid": 1, "restart": 0}, [web.fileno()])
    web.close()
    link = links.next_link(1)
    assert isinstance(link, Channel)
    end = SensorEnd(sensor)
    end.send(hello(1, "aa"))
    assert link.receive()["boot"] == "aa"
    send(here, {"type": "sensor_died", "why": "signal 9 (SIGKILL)"})
    assert links.next_link(1) is None
    assert "signal 9" in links.why_gone()
    assert not links.ended
    send(here, {"type": "given_up", "why": "too often"})
    assert links.next_link(1) is None
    assert links.ended
    assert "too often" in links.why_gone()
    link.close()
    end.close()


def test_the_end_of_the_broker_is_seen(pair):
    here, there = pair
    links = BrokerLinks(Receiver(there))
    here.close()
    assert links.next_link(1) is None
    assert links.ended


def test_quit_is_said(pair):
    here, there = pair
    links = BrokerLinks(Receiver(there))
    links.quit()
    assert Receiver(here).receive(1) == ({"type": "quit"}, [])
    assert links.ended
