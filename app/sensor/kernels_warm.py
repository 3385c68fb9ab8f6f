"""Compiles or loads all kernels of the sensor, with progress: some seconds the first time, some hundredths of a second afterwards."""

from __future__ import annotations

from app.allocation import let_go_of_file
from app.native.loader import Progress, load_all


def compile_all(progress: Progress) -> None:
    """Make every kernel ready; progress(done, total, text) before each that has to be compiled, and once at the end."""
    load_all(progress)
    let_go_of_file("libllvmlite")  # 15 MB of constants; nothing is compiled any more
