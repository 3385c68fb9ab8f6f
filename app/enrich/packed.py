"""Small tables of numbers and names in one compressed file: what the bundled ASN and vendor tables are kept in.

NumPy's npz without compression inside an xz stream; columns of rising numbers are kept as differences, bytes of one significance together, which
compresses four times better. Nothing in such a file is executed (`allow_pickle=False`).
"""

from __future__ import annotations

import io
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
LARGEST: Final = 64 * 1024 * 1024  # of a table in memory; a file that unpacks to more is damaged


class Names:
    """Names by their place, out of one text: as strings of their own 100,000 of them would be 8 MB in place of 3."""

    __slots__ = ("_ends", "_text")

    def __init__(self, text: bytes) -> None:
        """One name a line, UTF-8. UnicodeDecodeError where it is none."""
        text.decode()
        self._text = text
        self._ends = np.append(np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")), len(text)).astype(np.uint32)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> str:
        """IndexError where there are fewer."""
        if not 0 <= place < len(self._ends):
            raise IndexError(place)
        start = int(self._ends[place - 1]) + 1 if place else 0
        return self._text[start : int(self._ends[place])].decode()

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))


class DamagedTable(ValueError):
    """A table that is not what was written; the text names the file."""


def write_table(path: Path, columns: dict[str, Column], names: list[str], note: str) -> None:
    """Keeps `columns` (unsigned integers), `names` (one line each) and `note` (source and date)."""
    parts: dict[str, Column] = {key: _shuffled(column) for key, column in columns.items()}
    parts["names"] = np.frombuffer("\n".join(names).encode(), np.uint8)
    parts["note"] = np.frombuffer(note.encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **parts)  # type: ignore[arg-type]
    path.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def read_table(path: Path) -> tuple[dict[str, Column], Names, str]:
    """(columns, names, note) as they were written. `DamagedTable` for anything else, `OSError` where it cannot be read."""
    try:
        unpacked = lzma.LZMADecompressor().decompress(path.read_bytes(), LARGEST)
        with np.load(io.BytesIO(unpacked), allow_pickle=False) as found:
            parts = {key: found[key] for key in found.files}
        names, note = Names(parts.pop("names").tobytes()), parts.pop("note").tobytes().decode()
        return {key: _restored(part) for key, part in parts.items()}, names, note
    except (lzma.LZMAError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedTable(f"{path.name} is damaged: {error}") from None


def rising(column: Column) -> Column:
    """Differences of a column that never falls; `np.cumsum` gives it back."""
    return np.diff(column, prepend=column.dtype.type(0))


def _shuffled(column: Column) -> Column:
    """First all lowest bytes, then all second ones …"""
    wide = np.ascontiguousarray(column)
    return wide.view(np.uint8).reshape(len(wide), wide.dtype.itemsize).T.copy()


def _restored(part: Column) -> Column:
    if part.ndim != 2 or part.dtype != np.uint8 or part.shape[0] not in (1, 2, 4, 8):
        raise ValueError("a column has a wrong shape")
    return part.T.copy().view(f"<u{part.shape[0]}").reshape(-1)
