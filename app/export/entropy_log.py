"""The entropy log: CSV files `entropy_log_{interface}_{timestamp}.csv`, rotated by size, capped by age and number.

A disk that is full or a directory that cannot be written is reported once and tried again later; what could not be written is counted, and nothing else suffers.
"""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HEADER: Final = ("timestamp", "interface", "flow", "entropy", "alert")
NAME: Final = re.compile(r"entropy_log_[A-Za-z0-9.@_+-]{1,64}_[0-9]{8}T[0-9]{6}Z(?:-[0-9]{1,3})?\.csv\Z")
RETRY_SECONDS: Final = 30.0
DAY: Final = 86_400.0

Report = Callable[[str, str], object]  # level, text


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Of one file, and of all together."""

    file_bytes: int = 16 << 20
    files: int = 20
    days: int = 30


class EntropyLog:
    """`write` rows of HEADER; opens a file when the first comes. One writer."""

    def __init__(
        self, directory: Path, limits: LogLimits, report: Report, clock: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._limits = limits
        self._report = report
        self._clock = clock
        self._path: Path | None = None  # of the file that is written
        self._interface = ""
        self._size = 0
        self._quiet_until = 0.0
        self.rows = 0
        self.rows_lost = 0
        self.problem: str | None = None

    def write(self, interface: str, rows: Iterable[Sequence[str]]) -> None:
        """Append rows that belong to a capture on `interface`. Never raises OSError."""
        lines = list(rows)
        if not lines:
            return
        now = self._clock()
        if now < self._quiet_until:
            self.rows_lost += len(lines)
            return
        try:
            if self._path is None or interface != self._interface or self._size >= self._limits.file_bytes:
                self._open(interface, now)
            self._append(_text(lines))
        except OSError as error:
            self._failed(error, len(lines), now)
            return
        self.rows += len(lines)
        if self.problem is not None:
            self._report("info", f"The entropy log is written again; {self.rows_lost:,} rows were lost.")
            self.problem = None

    def files(self) -> list[Path]:
        """All logs, newest first."""
        try:
            found = [path for path in self.directory.iterdir() if NAME.match(path.name) and path.is_file()]
            return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
        except OSError:
            return []

    def listing(self) -> list[dict[str, Any]]:
        """`[{name, size_bytes, modified, current}]`, newest first."""
        listed = []
        for path in self.files():
            try:
                found = path.stat()
            except OSError:
                continue
            modified = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="microseconds")
            listed.append(
                {
                    "name": path.name,
                    "size_bytes": found.st_size,
                    "modified": modified.replace("+00:00", "Z"),
                    "current": path == self._path,
                }
            )
        return listed

    def path_of(self, name: str) -> Path | None:
        """The log of that name; None where there is none. Any other text is no name."""
        path = self.directory / name
        return path if NAME.match(name) and path.is_file() and not path.is_symlink() else None

    def state(self) -> dict[str, Any]:
        """For the page."""
        return {
            "current": self._path.name if self._path is not None else None,
            "rows": self.rows,
            "rows_lost": self.rows_lost,
            "problem": self.problem,
            "file_bytes": self._limits.file_bytes,
            "files": self._limits.files,
            "days": self._limits.days,
        }

    # -- inside --------------------------------------------------------------------------------------------------------

    def _open(self, interface: str, now: float) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._prune(now)
        safe = re.sub(r"[^A-Za-z0-9.@+-]+", "-", interface)[:64].strip(".") or "capture"
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1000):
            name = f"entropy_log_{safe}_{stamp}{f'-{number}' if number else ''}.csv"
            try:
                (self.directory / name).touch(exist_ok=False)
                break
            except FileExistsError:
                continue
        self._path, self._interface, self._size = self.directory / name, interface, 0
        self._append(_text([HEADER]))

    def _append(self, data: bytes) -> None:
        """All of it or, as far as can be, nothing: half a line would spoil the file."""
        assert self._path is not None
        with open(self._path, "ab", buffering=0) as file:
            written = 0
            try:
                while written < len(data):
                    written += file.write(data[written:])
            except OSError:
                file.truncate(self._size)
                raise
        self._size += written

    def _prune(self, now: float) -> None:
        """Too old, or too many together with the one that is opened now."""
        for place, path in enumerate(self.files()):
            if place >= self._limits.files - 1 or now - path.stat().st_mtime > self._limits.days * DAY:
                path.unlink(missing_ok=True)

    def _failed(self, error: OSError, lost: int, now: float) -> None:
        self.rows_lost += lost
        self._quiet_until = now + RETRY_SECONDS
        if self.problem is None:
            self._report(
                "error",
                f"The entropy log in {self.directory} cannot be written ({error.strerror or error}); it is tried again every {RETRY_SECONDS:.0f} s. Everything else goes on.",
            )
        self.problem = error.strerror or str(error)
        self._path = None


def _text(rows: Iterable[Sequence[str]]) -> bytes:
    """CSV lines; a value that a spreadsheet would take for a formula gets an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([f"'{value}" if value[:1] in ("=", "+", "@", "\t", "\r") else value for value in row])
    return buffer.getvalue().encode()
