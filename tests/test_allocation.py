"""What keeps processes small: settings of the C library, pages of files that are given back, the system's resolver in threads."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from app.allocation import FRUGAL, unchanged
from app.broker.isolated import environment
from app.sensor.packet_store import SMALLEST_CAPACITY, PacketStore, room_for_frames

SMAPS = """\
7f0000000000-7f0000001000 r--p 00000000 fe:01 1 /opt/xy/libthing.so
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd mr
7f0000001000-7f0000003000 r-xp 00001000 fe:01 1 /opt/xy/libthing.so
Anonymous:             0 kB
7f0000003000-7f0000004000 r-xp 00003000 fe:01 1 /opt/xy/libthing.so (deleted)
Anonymous:             4 kB
7f0000004000-7f0000005000 rw-p 00004000 fe:01 1 /opt/xy/libthing.so
Anonymous:             0 kB
7f0000005000-7f0000006000 rw-p 00000000 00:00 0
Anonymous:             4 kB
7f0000006000-7f0000007000 r--p 00000000 fe:01 2 /opt/xy/other.so
Anonymous:             0 kB
"""


def run(code: str) -> str:
    """What a process of its own prints."""
    project = Path(__file__).resolve().parents[1]
    return subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_only_pages_that_are_as_on_disk_are_given_back() -> None:
    assert unchanged(SMAPS, "libthing") == [(0x7F0000000000, 0x7F0000001000), (0x7F0000001000, 0x7F0000003000)]
    assert unchanged("", "libthing") == []


def test_every_child_is_frugal() -> None:
    assert FRUGAL.items() <= environment({}).items()


def test_the_users_own_settings_stay() -> None:
    code = "from app.allocation import be_frugal; e = {'OPENBLAS_NUM_THREADS': '4', 'MALLOC_ARENA_MAX': 'x'}; be_frugal(e); print(e['OPENBLAS_NUM_THREADS'], e['MALLOC_ARENA_MAX'], len(e))"
    assert run(code) == f"4 x {len(FRUGAL)}"


def test_names_are_resolved_without_eventlets_resolver_and_without_blocking_the_hub() -> None:
    code = """
from app import concurrency
concurrency.patch("eventlet")
import socket, sys, threading
real = socket.getaddrinfo.__wrapped__
def slow(*arguments, **more):
    import eventlet.patcher
    eventlet.patcher.original("time").sleep(0.3)
    return real(*arguments, **more)
from eventlet import tpool
ticks = []
threading.Thread(target=lambda: [(ticks.append(1), __import__("time").sleep(0.02)) for _ in range(10)]).start()
tpool.execute(slow, "127.0.0.1", 80)
found = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
print(found[0][4][0], len(ticks) > 3, "dns" in sys.modules, concurrency.run_blocking(socket.gethostbyname, "127.0.0.1"))
"""
    assert run(code) == "127.0.0.1 True False 127.0.0.1"


def test_the_packet_stores_memory_includes_its_index() -> None:
    memory = 64 << 20
    store = PacketStore(room_for_frames(memory))
    used = sum(ring.data.nbytes + ring.index.nbytes for ring in store._rings)
    assert 0.99 * memory < used <= memory
    assert room_for_frames(1 << 20) == SMALLEST_CAPACITY


def test_the_web_process_starts_without_what_few_need() -> None:
    assert (
        run(
            "import sys\nfrom app import create_app, server\nfrom app.services.flow_mirror import FlowMirror\nFlowMirror()\n"
            "print([name for name in ('cryptography', 'duckdb', 'numba', 'numpy.random', 'scapy') if name in sys.modules])"
        )
        == "[]"
    )


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library keeps what was freed")
def test_what_was_freed_in_the_middle_of_the_heap_is_given_back() -> None:
    before, after = run(
        "from app.allocation import give_back\nfrom app.host.memory import resident_bytes\n"
        "kept = [bytes(700) for _ in range(100_000)]\nkept = kept[::64]\n"
        "before = resident_bytes()\ngive_back()\nprint(before, resident_bytes())"
    ).split()
    assert int(before) - int(after) > 40 << 20
