"""Who made a network card: the IEEE's registry of address blocks (MA-L, MA-M and MA-S), bundled (`data/oui.md`)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.packed import DamagedTable, Names, read_table

BUNDLED: Final = Path(__file__).with_name("data") / "oui.table.xz"
BITS: Final = (36, 28, 24)  # lengths of the prefixes, longest first
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\Z")
_LOCAL: Final = 0x02 << 40  # of the first byte: given out by whoever runs the network (IEEE 802 § 8.2)
_GROUP: Final = 0x01 << 40

Prefixes = dict[int, tuple[NDArray[np.uint64], NDArray[np.uint32]]]


def vendor(mac: str) -> str | None:
    """The maker of a card with this address (`00:1b:21:…`); None where it is not registered, made up, or no card's address.

    A phone that makes up its address has no vendor: the bit that says so is looked at first.
    """
    number = mac_number(mac)
    if number is None or number & (_LOCAL | _GROUP):
        return None
    tables, names = _tables()
    for bits in BITS:
        prefixes, owners = tables[bits]
        prefix = np.uint64(number >> (48 - bits))
        place = int(np.searchsorted(prefixes, prefix))
        if place < len(prefixes) and prefixes[place] == prefix:
            return names[int(owners[place])] or None
    return None


def is_made_up(mac: str) -> bool:
    """Whether the address was chosen by software: a phone that hides, a virtual machine, a container."""
    number = mac_number(mac)
    return number is not None and bool(number & _LOCAL)


def mac_number(mac: str) -> int | None:
    """The 48 bits of `00:1b:21:…`; None where the text is no such address."""
    text = mac.lower()
    return int(text.replace(":", "").replace("-", ""), 16) if _MAC.match(text) else None


@cache
def _tables() -> tuple[Prefixes, Names]:
    """Read at the first question: 60 ms."""
    try:
        columns, names, _ = read_table(BUNDLED)
        found: Prefixes = {}
        for bits in BITS:
            found[bits] = np.cumsum(columns[f"prefix{bits}"], dtype=np.uint64), columns[f"owner{bits}"]
    except (OSError, DamagedTable, KeyError):
        none = np.zeros(0, np.uint64), np.zeros(0, np.uint32)
        return dict.fromkeys(BITS, none), Names(b"")
    return found, names
