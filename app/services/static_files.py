"""The page's own files, compressed once and told apart by what is in them.

`/static/<version>/…` never changes and may be kept for ever: modules find each other by relative addresses, so the version in the address of the first one
goes through all of them. The version is made from names, sizes and times of all files, so a page that is loaded anew after a change asks for new addresses.
Bounded: what is kept is at most what lies in the directory, compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.concurrency import shared_lock
from app.services.module_graph import reachable

COMPRESSED: Final = {".js", ".css", ".svg", ".html", ".json", ".md"}
TYPES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".md": "text/plain"}
VERSION: Final = re.compile(r"v-[0-9a-f]{12}")
LEVEL: Final = 9
LEAST: Final = 256  # bytes; less is not worth it


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent. `etag` belongs to these bytes; `packed` where they are gzip."""

    body: bytes
    kind: str
    etag: str
    packed: bool


class StaticFiles:
    """Thread-safe. Nothing outside of `root` is ever read."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._lock = shared_lock()  # files are read in real threads
        self._kept: dict[Path, tuple[tuple[int, int], StaticFile, StaticFile | None]] = {}
        self._modules: tuple[str, tuple[str, ...], list[str]] = ("", (), [])

    def version(self) -> str:
        """`v-` and twelve digits: another one as soon as a file is another."""
        digest = hashlib.sha256()
        for path in sorted(self._root.rglob("*")):
            if path.is_file():
                found = path.stat()
                digest.update(f"{path.relative_to(self._root)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
        return f"v-{digest.hexdigest()[:12]}"

    def modules(self, version: str, *entries: str) -> list[str]:
        """The modules that `entries` need; they are read once for each `version()`. Off the hub."""
        known = self._modules
        if known[:2] != (version, entries):
            known = self._modules = (version, entries, reachable(self._root, entries))
        return known[2]

    def read(self, name: str, may_pack: bool) -> StaticFile | None:
        """The file of that name below the root; None where there is none. Reads and compresses: off the hub."""
        if "\0" in name:
            return None
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            return None
        found = path.stat()
        stamp = (found.st_size, found.st_mtime_ns)
        with self._lock:
            known = self._kept.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, *_made(path))
            with self._lock:
                self._kept[path] = known
        _, plain, packed = known
        return packed if may_pack and packed is not None else plain


def _made(path: Path) -> tuple[StaticFile, StaticFile | None]:
    body = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    etag = hashlib.sha256(body).hexdigest()[:20]
    plain = StaticFile(body, kind, etag, False)
    if path.suffix not in COMPRESSED or len(body) < LEAST:
        return plain, None
    return plain, StaticFile(gzip.compress(body, LEVEL, mtime=0), kind, f"{etag}-gz", True)
