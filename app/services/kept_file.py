"""A small JSON file in the data directory, readable for its user only, replaced as a whole so that a crash leaves the old one or the new one."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


class KeptFile:
    """One JSON document. Its owner serialises the calls."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Any:
        """The document; None where there is none or it cannot be read (which is logged: it is not lost, it stays under its name with `.bad`)."""
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read and is set aside: %s", self._path.name, error)
            try:
                self._path.replace(self._path.with_name(self._path.name + ".bad"))
            except OSError:
                pass  # nothing of it can be touched; the next write says so
            return None

    def write(self, document: Any) -> None:
        """Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
