"""Which modules a page needs before it can be drawn, so that the browser is told of all of them at once instead of finding one behind the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_IMPORT: Final = re.compile(r"""^(?:import|export)\s(?:[^"'();]*\sfrom\s)?\s*"(\.{1,2}/[^"]+)";""", re.MULTILINE)
MAX_MODULES: Final = 1_000


def reachable(root: Path, entries: tuple[str, ...]) -> list[str]:
    """Paths below `root` of the modules that `entries` import, directly or by others, entries first; what is imported on demand is not among them.

    A module that is not there is left out: the browser says so where it is asked for.
    """
    root = root.resolve()
    found: dict[str, None] = {}
    waiting = list(reversed(entries))
    while waiting and len(found) < MAX_MODULES:
        name = waiting.pop()
        path = (root / name).resolve()
        if name in found or not path.is_relative_to(root) or not path.is_file():
            continue
        found[name] = None
        for asked in _IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")):
            waiting.append((path.parent / asked).resolve().relative_to(root).as_posix())
    return list(found)
