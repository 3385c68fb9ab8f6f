"""The commands: `python -m app monitor | capture | analyze | interfaces`. Parses arguments, loads the one command, hands over."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from typing import Final

from app import kernel_cache
from app.model.errors import NetglassError

# command → module with run(args) -> exit status
_MODULES: Final = {
    "monitor": "app.terminal.command",
    "capture": "app.capture.command",
    "analyze": "app.sensor.analyze",
    "interfaces": "app.host.interfaces_command",
    "reproduce": "app.sensor.reproduce",
}


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _snaplen(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or int(text) > 262_144:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number 0..262144")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return float(text)


def _megabytes(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text, re.ASCII) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of million bytes above 0")
    return float(text)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="python -m app", description="Netglass: a network monitor.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    monitor = commands.add_parser("monitor", help="watch in the terminal")
    monitor.add_argument("-i", "--interface", metavar="IFACE", help="interface, several with commas, or any")
    monitor.add_argument("-f", "--filter", metavar="BPF", help="capture filter in libpcap's language")
    monitor.add_argument("--preset", choices=("all", "tcp", "udp", "icmp", "http", "dns"), help="a ready-made filter")
    monitor.add_argument("-m", "--mode", choices=("compact", "detailed", "minimal"), help="default: compact")
    monitor.add_argument("-r", "--read", metavar="FILE", help="read a capture file instead; - for standard input")
    monitor.add_argument("-c", "--count", type=_count, metavar="COUNT", help="end after this many packets")
    monitor.add_argument("-d", "--duration", type=_seconds, metavar="SECONDS", help="end after this time")
    monitor.add_argument(
        "--stats-interval", type=_seconds, default=5.0, metavar="SECONDS", help="between two LIVE STATS (5)"
    )
    color = monitor.add_mutually_exclusive_group()
    color.add_argument("--no-color", action="store_true", help="no colours; so does NO_COLOR")
    color.add_argument("--color", action="store_true", help="colours also where the output is no terminal")
    monitor.add_argument("--json", action="store_true", help="one JSON object a packet and line")
    monitor.add_argument("--top", action="store_true", help="full screen: connections by rate")

    capture = commands.add_parser("capture", help="capture packets to a file")
    capture.add_argument(
        "-i", "--interface", required=True, metavar="IFACE", help="interface, several with commas, or any"
    )
    capture.add_argument(
        "-w", "--write", required=True, metavar="OUT.pcap", help="file to write; - for standard output"
    )
    capture.add_argument("-f", "--filter", default="", metavar="BPF", help="capture filter in libpcap's language")
    capture.add_argument("-c", "--count", type=_count, metavar="COUNT", help="end after this many packets")
    capture.add_argument("-d", "--duration", type=_seconds, metavar="SECONDS", help="end after this time")
    capture.add_argument(
        "-s", "--snaplen", type=_snaplen, default=0, metavar="SNAPLEN", help="bytes kept of a packet; 0: all"
    )

    capture.add_argument(
        "-C", "--file-size", type=_megabytes, metavar="MEGABYTES", help="begin a new file after so many million bytes"
    )
    capture.add_argument(
        "-G", "--file-seconds", type=_seconds, metavar="SECONDS", help="begin a new file after this time"
    )
    capture.add_argument("-W", "--files", type=_count, metavar="COUNT", help="with -C or -G: keep only the newest")

    analyze = commands.add_parser("analyze", help="analyse capture files")
    analyze.add_argument("files", nargs="+", metavar="FILE", help="pcap or pcapng, also gzip; - for standard input")
    analyze.add_argument("--json", action="store_true", help="one JSON document a line")
    depth = analyze.add_mutually_exclusive_group()
    depth.add_argument(
        "--counts-only", action="store_true", help="packets, flows and counters; nothing looks into payload"
    )
    depth.add_argument(
        "--inspect-only", action="store_true", help="… and applications, DNS, TLS, HTTP; no card numbers, no alerts"
    )

    again = commands.add_parser("reproduce", help="does the file of an alert's packets raise the alert again?")
    again.add_argument("files", nargs="+", metavar="FILE", help="packets of an alert, as the dashboard gives them")
    again.add_argument("--json", action="store_true", help="one JSON document a line")

    interfaces = commands.add_parser("interfaces", help="list interfaces, physical first")
    interfaces.add_argument("--json", action="store_true", help="as JSON")
    return top


def main(argv: list[str]) -> int:
    """Exit status 0 = done, 1 = the work failed (one line on standard error), 2 = wrong usage."""
    arguments = parser().parse_args(argv)
    kernel_cache.use()
    try:
        module = importlib.import_module(_MODULES[arguments.command])
    except ModuleNotFoundError as error:
        if error.name is None or not _MODULES[arguments.command].startswith(error.name):
            print(f"netglass: a package is missing ({error.name}); make run installs it", file=sys.stderr)
        else:
            print(f"netglass: this version has no command {arguments.command}", file=sys.stderr)
        return 1
    try:
        status: int = module.run(arguments)
        sys.stdout.flush()
        return status
    except NetglassError as error:
        print(f"netglass: {error}", file=sys.stderr)
    except BrokenPipeError:
        # The reader of our output has gone (head): no traceback, also not from the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
