"""Resident memory of the running program: `wsgi.py` replays a file of 50,000 flows, then every process of it is weighed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers import ROOT

SENSOR_GOAL_MB: Final = 250.0
ALL_GOAL_MB: Final = 400.0
_LIMIT_S: Final = 300.0
_SETTLE_S: Final = 3.0  # a few ticks after the end of the file
_END_S: Final = 20.0


@dataclass(frozen=True)
class Weighed:
    """One process."""

    pid: int
    command: str
    resident_mb: float
    peak_mb: float


def _status(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def family(root: int) -> list[int]:
    """A process and all its descendants that are alive."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(_status(int(entry.name))["PPid"])
            except (OSError, KeyError):
                continue  # it has just ended
    members = [root]
    for member in members:
        members += [pid for pid, parent in parents.items() if parent == member]
    return members


def weigh(root: int) -> list[Weighed]:
    """Every process of the program."""
    found = []
    for pid in family(root):
        try:
            status = _status(pid)
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has just ended
        if "VmRSS" in status:
            resident, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
            found.append(Weighed(pid, command, resident, peak))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _state(port: int) -> str:
    """The capture's state, or why there is none yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/capture", timeout=5) as answer:
            return str(json.load(answer).get("state"))
    except OSError as error:
        return str(error)


def _wait_finished(process: subprocess.Popen[bytes], port: int) -> None:
    """Raises RuntimeError where the replay does not come to its end."""
    deadline = time.monotonic() + _LIMIT_S
    state = ""
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"wsgi.py ended with status {process.returncode}")
        state = _state(port)
        if state == "finished":
            return
        if state == "failed":
            raise RuntimeError("the replay failed")
        time.sleep(0.5)
    raise RuntimeError(f"the replay did not finish within {_LIMIT_S:.0f} s: {state}")


def measure(file: Path) -> list[Weighed]:
    """Every process of the program after it replayed the file. Raises RuntimeError where that does not work."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as place:
        os.chmod(place, 0o755)
        port = _free_port()
        settings = {"PORT": str(port), "PCAP": str(file), "DATA_DIR": f"{place}/data", "EXPORT_DIR": f"{place}/exports"}
        environment = {**os.environ, **settings}
        # As `make run` does: a process that compiled its kernels itself would be heavier.
        warm = [sys.executable, "-m", "app.launcher", "warm"]
        subprocess.run(warm, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
        process = subprocess.Popen(
            [sys.executable, "wsgi.py"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_finished(process, port)
            time.sleep(_SETTLE_S)
            return weigh(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def sensor_and_all(processes: list[Weighed]) -> tuple[float | None, float]:
    """Resident megabytes of the sensor (None: there is none) and of all processes together."""
    sensor = next((one.resident_mb for one in processes if "app.sensor" in one.command), None)
    return sensor, sum(one.resident_mb for one in processes)
