"""Raise an alert again from its packets: the same pipeline over the kept file, in a process of its own with a time limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from app.services.query_errors import Unavailable

SECONDS: Final = 60
_PROJECT: Final = Path(__file__).resolve().parents[2]


def reproduce(path: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What `python -m app reproduce --json` says. Blocks for some seconds: call it where that may be.
    environment: the settings without secrets, for a process that reads what others sent. `Unavailable` with the reason."""
    command = [sys.executable, "-m", "app", "reproduce", "--json", str(path)]
    try:
        done = subprocess.run(command, cwd=_PROJECT, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"The packets were not through after {SECONDS} s.", "failed") from None
    except OSError as error:
        raise Unavailable(f"The analysis could not be started: {error.strerror}.", "failed") from None
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise Unavailable("The analysis ended without an answer; the log says why.", "failed") from None
    if not isinstance(found, dict) or "error" in found:
        raise Unavailable(str(found.get("error") if isinstance(found, dict) else "no answer")[:300], "failed")
    found.pop("file", None)
    return found
