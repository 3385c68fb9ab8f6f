"""`python -m app monitor`: packets and statistics in the terminal.

Options or a dialogue say what to watch; what needs rights is opened, the rights are given up, and only then is loaded what reads frames.
"""

from __future__ import annotations

import argparse
import os
import sys

from app import kernel_cache
from app.capture.opening import ANY, Opened, Stop, check_filter, interface_names, open_sockets, remedy
from app.host.default_interface import default_interface
from app.model.errors import CaptureError, NetglassError
from app.terminal.dialogue import ask_plan
from app.terminal.plan import PRESETS, Plan
from app.terminal.program_names import answerer


def run(args: argparse.Namespace) -> int:
    """0: done, also by Ctrl+C; 1: failed, with one line on stderr; 2: wrong usage."""
    try:
        plan = _plan(args)
    except ValueError as error:
        print(f"netglass: {error}", file=sys.stderr)
        return 2
    except EOFError:
        print("\nnetglass: no answer; monitor -i INTERFACE asks nothing", file=sys.stderr)
        return 2
    try:
        with Stop() as stop:
            return _watch(plan, stop)
    except NetglassError as error:
        print(f"netglass: {_words(error, plan)}{remedy(error)}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name != "scapy":
            raise
        print("netglass: scapy is missing, which captures on this system; make run installs it", file=sys.stderr)
    return 1


def _words(error: NetglassError, plan: Plan) -> str:
    """What is wrong; of a filter also where."""
    if getattr(error, "code", "") == "bad_filter" and sys.platform == "linux":
        return f"the filter {plan.bpf_filter!r}: {check_filter(plan.interfaces or ('lo',), plan.bpf_filter) or error}"
    return str(error)


def _plan(args: argparse.Namespace) -> Plan:
    """Raises ValueError with what is wrong, EOFError where the dialogue gets no answer."""
    if args.preset is not None and args.filter is not None:
        raise ValueError(f"-f {args.filter} and --preset {args.preset}: one of them")
    if args.read is not None and args.interface is not None:
        raise ValueError(f"-r {args.read} and -i {args.interface}: one of them")
    if args.top and (args.json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise ValueError("--top needs a terminal, and cannot go with --json")
    terminal = sys.stdout.isatty()
    plan = Plan(
        file=args.read,
        bpf_filter=args.filter if args.filter is not None else PRESETS[args.preset or "all"],
        mode=args.mode or "compact",
        count=args.count,
        seconds=args.duration,
        stats_seconds=args.stats_interval,
        color=not args.no_color and ((terminal and os.environ.get("NO_COLOR", "") == "") or args.color),
        json=args.json,
        top=args.top,
    )
    if plan.file is not None:
        return plan
    return _with_interfaces(plan, args)


def _with_interfaces(plan: Plan, args: argparse.Namespace) -> Plan:
    chosen = (args.interface, args.filter, args.preset, args.mode, args.count, args.duration)
    default = default_interface()
    if chosen == (None,) * 6 and not plan.json and not plan.top and sys.stdin.isatty() and sys.stdout.isatty():
        return ask_plan(plan, default)
    if args.interface is None and default is None:
        raise ValueError(f"no interface is up; -i names one, or {ANY}")
    names = interface_names(args.interface if args.interface is not None else default or "")
    if names is None:
        raise ValueError(f"-i {args.interface}: name interfaces, separated by commas, or {ANY} alone")
    return Plan(**{**{name: getattr(plan, name) for name in plan.__slots__}, "interfaces": names})


def _watch(plan: Plan, stop: Stop) -> int:
    opened: list[Opened] = []
    answers = None
    if plan.file is None and plan.top:
        answers = answerer()
    if plan.file is None and sys.platform == "linux":
        opened = open_sockets(plan.interfaces, plan.bpf_filter, 0)
    kernel_cache.use()  # the user may be another one now
    if plan.file is not None and plan.file != "-" and not os.path.exists(plan.file):
        raise CaptureError("no_such_file", f"{plan.file}: there is no such file")
    from app.native.loader import load_all  # not before the rights are gone
    from app.terminal.session import Session, open_source

    load_all(_progress)
    source = open_source(plan, opened)
    try:
        if plan.top:
            from app.terminal.top_screen import TopScreen

            return TopScreen(plan, source, stop, answers).run()
        return Session(plan, source, stop).run()
    finally:
        source.close()


def _progress(done: int, total: int, text: str) -> None:
    if sys.stderr.isatty() and total:
        end = "\r\x1b[K" if done == total else ""
        print(f"\rCompiling {done}/{total}: {text}\x1b[K{end}", end="", file=sys.stderr, flush=True)
