"""Each distinct address of the flows once, with what is known of it: a number for the flows to refer to, and columns beside it.

Numbers hold within one table. A table only grows; when it is full, a new one is made of the addresses that are still used, and whoever looks at
older flows keeps the older table. So readers in other threads index into its columns without a lock; a place may appear there while they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.scope import NO_ADDRESS, scopes

NOBODY: Final = 0  # number of an end without an address
FIRST_ROWS: Final = 4_096

HOST_DTYPE: Final = np.dtype(
    [
        ("hi", "<u8"),
        ("lo", "<u8"),
        ("version", "u1"),
        ("scope", "u1"),  # index into app.enrich.scope.SCOPES
        ("anonymous", "i1"),  # 1 yes, 0 no, -1 not known
        ("country", "<u2"),  # these three: index into the words; 0 = not known
        ("city", "<u4"),
        ("system", "<u4"),
        ("ping_ms", "<f4"),  # NaN: not measured, or no answer
    ]
)


class Words:
    """Texts that columns refer to by number: countries, cities, (AS number, organisation). They only grow, so numbers stay good."""

    def __init__(self) -> None:
        self.countries: list[str | None] = [None]
        self.cities: list[str | None] = [None]
        self.systems: list[tuple[int | None, str | None]] = [(None, None)]
        self._country_of: dict[str, int] = {}
        self._city_of: dict[str, int] = {}
        self._system_of: dict[tuple[int | None, str | None], int] = {}

    def country(self, code: str | None) -> int:
        return _number(self._country_of, self.countries, code) if code else 0

    def city(self, name: str | None) -> int:
        return _number(self._city_of, self.cities, name) if name else 0

    def system(self, asn: int | None, organization: str | None) -> int:
        if asn is None and organization is None:
            return 0
        return _number(self._system_of, self.systems, (asn, organization))


def _number(numbers: dict[Any, int], words: list[Any], word: Any) -> int:
    number = numbers.get(word)
    if number is None:
        words.append(word)  # before the number is known to anybody
        number = numbers[word] = len(words) - 1
    return number


class HostTable:
    """One writer. `rows[number]` is HOST_DTYPE; the array is replaced when it grows, so take `rows` once and index into that."""

    def __init__(self, words: Words | None = None) -> None:
        self.words = words if words is not None else Words()
        self.rows = np.zeros(FIRST_ROWS, HOST_DTYPE)
        self.rows["anonymous"] = -1
        self.rows["ping_ms"] = np.nan
        self.rows["scope"][NOBODY] = NO_ADDRESS
        self.count = 1  # NOBODY is there from the start
        self.looked_up = 1  # the places of the hosts before this number are known, as far as they can be
        self._number_of: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return self.count

    def number(self, high: int, low: int) -> int:
        """The number of an address, NOBODY if it is not in the table."""
        return self._number_of.get((high, low), NOBODY)

    def numbers(self, version: NDArray[Any], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """The number of each address; those that are new get one. NOBODY where the version is neither 4 nor 6."""
        known, found, fresh, count = self._number_of, [], [], self.count
        for place, key in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
            number = known.get(key)
            if number is None:
                number = known[key] = count
                count += 1
                fresh.append(place)
            found.append(number)
        if fresh:
            self._add(version[fresh], high[fresh], low[fresh])
        numbers = np.array(found, np.uint32)
        numbers[version == 0] = NOBODY
        return numbers

    def _add(self, version: NDArray[Any], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> None:
        first, last = self.count, self.count + len(high)
        if last > len(self.rows):
            rows = np.zeros(max(2 * len(self.rows), last), HOST_DTYPE)
            rows["anonymous"] = -1
            rows["ping_ms"] = np.nan
            rows[: self.count] = self.rows[: self.count]
            self.rows = rows
        part = self.rows[first:last]
        part["hi"], part["lo"], part["version"] = high, low, version
        part["scope"] = scopes(version, high, low)
        self.count = last

    def only(self, numbers: NDArray[np.uint32]) -> tuple[HostTable, NDArray[np.uint32]]:
        """A new table of these hosts alone (ascending, without NOBODY), and an array that gives the new number of each old one."""
        table = HostTable(self.words)
        kept = self.rows[numbers]
        table._number_of = {
            key: place + 1 for place, key in enumerate(zip(kept["hi"].tolist(), kept["lo"].tolist(), strict=True))
        }
        table.rows = np.concatenate([table.rows[:1], kept])
        table.count = len(kept) + 1
        table.looked_up = int(np.searchsorted(numbers, self.looked_up)) + 1
        renumbered = np.zeros(self.count, np.uint32)
        renumbered[numbers] = np.arange(1, len(kept) + 1, dtype=np.uint32)
        return table, renumbered

    def known(self, numbers: NDArray[Any], column: str) -> NDArray[Any]:
        """A column of these hosts; numbers that are not in the table count as NOBODY."""
        rows = self.rows
        safe = np.where(numbers < len(rows), numbers, NOBODY)
        return np.asarray(rows[column][safe])

    def texts(self, numbers: NDArray[Any], column: str, words: Sequence[Any]) -> list[Any]:
        """The words that `column` refers to, one for each number."""
        return [words[code] for code in self.known(numbers, column).tolist()]


NO_HOSTS: Final = HostTable()
