"""Spares a test that starts the whole program the compilation of the kernels, which takes longer than all that it looks at."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app import kernel_cache


def give(data_dir: Path, uid: int | None = None) -> None:
    """Copies the kernels that other tests compiled, where there are some, to where a program with this DATA_DIR looks for its own.
    uid: of the user who will run it, where that is another one (root only)."""
    name = f"kernels-{kernel_cache.digest()}"
    compiled = kernel_cache._default_base() / name
    if not compiled.is_dir():
        return
    uid = os.geteuid() if uid is None else uid
    kept = data_dir / "cache" / f"kernels-{uid}"
    kept.mkdir(mode=0o700, parents=True)
    shutil.copytree(compiled, kept / name)
    if uid != os.geteuid():
        for objects in (kept / name).glob(f"objects-{os.geteuid()}-*"):
            objects.rename(objects.with_name(objects.name.replace(f"-{os.geteuid()}-", f"-{uid}-", 1)))
        for path in (kept, *kept.rglob("*")):
            os.chown(path, uid, uid)
