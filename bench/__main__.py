"""`python -m bench`: Netglass beside its rivals in one run. The table goes to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench import kernels, live, machine, memory, peers, report
from bench.profiles import PROFILES, Profile
from bench.run import floor_mb, interleaved, timed
from bench.traffic import DATA_DIR, cached

RESULTS_DIR: Final = Path(__file__).parent / "results"
DOCUMENT: Final = peers.ROOT / "docs" / "performance.md"
_QUICK: Final = {"imix": 500_000, "small": 500_000, "churn": 200_000}
_QUICK_SLICE: Final = 20  # slow rivals get this much less
_QUICK_LIVE_S: Final = 1.0
_WARM_UP: Final = 2_000  # packets of the file that loads or compiles our kernels


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small files, one round: does everything work?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--packets", type=int, help="packets of each file instead of 10 M (churn: 4 M)")
    parser.add_argument("--workloads", default="imix,churn", help=f"of {', '.join(PROFILES)}; empty for none")
    parser.add_argument("--only", default="", help="rivals whose name contains one of these words, comma-separated")
    parser.add_argument("--ours", default="", metavar="COMMAND", help="another command of ours, with {file} in it")
    parser.add_argument("--nfstream-python", default=sys.executable, help="interpreter that has nfstream")
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of the running program")
    parser.add_argument("--no-live", action="store_true", help="leave out live capture between two namespaces")
    parser.add_argument("--live-seconds", type=float, default=5.0, help="how long each live measurement sends")
    parser.add_argument("--no-kernels", action="store_true", help="leave out compile and load times")
    parser.add_argument(
        "--write-docs", action="store_true", help="no run: put the last results into docs/performance.md"
    )
    return parser.parse_args(arguments)


def _programs(args: argparse.Namespace) -> tuple[list[peers.Program], list[peers.Missing]]:
    found, missing = peers.find(DATA_DIR, args.nfstream_python)
    words = [word for word in args.only.split(",") if word]
    if words:
        found = [program for program in found if any(word in program.name for word in words)]
        missing = []
    if args.quick:
        found = [
            program if program.most_packets is None else peers.smaller(program, program.most_packets // _QUICK_SLICE)
            for program in found
        ]
    return [peers.ours(args.ours), *found], missing


def _profile(name: str, args: argparse.Namespace) -> Profile:
    make = PROFILES[name]
    packets = args.packets or (_QUICK[name] if args.quick else None)
    return make() if packets is None else make(packets)


def _workloads(args: argparse.Namespace, programs: list[peers.Program]) -> list[dict[str, Any]]:
    """All workloads, one after the other; on churn only what keeps flows or reads is worth a run."""
    path, facts = cached(PROFILES["imix"](_WARM_UP))
    first = timed(programs[0], path, facts.packets, args.core)
    if first.error:
        raise SystemExit(f"bench: our own command fails: {first.error}")
    rounds = 1 if args.quick else args.rounds
    results = []
    for name in filter(None, args.workloads.split(",")):
        some = [program for program in programs if peers.runs_on(program, name)]
        facts, runs = interleaved(_profile(name, args), some, rounds, args.core, _say)
        rows = [{"name": one.name, "does": one.does, "runs": [asdict(run) for run in runs[one.name]]} for one in some]
        results.append({"name": name, "facts": asdict(facts), "rounds": rounds, "programs": rows})
    return results


def _limit(name: str, value: float | None, limit: float, unit: str, why: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "unit": unit, "why": why}


def _limits(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What must stay below a limit: start-up of the kernels, memory of the running program."""
    limits = []
    if not args.no_kernels:
        _say("kernels: compiling with an empty cache")
        seen = kernels.measure(args.core)
        limits.append(_limit("kernels compiled, empty cache", seen["cold_s"], kernels.COLD_GOAL_S, "s"))
        limits.append(_limit("kernels loaded from the cache", seen["cached_s"], kernels.CACHED_GOAL_S, "s"))
    if not args.no_memory:
        file, facts = cached(_profile("imix", args))
        _say(f"memory: the running program replays {facts.packets:,} packets")
        sensor, total, why = None, None, ""
        try:
            sensor, total = memory.sensor_and_all(memory.measure(file))
        except (RuntimeError, OSError) as error:
            why = str(error)
        flows = f"after {facts.flows:,} flows"
        limits.append(_limit(f"sensor resident {flows}", sensor, memory.SENSOR_GOAL_MB, "MB", why or "no sensor"))
        limits.append(_limit(f"all processes resident {flows}", total, memory.ALL_GOAL_MB, "MB", why))
    return limits


def _live(args: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Live measurements, or why there are none."""
    if args.no_live:
        return [], "left out"
    try:
        return live.run(_QUICK_LIVE_S if args.quick else args.live_seconds, _say), ""
    except RuntimeError as error:
        return [], str(error)


def last_results() -> dict[str, Any]:
    """The newest results file. Raises SystemExit where there is none."""
    files = sorted(RESULTS_DIR.glob("*.json"))
    if not files:
        raise SystemExit("bench: no results yet; run `make bench` first")
    results: dict[str, Any] = json.loads(files[-1].read_text(encoding="utf-8"))
    return results


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, also where a goal is missed: the table says so."""
    args = _arguments(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # namespaces are removed on the way out
    if args.write_docs:
        report.write_docs(last_results(), DOCUMENT)
        return 0
    unknown = [name for name in args.workloads.split(",") if name and name not in PROFILES]
    if unknown:
        raise SystemExit(f"bench: no workload {unknown[0]}; there are {', '.join(PROFILES)}")
    programs, missing = _programs(args)
    results: dict[str, Any] = {"machine": machine.describe(), "quick": args.quick, "floor_mb": floor_mb(args.core)}
    results["missing"] = [asdict(one) for one in missing]
    RESULTS_DIR.mkdir(exist_ok=True)
    stamp = results["machine"]["when"].replace(" UTC", "").replace(" ", "-").replace(":", "")
    path = RESULTS_DIR / f"{stamp}.json"
    try:
        results["workloads"] = _workloads(args, programs)
        results["limits"] = _limits(args)
        results["live"], results["live_why"] = _live(args)
    finally:  # what was measured before an error or Ctrl+C is kept
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print("\n".join(report.lines(results)))
    _say(f"results: {path}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        _say("bench: stopped")
        sys.exit(130)
