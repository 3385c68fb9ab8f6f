"""The one module that knows eventlet. Each mode is looked at in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app import concurrency

PROJECT = Path(__file__).resolve().parents[2]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_these_tests_run_with_real_threads() -> None:
    assert concurrency.async_mode() == "threading"
    assert not concurrency.is_patched()
    assert concurrency.run_blocking(lambda a, b=1: a + b, 2, b=3) == 5


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="one of eventlet, threading"):
        concurrency.patch("gevent")


def test_eventlet_is_patched_silently_and_blocking_work_does_not_stop_it() -> None:
    code = """
from app import concurrency
concurrency.patch("eventlet")
import threading, time, hashlib
from eventlet.patcher import original
really_sleep = original("time").sleep
assert concurrency.is_patched() and concurrency.async_mode() == "eventlet"
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic()); time.sleep(0.01)
concurrency.spawn(tick, name="tick")
def blocking():
    before, end = len(ticks), time.monotonic() + 30
    while len(ticks) < before + 20 and time.monotonic() < end:
        really_sleep(0.02)
    return len(ticks) - before
print(concurrency.run_blocking(blocking) >= 20)
"""
    assert run(code) == "True"


def test_threading_mode_never_loads_eventlet() -> None:
    code = """
import sys
from app import concurrency
concurrency.patch("threading")
from pathlib import Path
import tempfile
from app import create_app
from config import Settings
from tests.fakes.sensor import FakeBroker
create_app(Settings(data_dir=Path(tempfile.gettempdir())), FakeBroker(), read_interfaces=list)
print([name for name in ("eventlet", "scapy", "numba") if name in sys.modules])
"""
    assert run(code) == "[]"


def test_what_a_background_task_raises_is_logged() -> None:
    code = """
import logging, io
stream = io.StringIO()
logging.basicConfig(stream=stream)
from app import concurrency
concurrency.spawn(lambda: 1 / 0, name="divider").join()
print("divider" in stream.getvalue() and "ZeroDivisionError" in stream.getvalue())
"""
    assert run(code) == "True"


def test_real_and_green_threads_may_wait_for_the_shared_lock() -> None:
    code = """
from app import concurrency
concurrency.patch("eventlet")
import threading, time
from eventlet.patcher import original
really_sleep = original("time").sleep
lock = concurrency.shared_lock()
changed = threading.Condition(lock)
done = []
def held():
    with lock:
        really_sleep(0.05)
def reader():
    for _ in range(5):
        concurrency.run_blocking(held)
    done.append("reader")
def waiter():
    with changed:
        done.append(changed.wait(20))
concurrency.spawn(waiter, name="waiter")
time.sleep(0.01)
readers = [concurrency.spawn(reader, name="reader") for _ in range(3)]
for _ in range(20):
    with changed:
        changed.notify_all()
    time.sleep(0.01)
for one in readers:
    one.join(20)
print(done.count("reader"), done.count(True))
"""
    assert run(code) == "3 1"
