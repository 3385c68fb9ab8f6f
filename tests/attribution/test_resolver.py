"""The chain on real sockets of this process and on made-up events: exact, corrected after accept, or unknown with a reason."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from app.attribution import resolver as resolver_module
from app.attribution import responder as responder_module
from app.attribution.process_records import ProcessReader, ProcessRecord
from app.attribution.questions import End, Question, parse_question, question_row
from app.attribution.resolver import Resolver
from app.attribution.responder import Responder
from app.attribution.sock_diag import SocketTable
from app.attribution.trace_book import Key, Opened

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sockets are looked up on Linux")
MAPPED = bytes(10) + b"\xff\xff"
LOCALHOST = MAPPED + bytes([127, 0, 0, 1])
SYN = 2


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine under load: the program asks again where the time is over, these tests ask once."""
    monkeypatch.setattr(resolver_module, "SCAN_SECONDS", 5.0)
    monkeypatch.setattr(responder_module, "WORK_SECONDS", 5.0)


@pytest.fixture
def sockets() -> Iterator[SocketTable]:
    try:
        table = SocketTable()
    except OSError as error:
        pytest.skip(f"no sock_diag here: {error}")
    yield table
    table.close()


class Book:
    """Events as a test wants them."""

    def __init__(self, **opened: Opened) -> None:
        from app.attribution.task_table import TaskTable

        self.tasks = TaskTable(ProcessReader())
        self.known: dict[Key, tuple[Opened, ...]] = {}

    def find(self, key: Key) -> tuple[Opened, ...]:
        return self.known.get(key, ())


def resolver(sockets: SocketTable | None, book: Book | None = None) -> Resolver:
    return Resolver(ProcessReader(), book, sockets)  # type: ignore[arg-type]


def asked(protocol: int, source: tuple[str, int], target: tuple[str, int], flags: int = SYN) -> Question:
    def packed(host: str) -> bytes:
        return socket.inet_pton(socket.AF_INET6, host) if ":" in host else MAPPED + socket.inet_aton(host)

    return Question(1, protocol, packed(source[0]), source[1], packed(target[0]), target[1], time.time_ns(), flags)


def answer(chain: Resolver, question: Question, sender: bool) -> End | None:
    chain.begin([(question, sender)])
    return chain.end(question, sender)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_and_its_listener_then_the_accepted_one(
    sockets: SocketTable, family: socket.AddressFamily, host: str
) -> None:
    chain = resolver(sockets)
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((host, 0))
        listener.listen()
        client.connect(listener.getsockname()[:2])
        question = asked(6, client.getsockname()[:2], listener.getsockname()[:2])
        mine = answer(chain, question, True)
        assert mine is not None
        assert mine.record is not None
        assert (mine.record.pid, mine.method, mine.confidence, mine.settled) == (os.getpid(), "sock_diag", 1.0, True)
        before = answer(chain, question, False)
        assert before is not None
        assert before.record is not None
        assert (before.record.pid, before.reason, before.settled) == (os.getpid(), "listener", False)
        accepted, _ = listener.accept()
        with accepted:
            after = answer(chain, question, False)
            assert after is not None
            assert after.reason is None
            assert after.settled


def test_datagrams(sockets: SocketTable) -> None:
    chain = resolver(sockets)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
    ):
        bound.bind(("127.0.0.1", 0))
        one.connect(bound.getsockname())
        question = asked(17, one.getsockname(), bound.getsockname(), 0)
        for sender in (True, False):
            found = answer(chain, question, sender)
            assert found is not None
            assert found.record is not None
            assert found.record.pid == os.getpid()


def test_closed_is_unknown_and_a_port_that_listens_by_now_is_nobody_s(sockets: SocketTable) -> None:
    chain = resolver(sockets)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = answer(chain, asked(6, ("127.0.0.1", port), ("127.0.0.1", 9)), True)
        assert found is not None
        assert found.record is None
        assert found.reason == "closed"
    found = answer(chain, asked(6, ("127.0.0.1", 2), ("127.0.0.1", 1)), False)
    assert found is not None
    assert (found.record, found.reason) == (None, "not_listening")


def test_a_shared_socket_is_named_with_doubt(sockets: SocketTable) -> None:
    chain = resolver(sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            os._exit(0)
        time.sleep(0.12)  # families are remembered for a moment
        try:
            found = answer(chain, asked(17, one.getsockname(), ("127.0.0.1", 9), 0), True)
            assert found is not None
            assert found.record is not None
            assert (found.record.pid, found.confidence, found.reason) == (os.getpid(), 0.7, "shared")
        finally:
            os.write(writer, b"x")
            os.waitpid(child, 0)
            os.close(reader)
            os.close(writer)


def record(pid: int, namespace: int) -> ProcessRecord:
    return ProcessRecord(pid, f"p{pid}", namespace=namespace)


def test_events_count_only_where_they_fit() -> None:
    book = Book()
    chain = resolver(None, book)
    own = ProcessReader().own_namespace
    now = time.time_ns()
    question = asked(6, ("127.0.0.1", 4000), ("127.0.0.1", 80))
    key = (6, 4000, LOCALHOST, 80)

    book.known[key] = (Opened(now - 1000, LOCALHOST, record(7, own), True),)
    found = answer(chain, question, True)
    assert found is not None
    assert found.record is not None
    assert (found.record.pid, found.method) == (7, "trace")

    book.known[key] = (Opened(now + 10**9, LOCALHOST, record(8, own), True),)
    assert not has_program(answer(chain, question, True)), "the port was used again, after the packet"

    book.known[key] = (Opened(now - 1000, LOCALHOST, record(9, own + 1), True),)
    assert not has_program(answer(chain, question, True)), "another namespace's loopback is not ours"

    book.known[key] = (
        Opened(now - 10**9, LOCALHOST, record(1, own), True),
        Opened(now - 1000, LOCALHOST, record(2, own), True),
    )
    found = answer(chain, question, True)
    assert found is not None
    assert found.record is not None
    assert found.record.pid == 2, "the last one before the packet"


def test_ping_is_a_program_s_its_answer_the_system_s_and_two_are_too_many() -> None:
    book = Book()
    chain = resolver(None, book)
    own, now = ProcessReader().own_namespace, time.time_ns()
    question = asked(1, ("127.0.0.1", 8), ("127.0.0.1", 0), 0)
    one = Opened(now - 1000, bytes(16), record(3, own), True, now - 1000)
    book.known[1, 0, LOCALHOST, 0] = (one,)
    found = answer(chain, question, True)
    assert found is not None
    assert found.record is not None
    assert (found.record.pid, found.reason) == (3, "raw")
    other = answer(chain, question, False)
    assert other is not None
    assert other.reason == "kernel"
    book.known[1, 0, LOCALHOST, 0] = (one, Opened(now - 500, bytes(16), record(4, own), True, now - 500))
    found = answer(chain, question, True)
    assert found is not None
    assert (found.record, found.reason) == (None, "several")


def has_program(found: End | None) -> bool:
    return found is not None and found.record is not None


def test_the_queue_answers_once_and_says_what_passes_through() -> None:
    responder = Responder(None, "not here")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))
        mine = question_row(asked(17, one.getsockname(), ("127.0.0.1", 9), 0))
        elsewhere = [2, *question_row(asked(6, ("192.0.2.1", 1), ("198.51.100.1", 2)))[1:]]
        responder.take([mine, elsewhere], time.monotonic())
        rows, processes, state = {}, [], {}
        deadline = time.monotonic() + 30
        while len(rows) < 2 and time.monotonic() < deadline:
            responder.work(time.monotonic())
            message = responder.message() or {"rows": [], "processes": [], "state": state}
            rows.update({row[0]: row for row in message["rows"]})
            processes += message["processes"]
            state = message["state"]
    responder.close()
    if "sock_diag" not in state["methods"]:
        pytest.skip("no sock_diag here")
    (process,) = processes
    assert process["pid"] == os.getpid()
    assert rows[1][1][0] == process["process"]
    assert rows[2][1][4] == "forwarded"
    assert state["why_not"] == {"trace": "not here"}


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        [1, 6, "00", 1, "00", 2, 3, 0],
        [1, 6, "0" * 32, 70_000, "0" * 32, 2, 3, 0],
        [-1, 6, "0" * 32, 1, "0" * 32, 2, 3, 0],
        [1, 6, "zz" * 16, 1, "0" * 32, 2, 3, 0],
        [True, 6, "0" * 32, 1, "0" * 32, 2, 3, 0],
    ],
)
def test_questions_that_make_no_sense_are_refused(row: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_question(row)
