"""The dissecting process from outside: started on demand, never blocking, killed when late or idle, and blind to card numbers."""

from __future__ import annotations

import os
import select
import signal
import time

import pytest

from app.dissect import client
from app.dissect.client import MAX_FRAME, Dissector

FRAME = (
    bytes.fromhex("0200000000020200000000010800")
    + bytes.fromhex("4500002800010000400600000a0000010a000002")
    + bytes(20)
)


@pytest.fixture
def dissector():
    made = Dissector()
    yield made
    made.close()


def wait(dissector, count, seconds=20):
    """The next `count` results, as a select loop gets them."""
    results, end = [], time.monotonic() + seconds
    while len(results) < count and time.monotonic() < end:
        if dissector.fileno() is not None:
            select.select([dissector], [], [], 0.2)
        results += dissector.poll()
    return results


def test_a_frame_becomes_a_tree(dissector):
    assert dissector.fileno() is None
    result = dissector.dissect(FRAME, 1)
    assert set(result) == {"tree", "summary", "info", "hex", "link_type", "masked", "error"}
    assert [layer["name"] for layer in result["tree"]] == ["Ether", "IP", "TCP"]
    assert (result["hex"], result["link_type"], result["masked"], result["error"]) == (FRAME.hex(), 1, False, None)


def test_jobs_are_answered_in_order_without_blocking(dissector):
    started = time.monotonic()
    for number in range(5):
        dissector.submit(number, FRAME, 1)
    assert time.monotonic() - started < 5
    assert dissector.busy
    assert [job_id for job_id, _ in wait(dissector, 5)] == [0, 1, 2, 3, 4]
    assert not dissector.busy


def test_card_numbers_never_reach_the_child(dissector):
    number = b"4111 1111 1111 1111"
    result = dissector.dissect(FRAME + b"pay " + number, 1)
    assert result["masked"]
    assert number.hex() not in result["hex"]
    assert "1111 1111" not in str(result["tree"])
    assert b"4111 11** **** 1111".hex() in result["hex"]


def test_a_killed_child_gives_an_error_with_the_bytes_and_the_next_job_works(dissector):
    dissector.dissect(FRAME, 1)
    process = dissector._process
    process.send_signal(signal.SIGSTOP)
    dissector.submit(1, FRAME, 1)
    process.kill()
    ((_, result),) = wait(dissector, 1)
    assert "ended" in result["error"]
    assert result["hex"] == FRAME.hex()
    assert result["tree"] == []
    assert dissector.dissect(FRAME, 1)["error"] is None


def test_a_child_that_hangs_is_killed_in_time(dissector, monkeypatch):
    dissector.dissect(FRAME, 1)
    pid = dissector._process.pid
    os.kill(pid, signal.SIGSTOP)
    now = time.monotonic()
    dissector.submit(1, FRAME, 1, now)
    assert dissector.poll(now + 4) == []
    ((job_id, result),) = dissector.poll(now + 6)
    assert job_id == 1
    assert "longer than 5 s" in result["error"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_idle_child_is_ended_and_comes_back(dissector):
    dissector.dissect(FRAME, 1)
    now = time.monotonic()
    dissector.tick(now + 30)
    assert dissector.fileno() is not None
    dissector.tick(now + 61)
    assert dissector.fileno() is None
    assert dissector.dissect(FRAME, 1)["error"] is None


def test_too_many_jobs_are_refused_and_long_frames_are_cut(dissector):
    for number in range(30):
        dissector.submit(number, FRAME, 1)
    results = dict(wait(dissector, 30))
    assert sum("Too many" in (result["error"] or "") for result in results.values()) == 30 - client._MOST_WAITING - 1
    result = dissector.dissect(FRAME + bytes(MAX_FRAME), 1)
    assert "first 65536 bytes" in result["error"]
    assert len(result["hex"]) == 2 * MAX_FRAME


def test_a_child_that_cannot_start_is_an_error(dissector, monkeypatch):
    monkeypatch.setattr(client.sys, "executable", "/nonexistent/python")
    assert "could not be started" in dissector.dissect(FRAME, 1)["error"]


def test_the_child_has_no_privilege_and_ends_with_its_socket(dissector):
    dissector.dissect(FRAME, 1)
    process = dissector._process
    with open(f"/proc/{process.pid}/status") as status:
        lines = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert all(int(lines[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"))
    assert lines["NoNewPrivs"].strip() == "1"
    dissector._sock.close()
    assert process.wait(timeout=30) == 0
    dissector._sock = None


def test_a_packet_that_takes_too_long_is_shown_by_its_beginning(dissector):
    labels = b"\x01a" * 15_000  # a DNS name that scapy reads again for every pointer into it
    answers = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04abcd" * 1500
    dns = bytes.fromhex("000181800001ffff00000000") + labels + b"\0\0\x01\0\x01" + answers
    udp = bytes.fromhex("00350fa0") + (8 + len(dns)).to_bytes(2, "big") + b"\0\0" + dns
    ip = bytes.fromhex("4500") + (20 + len(udp)).to_bytes(2, "big") + bytes.fromhex("00010000401100000a0000010a000002")
    started = time.monotonic()
    result = dissector.dissect(FRAME[:14] + ip + udp, 1)
    assert time.monotonic() - started < 8
    assert len(result["hex"]) == 2 * len(FRAME[:14] + ip + udp)
    assert [layer["name"] for layer in result["tree"]][:3] == ["Ether", "IP", "UDP"]
    assert result["error"] is None or "took longer than 3 s" in result["error"]
