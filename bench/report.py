"""Results as text: tables for the terminal and for docs/performance.md, from the results file alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.peers import OURS
from bench.ratios import Run, compare, goal_for, summary, verdict

Results = dict[str, Any]
Row = list[str]

BEGIN: Final = "<!-- results: written by `python -m bench --write-docs` -->"
END: Final = "<!-- end of results -->"


def table(header: Row, rows: list[Row]) -> list[str]:
    """A Markdown table with aligned columns; the first column to the left, the rest to the right."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Row) -> str:
        padded = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return [line(header), "| " + " | ".join(rule) + " |", *map(line, rows)]


def _runs(program: dict[str, Any]) -> list[Run]:
    return [Run(**run) for run in program["runs"]]


def _times(value: float) -> str:
    """A ratio with as many digits as it deserves."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _row(workload: Results, program: dict[str, Any], floor_mb: float, quick: bool) -> Row:
    """One program: speed, cost, memory, and how many times as fast we are."""
    runs = _runs(program)
    facts = summary(runs)
    if facts is None:
        return [program["name"], program["does"], f"failed: {runs[0].error}"[:80] if runs else "not run", *[""] * 8]
    memory = "at most " if facts["rss_mb"] <= floor_mb * 1.1 else ""
    row = [
        program["name"],
        program["does"],
        f"{facts['packets']:,}",
        f"{facts['wall_s']:.2f}" + (f" ({facts['start_s']:.2f} start)" if facts["start_s"] else ""),
        f"{facts['speed']['median'] / 1e6:.4g}",
        f"{facts['cpu_us']:.3g}",
        f"{memory}{facts['rss_mb']:.0f}",
    ]
    ours = next((_runs(one) for one in workload["programs"] if one["name"] == OURS), [])
    ratios = None if program["name"] == OURS else compare(ours, runs)
    if ratios is None:
        return [*row, "", "", "", ""]
    wall, cpu = ratios
    goal = goal_for(workload["name"], program["name"])
    return [
        *row,
        f"{_times(wall.median)} ({_times(wall.low)}–{_times(wall.high)})",
        _times(cpu.median),
        "" if goal is None else f"≥ {goal:g}",
        "" if quick else verdict(goal, wall.median),
    ]


HEADER: Final = [
    *["program", "does", "packets", "s", "Mpps", "CPU µs/packet", "RSS MB"],
    *["Netglass is × as fast (range)", "× by CPU", "goal", ""],
]


def _workload(workload: Results, floor_mb: float, quick: bool) -> Iterator[str]:
    facts = workload["facts"]
    yield (
        f"### {workload['name']}: {facts['packets']:,} packets, {facts['frame_bytes'] / 1e9:.2f} GB, {facts['flows']:,} flows, "
        f"median of {workload['rounds']} rounds"
    )
    yield ""
    yield from table(HEADER, [_row(workload, program, floor_mb, quick) for program in workload["programs"]])
    for program in workload["programs"]:
        errors = [run["error"] for run in program["runs"] if run["error"]]
        if errors:
            yield f"\n{program['name']}: {len(errors)} of {len(program['runs'])} runs do not count: {errors[0]}"
    yield ""


def _limits(limits: list[dict[str, Any]], quick: bool) -> Iterator[str]:
    """Measured values that must stay below a limit."""
    yield "### Start and memory"
    yield ""
    rows = []
    for one in limits:
        value, limit = one["value"], f"≤ {one['limit']:g} {one['unit']}"
        if value is None:
            rows.append([one["name"], f"not measured: {one['why']}", limit, ""])
        else:
            word = "" if quick else "pass" if value <= one["limit"] else "fail"
            rows.append([one["name"], f"{value:.2f} {one['unit']}", limit, word])
    yield from table(["", "measured", "goal", ""], rows)
    yield ""


def _live(live: list[dict[str, Any]]) -> Iterator[str]:
    yield "### Live capture between two network namespaces (veth)"
    yield ""
    rows = [
        [
            one["receiver"],
            one["traffic"],
            f"{one['sent']:,}",
            f"{one['offered_pps'] / 1e3:,.1f}",
            f"{one['captured']:,}",
            f"{one['dropped']:,}",
            f"{100 * one['dropped'] / max(one['sent'], 1):.2f} %",
            f"{one['lost_unseen']:,}",
            f"{one['cpu_percent']:.0f} %",
            "pass" if one["lost_unseen"] == 0 else "fail",
        ]
        for one in live
    ]
    header = [
        "receiver",
        "traffic",
        "sent",
        "kpps",
        "captured",
        "dropped (counted)",
        "drops",
        "unaccounted",
        "CPU",
        "sum",
    ]
    yield from table(header, rows)
    yield ""


def lines(results: Results) -> Iterator[str]:
    """The whole report."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {machine['when']}; {versions}. Load before the run: {machine['load']:.2f}."
    )
    if results["quick"]:
        yield "\n**Quick run: small files, start-up weighs more than it should. Not for comparison.**"
    yield ""
    for workload in results.get("workloads", []):
        yield from _workload(workload, results["floor_mb"], results["quick"])
    for missing in results.get("missing", []):
        yield f"- {missing['name']}: {missing['remedy']}"
    if results.get("missing"):
        yield ""
    if results.get("limits"):
        yield from _limits(results["limits"], results["quick"])
    if results.get("live"):
        yield from _live(results["live"])
    elif results.get("live_why"):
        yield f"Live capture was not measured: {results['live_why']}"


def write_docs(results: Results, path: Path) -> None:
    """Replaces what stands between the markers of the document. Raises ValueError where they are not."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for results")
    path.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines(results)) + f"\n{END}{after}", encoding="utf-8")
