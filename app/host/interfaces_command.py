"""`python -m app interfaces`: a table of the interfaces, physical ones first, the default one marked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

import psutil

from app.host.interfaces import Interface, default_interface, interfaces, statistics

_HEAD: Final = ("", "NAME", "STATE", "KIND", "SPEED", "MTU", "MAC", "RECEIVED", "SENT", "ERRORS", "DROPS", "ADDRESSES")
_RIGHT: Final = frozenset({"SPEED", "MTU", "RECEIVED", "SENT", "ERRORS", "DROPS"})


def run(args: argparse.Namespace) -> int:
    """Print the table, or with `args.json` a JSON document; 0, or 1 with one line on stderr where the system does not tell."""
    try:
        found = interfaces()
    except (OSError, psutil.Error) as error:
        print(f"netglass: the system does not list its interfaces: {error}", file=sys.stderr)
        return 1
    default = default_interface(found)
    if getattr(args, "json", False):
        print(json.dumps({"interfaces": [statistics(one) for one in found], "default": default}))
    else:
        print(table(found, default))
    return 0


def table(found: Sequence[Interface], default: str | None) -> str:
    """The table as text, columns aligned."""
    rows = [_HEAD, *(_row(one, one.name == default) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if title in _RIGHT else cell.ljust(width)
            for cell, width, title in zip(row, widths, _HEAD, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes for people: 1.5 MB (powers of 1000)."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.95:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _row(one: Interface, is_default: bool) -> tuple[str, ...]:
    return (
        "*" if is_default else "",
        one.name,
        "up" if one.is_up else "down",
        "physical" if one.is_physical else "loopback" if one.is_loopback else "virtual",
        f"{one.speed_mbps} Mb/s" if one.speed_mbps else "-",
        str(one.mtu) if one.mtu else "-",
        one.mac or "-",
        size(one.bytes_recv),
        size(one.bytes_sent),
        str(one.errors),
        str(one.drops),
        ", ".join(one.addresses) or "-",
    )
