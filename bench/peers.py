"""The programs that are measured beside ours: their exact commands, and how much of a file each is given.

A rival that is not on this machine is listed with the way to get it. They differ in what they do: the no-op loop and
`tcpdump -w` only read, softflowd and argus keep flows, ndpiReader and nfstream also recognise applications, tshark and
scapy dissect every packet.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
OURS: Final = "netglass"
NO_OP: Final = "libpcap no-op loop"

# The others take minutes where flows are many, and ndpiReader more than 6 GB.
ON_EVERY_WORKLOAD: Final = (OURS, NO_OP, "tcpdump -w /dev/null", "softflowd", "argus")

Command = Callable[[str], list[str]]


@dataclass(frozen=True)
class Program:
    """One program under the stopwatch."""

    name: str
    does: str
    command: Command  # file → argument list
    most_packets: int | None = None  # it gets the first N packets of a larger file; None: the whole
    counted: str | None = None  # pattern whose first group is the number of packets it says it read


def smaller(program: Program, most_packets: int) -> Program:
    """The same program with a smaller slice."""
    return replace(program, most_packets=most_packets)


@dataclass(frozen=True)
class Missing:
    """A rival that cannot be measured here."""

    name: str
    remedy: str


def ours(template: str = "") -> Program:
    """Our program: decode, flow table, counters and a text summary. `template`: another command, with {file} in it."""
    words = shlex.split(template) or [sys.executable, "-m", "app", "analyze", "{file}"]
    return Program(
        OURS,
        "flows, counters",
        lambda file: [word.replace("{file}", file) for word in words],
        counted=r": ([\d,]+) packets",
    )


def compiled(source: str, target: Path, *libraries: str) -> str | None:
    """Compiles a C file of this folder unless that is done already; returns why it cannot be, else None."""
    code = HERE / source
    if target.exists() and target.stat().st_mtime > code.stat().st_mtime:
        return None
    compiler = shutil.which("cc")
    if compiler is None:
        return "not installed: apt-get install gcc libc6-dev libpcap-dev"
    target.parent.mkdir(exist_ok=True)
    command = [compiler, "-O2", "-o", str(target), str(code), *(f"-l{name}" for name in libraries)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"does not compile (apt-get install libpcap-dev?): {done.stderr.strip().splitlines()[0]}"
    return None


def has_module(python: str, module: str) -> bool:
    """Whether an interpreter can import a module."""
    command = [python, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _installed() -> list[tuple[Program, str, str]]:
    """(program, executable, Debian package) of the rivals that are packages."""
    return [
        (
            Program("tcpdump -w /dev/null", "copies", lambda file: ["tcpdump", "-r", file, "-w", "/dev/null"]),
            "tcpdump",
            "tcpdump",
        ),
        (
            Program(
                "softflowd",
                "flows",
                lambda file: ["softflowd", "-r", file, "-d", "-6", "-m", "200000", "-c", "none"],
                counted=r"Packets processed: (\d+)",
            ),
            "softflowd",
            "softflowd",
        ),
        (
            Program("argus", "flows", lambda file: ["argus", "-r", file, "-w", "-"]),
            "argus",
            "argus-server",
        ),
        (
            Program("ndpiReader", "flows, applications", lambda file: ["ndpiReader", "-i", file, "-q"]),
            "ndpiReader",
            "libndpi-bin",
        ),
        (
            Program(
                "tshark -z conv,ip",
                "dissects",
                lambda file: ["tshark", "-n", "-q", "-z", "conv,ip", "-r", file],
                most_packets=500_000,
            ),
            "tshark",
            "tshark",
        ),
    ]


def _python_rivals(nfstream_python: str) -> list[tuple[Program, str, str]]:
    """(program, interpreter, module) of the rivals that are Python packages."""

    def script(python: str, name: str, *arguments: str) -> Command:
        return lambda file: [python, str(HERE / name), *arguments, file]

    packets = r"(\d+) packets"
    rivals = []
    for dissections, does in (("0", "flows"), ("20", "flows, applications")):
        command = script(nfstream_python, "read_nfstream.py", dissections)
        name = f"nfstream n_dissections={dissections}"
        rivals.append((Program(name, does, command, 1_000_000, packets), nfstream_python, "nfstream"))
    for mode, does, most in (("reader", "dissects", 100_000), ("sniff", "dissects, calls back", 20_000)):
        name = {"reader": "scapy PcapReader", "sniff": "scapy sniff(offline=)"}[mode]
        command = script(sys.executable, "read_scapy.py", mode)
        rivals.append((Program(name, does, command, most, packets), sys.executable, "scapy"))
    return rivals


def find(data_dir: Path, nfstream_python: str = sys.executable) -> tuple[list[Program], list[Missing]]:
    """The rivals of this machine, fastest kind first, and those that are not here."""
    found: list[Program] = []
    missing: list[Missing] = []
    no_op = data_dir / "noop"
    reason = compiled("noop.c", no_op, "pcap")
    if reason is None:
        found.append(Program(NO_OP, "reads", lambda file: [str(no_op), file], counted=r"(\d+) packets"))
    else:
        missing.append(Missing(NO_OP, reason))
    for program, executable, package in _installed():
        if shutil.which(executable):
            found.append(program)
        else:
            missing.append(Missing(program.name, f"not installed: apt-get install {package}"))
    for program, python, module in _python_rivals(nfstream_python):
        if has_module(python, module):
            found.append(program)
        else:
            missing.append(Missing(program.name, f"not installed: pip install {module} (or --{module}-python PATH)"))
    return found, missing
