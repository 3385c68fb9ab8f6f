"""Addresses and domains that the user does not want to see contacted: lists in plain text, CSV and hosts format, compiled for look-ups.

Plain: one address, network or domain a line. Hosts: an address of nowhere (0.0.0.0, 127.0.0.1, ::1) and the domain. CSV: the first field of a line that
is an address, a network, a domain or a web address counts. `#` and `;` begin comments. A comment `# category: tor` (or vpn, proxy, block) says what the following lines are. What is none of these is counted, not guessed.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES: Final = 2_000_000
MOST_BYTES: Final = 128 << 20  # of one file
_DOMAIN: Final = re.compile(
    r"(?:\*\.|\.|\|\|)?((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])\^?\Z"
)
_WEB: Final = re.compile(r"(?:https?|ftp|hxxps?)://([^/:?#\s]{1,255}|\[[0-9a-f:.]{2,45}\])")
BLOCK: Final = "block"
CATEGORIES: Final = (BLOCK, "tor", "vpn", "proxy")
_CATEGORY: Final = re.compile(r"\s{0,8}[#;!]\s{0,8}category\s{0,4}[:=]\s{0,4}([A-Za-z]{1,20})\s{0,80}\Z", re.IGNORECASE)
_NOWHERE: Final = frozenset(("0.0.0.0", "127.0.0.1", "::1", "::", "0", "255.255.255.255", "fe80::1%lo0"))
_OWN: Final = frozenset(
    ("localhost", "localhost.localdomain", "broadcasthost", "local", "ip6-localhost", "ip6-loopback")
)


@dataclass(slots=True)
class BlockList:
    """What lists say, compiled. `name_of` an entry is the file it came from."""

    domains: dict[str, int] = field(default_factory=dict)  # → number of the list
    lists: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)  # of each list
    refused: int = 0  # lines that say nothing readable
    left_out: int = 0  # entries beyond MOST_ENTRIES
    _v4: list[tuple[int, int, int]] = field(default_factory=list)
    _v6: list[tuple[int, int, int]] = field(default_factory=list)
    _v4_starts: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _v4_ends: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    def __len__(self) -> int:
        return len(self.domains) + len(self._v4) + len(self._v6)

    def read(self, name: str, lines: Iterable[str]) -> None:
        """One list. Call `compile` after the last."""
        number = self._begin(name, BLOCK)
        for line in lines:
            said = _CATEGORY.match(line)
            if said is not None:
                number = self._begin(name, said[1].lower())
                continue
            entry = entry_of(line)
            if entry is None:
                self.refused += bool(line.strip()) and line.strip()[0] not in "#;!"
            elif len(self) >= MOST_ENTRIES:
                self.left_out += 1
            elif isinstance(entry, str):
                self.domains.setdefault(entry, number)
            elif entry.version == 4:
                self._v4.append((int(entry.network_address), int(entry.broadcast_address), number))
            else:
                self._v6.append((int(entry.network_address), int(entry.broadcast_address), number))

    def _begin(self, name: str, category: str) -> int:
        """The number of a list (or of a part of one) of that category."""
        self.lists.append(name)
        self.categories.append(category if category in CATEGORIES else BLOCK)
        return len(self.lists) - 1

    def compile(self) -> BlockList:
        """Sort, so that look-ups are fast; networks inside others go."""
        self._v4, self._v6 = _merged(self._v4), _merged(self._v6)
        self._v4_starts = np.array([start for start, _, _ in self._v4], np.uint64)
        self._v4_ends = np.array([end for _, end, _ in self._v4], np.uint64)
        return self

    def domain(self, name: str) -> tuple[str, str, str] | None:
        """(entry, list, category) that a name falls under: itself or a parent."""
        labels = name.lower().rstrip(".").split(".")
        for start in range(len(labels) - 1):
            entry = ".".join(labels[start:])
            number = self.domains.get(entry)
            if number is not None:
                return entry, self.lists[number], self.categories[number]
        return None

    def address(self, address: str) -> tuple[str, str] | None:
        """(list, category) that an address is on."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        ranges = self._v4 if parsed.version == 4 else self._v6
        place = bisect_right(ranges, (int(parsed), 1 << 128, 0)) - 1
        if place >= 0 and ranges[place][0] <= int(parsed) <= ranges[place][1]:
            number = ranges[place][2]
            return self.lists[number], self.categories[number]
        return None

    def v4_rows(self, addresses: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these IPv4 addresses (as numbers) are on a list."""
        if not len(self._v4_starts):
            return np.zeros(len(addresses), np.bool_)
        place = np.searchsorted(self._v4_starts, addresses, side="right").astype(np.int64) - 1
        found: NDArray[np.bool_] = (place >= 0) & (addresses <= self._v4_ends[np.maximum(place, 0)])
        return found

    @property
    def has_v6(self) -> bool:
        return bool(self._v6)


def entry_of(line: str) -> str | ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """What a line names: a domain, a network (an address is one), or nothing."""
    text = line.strip().lower()
    if not text or text[0] in "#;!":
        return None
    text = re.split(r"\s[#;]", text, maxsplit=1)[0].strip()
    words = text.split()
    if len(words) >= 2 and words[0] in _NOWHERE:
        return _domain(words[1])
    for part in re.split(r"[,;\t]", text):
        part = part.strip().strip("\"'").strip()
        found = _WEB.match(part)
        part = found[1].strip("[]") if found else part
        if part.replace(".", "").replace("/", "").isdigit() and "." not in part:
            continue  # a number, not an address
        try:
            return ipaddress.ip_network(part.split()[0] if part else "", strict=False)
        except ValueError:
            pass
        if name := _domain(part.partition(" ")[0]):
            return name
    return None


def _domain(text: str) -> str | None:
    found = _DOMAIN.match(text.rstrip("."))
    return found[1] if found and found[1] not in _OWN else None


def _merged(ranges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    for start, end, number in sorted(ranges, key=lambda one: (one[0], -one[1])):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end, merged[-1][2])
            continue
        merged.append((start, end, number))
    return merged


def read_block_lists(paths: Iterable[str]) -> tuple[BlockList, list[str]]:
    """All files, compiled, and one sentence for each that could not be read or says nothing."""
    lists, problems = BlockList(), []
    for path in paths:
        before = len(lists)
        try:
            if Path(path).stat().st_size > MOST_BYTES:
                problems.append(f"The block list {path} is larger than {MOST_BYTES >> 20} MiB and was left out.")
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                lists.read(Path(path).name, file)
        except OSError as error:
            problems.append(f"The block list {path} cannot be read: {error.strerror or error}.")
            continue
        if len(lists) == before:
            problems.append(f"The block list {path} names no address and no domain.")
    return lists.compile(), problems
