"""The processes of this program and the memory each takes."""

from __future__ import annotations

import re
from typing import Any, Final

import psutil

_MODULE: Final = re.compile(r"app\.([a-z_]+)(?:\.([a-z_]+))?")


def own_processes(web_pid: int, sensor_pid: int | None) -> list[dict[str, Any]]:
    """The processes of this program, largest first; rss_bytes null where the system does not tell."""
    found: dict[int, Any] = {}
    for pid in {web_pid, sensor_pid or web_pid}:
        try:
            top = psutil.Process(pid)
            above = top.parent()
            if pid != web_pid and above is not None and "app.broker" in " ".join(above.cmdline()):
                top = above
            for one in (top, *top.children(recursive=True)):
                found[one.pid] = one
        except (psutil.Error, OSError):
            continue
    listed = [
        {"name": "web" if pid == web_pid else _role(one), "pid": pid, "rss_bytes": _rss(one)}
        for pid, one in found.items()
    ]
    return sorted(listed, key=lambda one: -(one["rss_bytes"] or 0))


def _role(process: Any) -> str:
    try:
        found = _MODULE.findall(" ".join(process.cmdline()))
        return ".".join(part for part in found[-1] if part) if found else str(process.name())
    except (psutil.Error, OSError):
        return "unknown"


def _rss(process: Any) -> int | None:
    try:
        return int(process.memory_info().rss)
    except (psutil.Error, OSError):
        return None
