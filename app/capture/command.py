"""`python -m app capture`: frames from interfaces into a file, undecoded.

Opens what needs rights, gives the rights up, and only then loads what reads frames: NumPy starts threads as soon as it is imported, and a
thread keeps the rights it was started with.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from app.capture.opening import ANY, Stop, interface_names, open_sockets, remedy
from app.model.errors import CaptureError, PrivilegeError


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    interfaces: tuple[str, ...]
    output: str
    bpf_filter: str
    count: int | None
    seconds: float | None
    snaplen: int
    file_bytes: int | None = None  # a new file after so many bytes …
    file_seconds: float | None = None  # … or so many seconds,
    files: int | None = None  # of which the newest are kept


def run(args: argparse.Namespace) -> int:
    """The command; `args`: those of `app.__main__`. 0: done, also by Ctrl+C; 1: failed, with one line on
    stderr; 2: wrong usage.
    """
    names = interface_names(args.interface)
    if names is None:
        print(f"netglass: -i {args.interface}: name interfaces, separated by commas, or {ANY} alone", file=sys.stderr)
        return 2
    megabytes, seconds, files = args.file_size, args.file_seconds, args.files
    if args.write == "-" and (megabytes or seconds):
        print("netglass: -C and -G need files to write: -w OUT.pcap", file=sys.stderr)
        return 2
    if files is not None and not (megabytes or seconds):
        print("netglass: -W says how many files of -C or -G are kept; name one of them", file=sys.stderr)
        return 2
    file_bytes = int(megabytes * 1_000_000) if megabytes else None
    request = Request(
        names, args.write, args.filter, args.count, args.duration, args.snaplen, file_bytes, seconds, files
    )
    try:
        return _capture(request)
    except (CaptureError, PrivilegeError) as error:
        print(f"netglass: {error}{remedy(error)}", file=sys.stderr)
    except OSError as error:
        print(f"netglass: writing {request.output} failed: {error.strerror or error}", file=sys.stderr)
    return 1


def _capture(request: Request) -> int:
    with Stop() as stop:
        opened = (
            open_sockets(request.interfaces, request.bpf_filter, request.snaplen) if sys.platform == "linux" else []
        )
        from app.capture.recording import record  # not before the rights are gone

        record(request, opened, stop)
    return 0
