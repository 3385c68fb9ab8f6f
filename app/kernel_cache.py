"""Where the compiled kernels are kept: one directory per state of their sources.

Its name carries a digest of all sources that kernels are made of. `app.native` keeps its objects in it, and numba, where it is used in place of them,
its own cache: numba's key is the modification time of the file that holds a function, which does not see a change in what is inlined from
another file. Standard library only: this runs before numba.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

VARIABLE: Final = "NUMBA_CACHE_DIR"
_APP: Final = Path(__file__).resolve().parent
# Kernels, and the tables of constants and layouts that are compiled into them.
_PATTERNS: Final = (
    "*/*_kernels.py",
    "*/*layout.py",
    "wire/codes.py",
    "wire/records.py",
    "model/columns.py",
    "model/layers.py",
    "model/errors.py",
    "dpi/signatures.py",
    "native/*.py",
)


def digest() -> str:
    """Of everything that is compiled into kernels."""
    total = hashlib.sha256()
    for path in sorted({path for pattern in _PATTERNS for path in _APP.glob(pattern)}):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def directory_of(data_dir: Path, uid: int) -> Path:
    """Where a user's sensors find their kernels below DATA_DIR: machine code that they run, so one directory for each user."""
    return data_dir / "cache" / f"kernels-{uid}"


def use() -> Path:
    """Set NUMBA_CACHE_DIR for this process and its children: below the directory it names already, else below the user's cache directory,
    else below the system's temporary one. Call it before numba is imported; calling it again changes nothing."""
    name = f"kernels-{digest()}"
    base = os.environ.get(VARIABLE)
    if base and Path(base).name == name:
        return Path(base)
    directory = Path(base) / name if base else _default_base() / name
    os.environ[VARIABLE] = str(directory)
    return directory


def _default_base() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    home = Path(cache) if cache else Path("~").expanduser() / ".cache"
    base = home / "netglass"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:  # no home, or one that we may not write
        return Path(tempfile.mkdtemp(prefix="netglass-"))
    return base if os.access(base, os.W_OK) else Path(tempfile.mkdtemp(prefix="netglass-"))
