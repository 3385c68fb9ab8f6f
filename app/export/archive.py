"""A zip archive that is written while it is sent: nothing is held but the piece in hand."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator


class _Tail(io.RawIOBase):
    """Takes what the archive writes until it is fetched; it cannot be wound back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]  # any buffer
        self._parts.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def fetch(self) -> bytes:
        found, self._parts = b"".join(self._parts), []
        return found


def zipped(name: str, pieces: Iterator[bytes], last_name: str, last: Callable[[], bytes]) -> Iterator[bytes]:
    """An archive of a file and of one more, whose content is asked for when the first is written."""
    tail = _Tail()
    now = time.gmtime()[:6]
    with zipfile.ZipFile(tail, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        with archive.open(zipfile.ZipInfo(name, now), "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece)
                if found := tail.fetch():
                    yield found
        archive.writestr(zipfile.ZipInfo(last_name, now), last())
    yield tail.fetch()
