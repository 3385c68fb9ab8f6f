"""Lines reach the reader whole and in order; a slow reader costs lines, which are counted by the caller, never time."""

import os
import time

from app.terminal.printer import PIPE_LINES_PER_SECOND, QUEUE, Printer


def test_everything_in_order_for_a_patient_reader():
    read, write = os.pipe()
    printer = Printer(write, True, lambda: None)
    wanted = [f"line {i}" for i in range(2_000)]
    seen = b""
    for start in range(0, len(wanted), 10):
        assert printer.room(10) == 10
        printer.packets(wanted[start : start + 10], 10)
        if start % 500 == 0:
            seen += os.read(read, 65536)
    printer.close()
    os.close(write)
    while part := os.read(read, 65536):
        seen += part
    assert seen.decode().splitlines() == wanted


def test_a_reader_that_stands_still_costs_no_time():
    read, write = os.pipe()
    printer = Printer(write, False, lambda: None)
    begun = time.monotonic()
    printed = 0
    for _ in range(5_000):
        if printer.room(1):
            printer.packets(["x" * 1_000], 1)
            printed += 1
    assert time.monotonic() - begun < 2
    assert printed < QUEUE + 200
    os.close(read)  # the reader goes; the writer notices
    end = time.monotonic() + 30
    while not printer.closed and time.monotonic() < end:
        time.sleep(0.01)
    assert printer.closed
    assert printer.failure is None
    assert printer.room(1) == 0
    printer.close()
    os.close(write)


def test_lines_a_second_are_limited():
    read, write = os.pipe()
    printer = Printer(write, False, lambda: None)
    assert printer.room(PIPE_LINES_PER_SECOND) < PIPE_LINES_PER_SECOND
    printer._tokens, printer._refilled = 0.0, time.monotonic() + 60
    assert printer.room(100) == 0
    printer._tokens, printer._refilled = 0.0, time.monotonic() - 60
    assert printer.room(100) == 100
    printer.close()
    os.close(write)
    os.close(read)
