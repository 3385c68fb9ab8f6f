"""LIVE STATS every few seconds, and the final statistics."""

from __future__ import annotations

from typing import Any, Final

from app.enrich.services import service_name
from app.sensor.pipeline import Pipeline
from app.sensor.summary import host_text, size_text, table
from app.terminal.feed import Feed
from app.terminal.palette import PROTOCOL_COLORS, Palette

_LIVE: Final = 3
_FINAL: Final = 10
_RULE: Final = "─" * 72


def duration_text(seconds: float) -> str:
    """`4.2 s`, `3 min 05 s`, `2 h 03 min`."""
    whole = int(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def live_text(pipeline: Pipeline, feed: Feed, runtime: float, pps: float, drops: int, palette: Palette) -> str:
    """A few lines between two rules, to be printed in one piece."""
    counts = pipeline.counts
    protocols = "  ".join(
        f"{palette.paint(name, PROTOCOL_COLORS.get(name))} {count:,}" for name, count in feed.protocols()[:_LIVE]
    )
    hosts = "  ".join(
        f"{host_text(row[0], row[1])} ({row[3] + row[4]:,})" for row in pipeline.roll_ups.top_hosts(_LIVE).tolist()
    )
    lines = [
        palette.paint(f"── LIVE STATS {_RULE[14:]}", "bold"),
        f"Packets: {counts.packets:,} | PPS: {pps:,.0f} | Runtime: {duration_text(runtime)} | {size_text(counts.bytes)}",
        f"Top protocols: {protocols or '–'}",
        f"Top IPs: {hosts or '–'}",
    ]
    lost = _losses(feed, drops)
    if lost:
        lines.append(palette.paint(lost, "yellow"))
    return "\n".join([*lines, palette.paint(_RULE, "bold")]) + "\n"


def _losses(feed: Feed, drops: int) -> str:
    parts = []
    if feed.not_printed:
        parts.append(f"{feed.not_printed:,} packets counted but not printed (the terminal is slower)")
    if drops:
        parts.append(f"{drops:,} packets dropped by the kernel")
    return "; ".join(parts)


def final_text(pipeline: Pipeline, feed: Feed, where: str, seconds: float, drops: int, palette: Palette) -> str:
    """What the run saw. seconds: how long it watched, or what a file spans."""
    counts, rolls = pipeline.counts, pipeline.roll_ups
    rate = f", {counts.packets / seconds:,.0f} packets/s" if seconds > 0 else ""
    lines = [
        "",
        palette.paint(f"── FINAL STATISTICS {_RULE[20:]}", "bold"),
        f"Watched:  {where}",
        f"Duration: {duration_text(seconds)}",
        f"Packets:  {counts.packets:,} ({size_text(counts.bytes)}{rate})",
        f"Flows:    {pipeline.table.created:,}",
    ]
    lost = _losses(feed, drops)
    if lost:
        lines.append(f"Not seen: {lost}")
    undecoded = pipeline.counts.undecoded()
    if undecoded:
        reasons = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in undecoded.items())
        lines.append(f"Not decoded: {reasons}")
    lines += table("Protocols", ("protocol", "packets", "share"), _shares(feed))
    lines += table(
        "Top IPs",
        ("address", "packets", "bytes"),
        [(host_text(row[0], row[1]), row[3] + row[4], row[5] + row[6]) for row in rolls.top_hosts(_FINAL).tolist()],
    )
    lines += table(
        "Top ports",
        ("port", "service", "packets", "bytes"),
        [
            (f"{port}/{protocol}", service_name(protocol, port) or "–", packets, octets)
            for protocol, port, packets, octets in rolls.top_ports(_FINAL)
        ],
    )
    lines += table("Top connections", ("between", "and", "packets", "bytes"), _conversations(pipeline))
    return "\n".join(lines) + "\n"


def _shares(feed: Feed) -> list[tuple[Any, ...]]:
    total = max(feed.packets, 1)
    rows: list[tuple[Any, ...]] = [(name, count, f"{100 * count / total:.1f} %") for name, count in feed.protocols()]
    if feed.dns_packets:
        rows.append(("of it DNS", feed.dns_packets, f"{100 * feed.dns_packets / total:.1f} %"))
    return rows


def _conversations(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    found = pipeline.roll_ups.top_conversations(_FINAL).tolist()
    return [(host_text(row[0], row[1]), host_text(row[2], row[3]), row[5], row[6]) for row in found]
