"""Runs one command and measures the whole process: wall clock, CPU, peak resident memory.

A program of its own, run as `python -I -S bench/stopwatch.py CORE SECONDS OUTPUT COMMAND…` with nothing but the standard
library: a child's peak memory starts at its parent's, so the parent must be small. Prints one JSON object.
"""

import json
import os
import signal
import sys
import time


def _start(core: int, output: str, command: list[str]) -> int:
    """Forks; the child goes to its core, its output to the file, and becomes the command."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.sched_setaffinity(0, {core})
        sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    os._exit(127)


def measure(core: int, limit_s: float, output: str, command: list[str]) -> dict[str, float]:
    """Seconds, kilobytes and exit status of one run; status -9 after `limit_s`."""
    begin = time.perf_counter()
    child = _start(core, output, command)

    def stop(_number: int, _frame: object) -> None:
        os.killpg(child, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_kb": usage.ru_maxrss,
        "status": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])))
