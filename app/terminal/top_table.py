"""The full-screen view as a table that fits: which columns there is room for, and in which order flows stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.terminal.flow_rates import TopFlow
from app.terminal.palette import printable

SORTS: Final[dict[str, Callable[[TopFlow], float | str]]] = {
    "rate": lambda flow: -flow.bps,
    "packets": lambda flow: -flow.pps,
    "bytes": lambda flow: -(flow.sent_bytes + flow.received_bytes),
    "newest": lambda flow: -flow.start_ns,
    "host": lambda flow: flow.host or flow.dst,
}


@dataclass(frozen=True, slots=True)
class View:
    """What the user has chosen."""

    sort: str = "rate"
    needle: str = ""  # only flows whose line contains it, any case
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A flow with what only some systems and settings can tell."""

    flow: TopFlow
    program: str | None = None
    country: str | None = None


def rate_text(bps: float) -> str:
    """`12.3 Mb/s`, eight characters wide at most."""
    for unit in ("b", "kb", "Mb", "Gb"):
        if bps < 999.5:
            return f"{bps:.0f} {unit}/s" if unit == "b" or bps >= 99.5 else f"{bps:.1f} {unit}/s"
        bps /= 1000
    return f"{bps:.1f} Tb/s"


def size_text(octets: int) -> str:
    """`1.2 MB`"""
    value = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def chosen(flows: Sequence[Named], view: View) -> list[Named]:
    """Filtered and sorted."""
    needle = view.needle.lower()
    found = [named for named in flows if needle in _line(named)] if needle else list(flows)
    key = SORTS[view.sort]
    return sorted(found, key=lambda named: (key(named.flow), named.flow.flow_id))


def _line(named: Named) -> str:
    flow = named.flow
    parts = (flow.protocol, flow.src, flow.dst, flow.app, flow.host, named.program, named.country)
    return " ".join(part for part in parts if part).lower()


def flow_table(flows: Sequence[Named], width: int, rows: int) -> Table:
    """The first `rows` flows, in columns that fit `width` characters: at 80 the essential ones, the others as there is room."""
    table = Table(box=None, padding=(0, 1, 0, 0), width=width, header_style="bold", pad_edge=False)
    wide, widest = width >= 110, width >= 140
    table.add_column("RATE", justify="right", width=9, no_wrap=True)
    if widest:
        table.add_column("PKT/S", justify="right", width=7, no_wrap=True)
    if wide:
        table.add_column("SENT", justify="right", width=7, no_wrap=True)
        table.add_column("RECV", justify="right", width=7, no_wrap=True)
    table.add_column("PROTO", width=5, no_wrap=True)
    table.add_column("FROM", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("TO", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("CC", width=2, no_wrap=True)
    table.add_column("APPLICATION", width=11, no_wrap=True, overflow="ellipsis")
    table.add_column("PROGRAM", width=10, no_wrap=True, overflow="ellipsis")
    for named in flows[:rows]:
        table.add_row(*_cells(named, wide, widest))
    return table


def _cells(named: Named, wide: bool, widest: bool) -> list[Text]:
    flow = named.flow
    cells = [Text(rate_text(flow.bps), "bold")]
    if widest:
        cells.append(Text(f"{flow.pps:,.0f}"))
    if wide:
        cells += [Text(size_text(flow.sent_bytes)), Text(size_text(flow.received_bytes))]
    color = {"tcp": "green", "udp": "bright_blue", "icmp": "yellow", "icmpv6": "yellow"}.get(flow.protocol, "")
    to = f"{printable(flow.host)}:{flow.dst.rpartition(':')[2]}" if flow.host else flow.dst
    return [
        *cells,
        Text(flow.protocol, color),
        Text(flow.src),
        Text(to),
        Text(named.country or "–"),
        Text(printable(flow.app or "–")),
        Text(printable(named.program or "–")),
    ]


def status_line(view: View, shown: int, of: int, totals: str) -> str:
    """What is seen, and the keys, as rich's markup."""
    parts = [f"{shown} of {of} flows", f"sorted by {view.sort}"]
    if view.needle:
        parts.append(f"containing “{escape(printable(view.needle))}”")
    if view.paused:
        parts.append("[bold yellow]PAUSED[/]")
    return f"{totals}\n{' · '.join(parts)}"
