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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
INSPECTING: Final = "Netglass, inspectors on"
EVERYTHING: Final = "Netglass, everything on"
OURS: Final = "netglass"
NO_OP: Final = "libpcap no-op loop"

UNCAPPED: Final = (
    "softflowd -m 2000000"  # keeps every flow of `churn`; where flows are fewer it is the same as softflowd
)
# The others take minutes where flows are many, and ndpiReader more than 6 GB.
_ON_CHURN: Final = (OURS, NO_OP, "tcpdump -w /dev/null", "softflowd", UNCAPPED, "argus")


@dataclass(frozen=True)
class Program:
    """One program under the stopwatch."""

    name: str
    does: str
    words: tuple[str, ...]  # the command; {file} stands for the file
    most_packets: int | None = None  # it gets the first N packets of a larger file; None: the whole
    counted: str | None = None  # pattern whose first group is the number of packets it says it read

    def command(self, file: str) -> list[str]:
        """The argument list for a file."""
        return [word.replace("{file}", file) for word in self.words]


def runs_on(program: Program, workload: str) -> bool:
    """Whether a program is worth a run on a workload."""
    return program.name in _ON_CHURN if workload != "imix" else program.name != UNCAPPED


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
    words = shlex.split(template) or [sys.executable, "-m", "app", "analyze", "--counts-only", "{file}"]
    return Program(OURS, "flows, counters", tuple(words), counted=r": ([\d,]+) packets")


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


def _of_debian(package: str, name: str, does: str, command: str, **more: Any) -> tuple[Program, str]:
    """A rival that is a package, and the package's name."""
    return Program(name, does, tuple(command.split()), **more), package


_SOFTFLOWD: Final = "softflowd -r {file} -d -6 -c none -m"  # without -c none it waits for its control socket
_READ: Final = r"Packets processed: (\d+)"
_DEBIAN: Final = (
    _of_debian("tcpdump", "tcpdump -w /dev/null", "copies", "tcpdump -r {file} -w /dev/null"),
    _of_debian("softflowd", "softflowd", "flows", f"{_SOFTFLOWD} 200000", counted=_READ),
    _of_debian("softflowd", UNCAPPED, "flows", f"{_SOFTFLOWD} 2000000", counted=_READ),
    _of_debian("argus-server", "argus", "flows", "argus -r {file} -w -"),
    _of_debian("libndpi-bin", "ndpiReader", "flows, applications", "ndpiReader -i {file} -q"),
    _of_debian("tshark", "tshark -z conv,ip", "dissects", "tshark -n -q -z conv,ip -r {file}", most_packets=500_000),
)


def _python_rivals(nfstream_python: str) -> list[tuple[Program, str, str]]:
    """(program, interpreter, module) of the rivals that are Python packages."""

    def rival(name: str, does: str, most: int, python: str, script: str, argument: str) -> tuple[Program, str, str]:
        words = (python, str(HERE / f"read_{script}.py"), argument, "{file}")
        return Program(name, does, words, most, r"(\d+) packets"), python, script

    return [
        rival("nfstream n_dissections=0", "flows", 1_000_000, nfstream_python, "nfstream", "0"),
        rival("nfstream n_dissections=20", "flows, applications", 1_000_000, nfstream_python, "nfstream", "20"),
        rival("scapy PcapReader", "dissects", 100_000, sys.executable, "scapy", "reader"),
        rival("scapy sniff(offline=)", "dissects, calls back", 20_000, sys.executable, "scapy", "sniff"),
    ]


def find(data_dir: Path, nfstream_python: str = sys.executable) -> tuple[list[Program], list[Missing]]:
    """The rivals of this machine, fastest kind first, and those that are not here."""
    ours = (sys.executable, "-m", "app", "analyze")
    inspecting = (*ours, "--inspect-only", "{file}")
    everything = (*ours, "--json", "{file}")
    found: list[Program] = [
        Program(INSPECTING, "flows, applications, DNS, TLS, HTTP", inspecting, counted=r": ([\d,]+) packets"),
        Program(EVERYTHING, "… entropy, cards, detectors, JSON", everything, counted=r'"packets":(\d+)'),
    ]
    missing: list[Missing] = []
    no_op = data_dir / "noop"
    reason = compiled("noop.c", no_op, "pcap")
    if reason is None:
        found.append(Program(NO_OP, "reads", (str(no_op), "{file}"), counted=r"(\d+) packets"))
    else:
        missing.append(Missing(NO_OP, reason))
    for program, package in _DEBIAN:
        if shutil.which(program.words[0]):
            found.append(program)
        else:
            missing.append(Missing(program.name, f"not installed: apt-get install {package}"))
    for program, python, module in _python_rivals(nfstream_python):
        if has_module(python, module):
            found.append(program)
        else:
            missing.append(Missing(program.name, f"not installed: pip install {module} (or --{module}-python PATH)"))
    return found, missing
