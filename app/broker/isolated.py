"""How one of our processes is started: absolute interpreter, isolated mode, fixed environment, no shell.

`python -I` ignores PYTHON* variables, the user's site directory and the working directory, so nothing that a caller could place there is
imported; this file is then the script, and it adds the one directory that is ours. The broker gets `-S` as well: no package, and no `.pth`
file of one, runs in the process with privileges.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
SAFE_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command(module: str, *arguments: str, packages: bool = True) -> list[str]:
    """The argument list that runs `module` in isolated mode, with installed packages or with the standard library alone."""
    options = ["-I"] if packages else ["-I", "-S"]
    return [sys.executable, *options, str(Path(__file__).resolve()), module, *arguments]


def environment(extra: dict[str, str]) -> dict[str, str]:
    """A fixed environment with `extra` in it; nothing of this process's own passes."""
    from app.allocation import FRUGAL  # not above: as a script this file has no path to `app` yet

    return {**FRUGAL, "LANG": "C.UTF-8", "HOME": "/nonexistent", **extra, "PATH": SAFE_PATH}


def _run() -> None:
    module = sys.argv.pop(1)
    sys.path.insert(0, str(PROJECT))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run()
