"""Processor use and memory of processes, and what is known of one (psutil). What may not be read is None."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import psutil

MAX_KEPT: Final = 1_000
START_SECONDS: Final = 2.0  # by which two statements of a start time may differ: the boot time is known to the second

Usage = tuple[float | None, float | None]  # CPU in percent of one core, memory in percent of the machine's


class UsageMeter:
    """CPU use is between two readings, so the first says nothing. Blocks for some microseconds a process."""

    def __init__(self) -> None:
        self._processes: OrderedDict[tuple[int, int], psutil.Process] = OrderedDict()

    def read(self, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Usage]:
        """(process number, start in ns) → use; those that are gone, or whose number another process has by now, are left out."""
        found: dict[tuple[int, int], Usage] = {}
        for key in wanted:
            process = self._processes.get(key)
            first = process is None
            try:
                if process is None:
                    process = psutil.Process(key[0])
                    if abs(process.create_time() - key[1] / 1e9) > START_SECONDS:
                        continue
                    self._processes[key] = process
                self._processes.move_to_end(key)
                with process.oneshot():
                    cpu = process.cpu_percent()
                    memory = process.memory_percent()
                found[key] = (None if first else round(cpu, 1), round(memory, 2))
            except psutil.AccessDenied:
                found[key] = (None, None)
            except (psutil.Error, OSError):
                self._processes.pop(key, None)
        while len(self._processes) > MAX_KEPT:
            self._processes.popitem(last=False)
        return found


def get_app_info(pid: int) -> dict[str, Any] | None:
    """Name, path, user, CPU and memory of a process now; None: there is no such process. Blocks for 0.1 s to measure CPU use."""
    try:
        process = psutil.Process(pid)
        info: dict[str, Any] = {"pid": pid, "app_name": process.name(), "app_path": None, "user": None}
        info.update(cpu_percent=None, memory_percent=None, threads=None)
        for key, ask in (
            ("app_path", lambda: process.exe() or None),
            ("user", process.username),
            ("cpu_percent", lambda: process.cpu_percent(0.1)),
            ("memory_percent", lambda: round(process.memory_percent(), 2)),
            ("threads", process.num_threads),
        ):
            try:
                info[key] = ask()
            except psutil.AccessDenied:
                continue  # another user's: what may not be read stays None
        return info
    except (psutil.Error, OSError):
        return None
