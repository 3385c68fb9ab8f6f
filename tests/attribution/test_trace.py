"""From pages of the kernel's ring buffer to who opened which connection, on recorded forms."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.attribution import trace_book
from app.attribution.process_records import ProcessReader, ProcessRecord
from app.attribution.trace_book import TraceBook
from app.attribution.trace_pages import EventReader, PageReader, entries, missed
from app.attribution.tracefs import Instance
from tests.attribution import kernel

MAPPED = bytes(10) + b"\xff\xff"
HERE, THERE = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
GONE = 4_000_000  # beyond every process number


@dataclass
class Kernel:
    book: TraceBook
    pipes: list[kernel.Pipe]

    def say(self, *events: bytes, pipe: int = 0) -> None:
        now = time.monotonic_ns() - 1_000_000
        self.pipes[pipe].write(kernel.page([(now + number, event) for number, event in enumerate(events)]))
        self.book.read()

    def owner(self, protocol: int, port: int, remote: bytes, remote_port: int) -> ProcessRecord | None:
        found = self.book.find((protocol, port, remote, remote_port))
        return found[-1].record if found else None


@pytest.fixture
def told() -> Iterator[Kernel]:
    pipes = [kernel.Pipe(), kernel.Pipe()]
    instance = Instance("x", dict(kernel.FORMATS), "", tuple(pipe.descriptor for pipe in pipes), {}, 0, -1)
    yield Kernel(TraceBook(instance, ProcessReader()), pipes)
    for pipe in pipes:
        pipe.close()


def test_pages_are_read_with_long_gaps_and_long_events() -> None:
    events = [
        (5, kernel.new_task(1, 2, "a")),
        (5 + (1 << 30), kernel.became(2, "/" + "x" * 200)),
        (6 + (1 << 30), kernel.new_task(2, 3, "b")),
    ]
    page = kernel.page(events)
    assert [stamp for stamp, _, _ in entries(page)] == [5, 5 + (1 << 30), 6 + (1 << 30)]
    reader = PageReader({"new": EventReader(kernel.FORMATS["task/task_newtask"], ("common_pid", "pid"))})
    assert [event[2] for event in reader.events([page])] == [(1, 2), (2, 3)]
    assert missed(kernel.page(events, missed=True))
    assert not missed(page)


@given(st.binary(max_size=400))
def test_no_bytes_stop_the_reader(data: bytes) -> None:
    for stamp, offset, length in entries(data):
        assert stamp >= 0
        assert 0 <= offset <= len(data)
        assert length >= 0


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="skaddr"):
        EventReader(kernel.FORMATS["fib/fib_table_lookup"], ("skaddr",))


def test_tcp_gets_its_port_with_the_next_transition_whoever_runs_then(told: Kernel) -> None:
    mine, target = os.getpid(), MAPPED + THERE
    told.say(
        kernel.state(mine, 77, 7, 2, 0, 443, MAPPED + HERE, target),
        kernel.state(1, 77, 2, 1, 40_000, 443, MAPPED + HERE, target, flags=16),
    )
    owner = told.owner(6, 40_000, target, 443)
    assert owner is not None
    assert owner.pid == mine
    assert owner.complete


def test_a_datagram_is_its_senders(told: Kernel) -> None:
    told.say(kernel.lookup(os.getpid(), 17, bytes(4), THERE, 5353, 53))
    (opened,) = told.book.find((17, 5353, MAPPED + THERE, 53))
    assert opened.record.pid == os.getpid()
    assert opened.source == bytes(16)


def test_closing_an_accepted_connection_tells_whose_it_was_but_not_of_one_s_own(told: Kernel) -> None:
    told.say(kernel.state(os.getpid(), 5, 8, 9, 80, 6000, MAPPED + HERE, MAPPED + THERE))
    (opened,) = told.book.find((6, 80, MAPPED + THERE, 6000))
    assert opened.record.pid == os.getpid()
    assert not opened.first
    told.say(kernel.lookup(os.getpid(), 6, HERE, THERE, 41_000, 80))
    told.say(kernel.state(1, 6, 1, 4, 41_000, 80, MAPPED + HERE, MAPPED + THERE))
    assert [one.record.pid for one in told.book.find((6, 41_000, MAPPED + THERE, 80))] == [os.getpid()]


def test_interrupts_tell_of_nobody(told: Kernel) -> None:
    told.say(kernel.state(os.getpid(), 9, 1, 8, 80, 6001, MAPPED + HERE, MAPPED + THERE, flags=16))
    assert told.owner(6, 80, MAPPED + THERE, 6001) is None


def test_a_process_that_is_gone_has_name_path_and_user_of_its_parent(told: Kernel) -> None:
    told.say(
        kernel.new_task(os.getpid(), GONE, "forked"),
        kernel.became(GONE, "/usr/bin/env"),
        kernel.lookup(GONE, 17, bytes(4), THERE, 5000, 53),
    )
    owner = told.owner(17, 5000, MAPPED + THERE, 53)
    assert owner is not None
    assert not owner.complete
    assert (owner.name, owner.path, owner.parents[0].pid) == ("env", os.path.realpath("/usr/bin/env"), os.getpid())
    assert owner.uid == os.getuid()


def test_a_thread_is_its_process(told: Kernel) -> None:
    told.say(
        kernel.new_task(os.getpid(), GONE + 1, "thread", flags=0x10000),
        kernel.lookup(GONE + 1, 17, bytes(4), THERE, 5001, 53),
    )
    owner = told.owner(17, 5001, MAPPED + THERE, 53)
    assert owner is not None
    assert owner.pid == os.getpid()


def test_nothing_is_taken_before_its_cause_on_another_processor(told: Kernel) -> None:
    """The connect is on a processor that is read first, the fork on one that is read later."""
    now = time.monotonic_ns() - 1_000_000
    told.pipes[0].write(kernel.page([(now + 10, kernel.lookup(GONE + 2, 17, bytes(4), THERE, 5002, 53))]))
    told.pipes[1].write(kernel.page([(now, kernel.new_task(os.getpid(), GONE + 2, "child"))]))
    told.book.read()
    owner = told.owner(17, 5002, MAPPED + THERE, 53)
    assert owner is not None
    assert owner.name == "child"


def test_what_was_written_while_reading_waits(told: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic_ns()
    later = now + 50_000_000
    clock = SimpleNamespace(monotonic_ns=lambda: now, time_ns=time.time_ns, monotonic=time.monotonic)
    monkeypatch.setattr(trace_book, "time", clock)
    told.pipes[0].write(kernel.page([(later, kernel.lookup(os.getpid(), 17, bytes(4), THERE, 5003, 53))]))
    told.book.read()
    assert told.owner(17, 5003, MAPPED + THERE, 53) is None
    clock.monotonic_ns = lambda: later + 1
    told.book.read()
    assert told.owner(17, 5003, MAPPED + THERE, 53) is not None


def test_after_a_loss_numbers_of_processes_are_not_believed(told: Kernel) -> None:
    told.say(kernel.new_task(os.getpid(), GONE + 3, "before"))
    now = time.monotonic_ns() - 1_000_000
    event = kernel.lookup(GONE + 3, 17, bytes(4), THERE, 5004, 53)
    told.pipes[0].write(kernel.page([(now, event)], missed=True))
    told.book.read()
    assert told.book.lost == 1
    assert told.owner(17, 5004, MAPPED + THERE, 53) is None
