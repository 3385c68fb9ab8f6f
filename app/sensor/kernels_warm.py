"""Compiles or loads all kernels of the sensor, with progress: about ten seconds the first time, a fraction of a second from the cache."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final

# (module, what to tell the user). Importing a kernel module compiles its functions: they have explicit signatures.
KERNEL_MODULES: Final = (
    ("app.wire.pcap_kernels", "capture files"),
    ("app.capture.ring_kernels", "packet rings"),
    ("app.wire.decode_kernels", "decoding"),
    ("app.flow.table_kernels", "flows"),
    ("app.flow.roll_up_kernels", "hosts and conversations"),
    ("app.stats.count_kernels", "statistics"),
    ("app.sensor.store_kernels", "packet store"),
    ("app.wire.bpf", "filters"),
)

Progress = Callable[[int, int, str], None]


def compile_all(progress: Progress) -> None:
    """Import every kernel module; progress(done, total, text) before each and once at the end."""
    total = len(KERNEL_MODULES)
    for done, (module, text) in enumerate(KERNEL_MODULES):
        progress(done, total, text)
        importlib.import_module(module)
    progress(total, total, "ready")
