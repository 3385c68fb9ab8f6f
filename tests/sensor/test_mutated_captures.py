"""Real captures with bytes changed, cut, moved: nothing raises, no parser fails inside, nothing hangs, memory stays bounded."""

from __future__ import annotations

import gc
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import app
from app.model.errors import CaptureError
from app.sensor import analyze

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
FILES, SEED = 60, 20261121
MOST_SECONDS = 120  # of one file, on any machine: they take a tenth of a second
MOST_MEMORY = 1 << 30
FILE_HEADER = 24


class WithoutEngine:
    """nDPI's child would be started for each file; what it says has tests of its own."""

    available = False

    def close(self) -> None:
        """Nothing runs."""


def mutated(chance: random.Random, data: bytes) -> bytes:
    """One kind of damage; the file's own header mostly stays, so that what is inside is reached."""
    changed = bytearray(data)
    head = FILE_HEADER if chance.random() < 0.9 else 0
    if len(changed) <= head + 2:
        return data
    kind = chance.choice(("bits", "bytes", "cut", "block", "insert", "swap", "lengths"))
    at = chance.randrange(head, len(changed) - 1)
    if kind in ("bits", "bytes"):
        for _ in range(max(1, int(len(changed) * chance.choice((0.001, 0.005, 0.02))))):
            place = chance.randrange(head, len(changed))
            changed[place] = (
                changed[place] ^ 1 << chance.randrange(8) if kind == "bits" else chance.choice((0, 127, 255))
            )
    elif kind == "cut":
        del changed[at:]
    elif kind == "block":
        size = min(chance.randrange(1, 200), len(changed) - at)
        changed[at : at + size] = bytes([chance.choice((0, 255, 0x41))]) * size
    elif kind == "insert":
        changed[at:at] = chance.randbytes(chance.randrange(1, 60))
    elif kind == "swap":
        other = chance.randrange(head, len(changed) - 1)
        size = min(chance.randrange(1, 100), len(changed) - max(at, other))
        here, there = bytes(changed[at : at + size]), bytes(changed[other : other + size])
        changed[at : at + size], changed[other : other + size] = there, here
    else:
        for _ in range(20):
            place = chance.randrange(head, len(changed) - 1)
            changed[place : place + 2] = chance.choice((b"\xff\xff", b"\0\0", b"\x7f\xff", b"\0\1"))
    return bytes(changed)


def problem(path: Path) -> str | None:
    """What went wrong while this file was read, None: nothing."""
    signal.alarm(MOST_SECONDS)
    try:
        coverage = json.loads(analyze.analyze(str(path)))["coverage"]
    except CaptureError:
        return None
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    failures = {name: count for name, count in coverage.items() if name.endswith("failures") and count}
    return str(failures) if failures else None


def run() -> None:
    """In a process of its own: prints the problems, and its largest size in bytes."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {MOST_SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    analyze.NdpiClient = WithoutEngine  # type: ignore[misc, assignment]
    chance = random.Random(SEED)
    captures = sorted(path for path in CAPTURES.iterdir() if path.suffix in (".pcap", ".pcapng"))
    problems = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES):
            capture = captures[number * 7 % len(captures)]
            damaged = Path(folder, capture.name)
            damaged.write_bytes(mutated(chance, capture.read_bytes()))
            gc.collect()  # as the command does before each file
            found = problem(damaged)
            if found:
                problems[f"{number} {capture.name}"] = found
    print(json.dumps({"problems": problems, "bytes": largest_size()}))


def largest_size() -> int:
    """Bytes that this program had in memory at most. `ru_maxrss` would be that of whoever started it, where that was more."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_damaged_captures_are_survived():
    root = Path(app.__file__).parents[1]
    command = [sys.executable, "-c", "from tests.sensor.test_mutated_captures import run; run()"]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=600, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["problems"] == {}
    assert result["bytes"] < MOST_MEMORY
    assert b"Traceback" not in done.stderr
