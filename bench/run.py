"""Runs the programs over the files: interleaved rounds on one core, whole processes under the stopwatch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.peers import ROOT, Program
from bench.profiles import Profile
from bench.ratios import Run
from bench.traffic import Facts, cached, first_packets

STOPWATCH: Final = Path(__file__).parent / "stopwatch.py"
LIMIT_S: Final = 900.0
_MOST_MISSED: Final = 0.03  # rivals leave out ARP, double tags or fragments; more than this is a failure
_START_PACKETS: Final = 100
_SHOWN: Final = 200  # characters of a failed program's last words

Say = Callable[[str], None]


def warm(path: Path) -> None:
    """Reads a file once, so that it comes from the page cache."""
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass


def _error(program: Program, status: int, said: str, packets: int) -> str | None:
    """Why a run does not count: it failed, ran too long, or did not read the packets."""
    words = (said.strip().splitlines() or [""])[-1][-_SHOWN:]  # one line: it becomes part of a table
    if status == -9:
        return f"stopped after {LIMIT_S:.0f} s or killed: {words}"
    if status:
        return f"exit status {status}: {words}"
    if program.counted:
        found = re.search(program.counted, said)
        if found is None:
            return f"does not say how many packets it read: {words}"
        read = int(found.group(1).replace(",", ""))
        if not (1 - _MOST_MISSED) * packets <= read <= packets:
            return f"says {read:,} packets, the file has {packets:,}"
    return None


def timed(program: Program, path: Path, packets: int, core: int, limit_s: float = LIMIT_S) -> Run:
    """One run of one program."""
    with tempfile.NamedTemporaryFile(prefix="bench-") as said:
        output = said.name if program.counted else os.devnull
        command = [sys.executable, "-I", "-S", str(STOPWATCH), str(core), str(limit_s), output]
        done = subprocess.run(
            [*command, *program.command(str(path))], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
        )
        words = said.read().decode(errors="replace")
    seen = json.loads(done.stdout)
    error = _error(program, seen["status"], words, packets)
    return Run(seen["wall_s"], seen["cpu_s"], seen["rss_kb"], packets, error)


def _without_start(run: Run, program: Program, tiny: Path, core: int) -> Run:
    """The run with its start-up noted: the same program on hardly any packets."""
    start = timed(replace(program, counted=None), tiny, _START_PACKETS, core)
    return replace(run, start_wall_s=start.wall_s, start_cpu_s=start.cpu_s, error=run.error or start.error)


def floor_mb(core: int) -> float:
    """Peak memory the stopwatch reports for a program that does nothing: nothing smaller can be told apart."""
    return timed(Program("true", "", ("true",)), Path(os.devnull), 1, core).rss_kb / 1024


def interleaved(
    profile: Profile, programs: Sequence[Program], rounds: int, core: int, say: Say
) -> tuple[Facts, dict[str, list[Run]]]:
    """Every program once a round, `rounds` times, on the file of a profile (or its first packets)."""
    say(f"{profile.name}: making {profile.packets:,} packets if they are not there yet")
    path, facts = cached(profile)
    inputs: dict[str, tuple[Path, int]] = {}
    for program in programs:
        most = program.most_packets
        packets = facts.packets if most is None else min(most, facts.packets)
        inputs[program.name] = (path if packets == facts.packets else first_packets(path, packets), packets)
    for file in {file for file, _ in inputs.values()}:
        warm(file)
    runs: dict[str, list[Run]] = {program.name: [] for program in programs}
    for number in range(1, rounds + 1):
        for program in programs:
            file, packets = inputs[program.name]
            run = timed(program, file, packets, core)
            if file != path:
                run = _without_start(run, program, first_packets(path, _START_PACKETS), core)
            runs[program.name].append(run)
            outcome = run.error or f"{run.speed / 1e6:.3f} Mpps, {run.wall_s:.2f} s, {run.rss_kb / 1024:.0f} MB"
            say(f"{profile.name}, round {number} of {rounds}: {program.name}: {outcome}")
    return facts, runs
