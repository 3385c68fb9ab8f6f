"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

_VERSIONS = {
    "tcpdump": ["tcpdump", "--version"],
    "tshark": ["tshark", "--version"],
    "ndpiReader": ["ndpiReader", "-h"],
    "argus": ["argus", "-h"],
    "softflowd": ["softflowd", "-h"],
    "tcpreplay": ["tcpreplay", "--version"],
}


def _processor() -> str:
    """Vendor, model and, where the name says little, family and model number."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    fields = dict(re.findall(r"^(model name|cpu family|model|stepping)\s*:\s*(.*)$", text, re.MULTILINE))
    numbers = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields.get('model name', platform.machine())} ({numbers})"


def _first_version(command: list[str]) -> str | None:
    """The first number with dots that a program prints about itself."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return found.group() if found else None


def describe() -> dict[str, Any]:
    """Processor, memory, kernel, versions, and how busy the machine already is."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))
    versions = {name: _first_version(command) for name, command in _VERSIONS.items()}
    for package in ("numpy", "numba", "scapy", "nfstream"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.group(1)) / 1024**2) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "load": os.getloadavg()[0],
        "interpreter": sys.implementation.name,
    }
