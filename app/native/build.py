"""`python -m app.native.build DIRECTORY KEY PARENT`: compile kernels into a directory.

A process of its own, because numba costs 100 MB that the sensor must not carry; several side by side, because LLVM uses one processor. Each takes
the next kernel when it has finished one: its number is the next byte of standard input, which they share. It writes a line of JSON on standard output before each
kernel, and ends with its parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from app import privileges
from app.model.errors import NetglassError
from app.native import ahead, objects
from app.native.compiling import to_object
from app.native.registry import KERNELS, Entry


def main(arguments: list[str]) -> int:
    """Exit status 0: what was taken is there. 1: one line on standard error says why not."""
    directory, key, parent = Path(arguments[0]), arguments[1], int(arguments[2])
    kernels = []
    try:
        privileges.die_with_parent(parent, signal.SIGKILL)
        ahead.prepare()
        for entry in _taken():
            # One write, far below PIPE_BUF: lines of several builds in one pipe stay whole.
            print(json.dumps({"text": entry.text}), flush=True)
            kernels.append(to_object(entry))
            objects.check(entry.name, kernels[-1].code)
        objects.write(directory, key, kernels)
    except (NetglassError, OSError) as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 1
    return 0


def _taken() -> Iterator[Entry]:
    """Kernels until none is left. A byte of a pipe is read by one process."""
    while number := os.read(0, 1):
        yield KERNELS[number[0]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
