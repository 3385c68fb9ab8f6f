"""`python -m app.native.build DIRECTORY KEY PARENT PART PARTS`: compile one of PARTS shares of the kernels into a directory.

A process of its own, because numba costs 100 MB that the sensor must not carry; several side by side, because LLVM uses one processor. It
writes a line of JSON on standard output before each kernel, and ends with its parent.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from app import privileges
from app.model.errors import NetglassError
from app.native import objects
from app.native.compiling import to_object
from app.native.registry import KERNELS


def main(arguments: list[str]) -> int:
    """Exit status 0: all kernels are there. 1: one line on standard error says why not."""
    directory, key = Path(arguments[0]), arguments[1]
    parent, part, parts = (int(number) for number in arguments[2:])
    kernels = []
    try:
        privileges.die_with_parent(parent, signal.SIGKILL)
        # Every n-th: decoding and flows, which take longest, stand side by side and so fall to different builds.
        for done, entry in enumerate(KERNELS[part::parts]):
            # One write, far below PIPE_BUF: lines of several builds in one pipe stay whole.
            print(json.dumps({"part": part, "done": done, "text": entry.text}), flush=True)
            kernels.append(to_object(entry))
            objects.check(entry.name, kernels[-1].code)
        objects.write(directory, key, kernels)
    except (NetglassError, OSError) as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
