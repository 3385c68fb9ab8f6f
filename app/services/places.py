"""Where addresses are: fills in country, city and autonomous system of the mirror's hosts, in the background.

An address that is new gets its place within a tick, in a real thread; who asks for a page takes what is there and never waits. Addresses that are not
global are never looked up. What a probe learns of an address (`learn`) goes over what the tables say.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.concurrency import run_blocking
from app.enrich.asn import AsnTable, empty_table, load_asn
from app.enrich.country import BUNDLED, CountryReader, Place, read_countries
from app.enrich.packed import DamagedTable
from app.enrich.scope import GLOBAL
from app.model.timestamps import rfc3339
from app.services.host_table import HOST_DTYPE, HostTable, Words
from app.services.mirror import Mirror
from app.wire.addresses import format_address, parse_address

BATCH: Final = 4_000  # hosts that are looked up at once: about 10 ms in another thread
SECONDS: Final = 5.0  # between two looks without anything new
MAX_LEARNT: Final = 100_000

_log = logging.getLogger(__name__)
_NOWHERE: Final = Place()


class Places:
    """`run` is for a background thread; `learn` and `document` for anybody."""

    def __init__(self, mirror: Mirror, database: Path | None = None) -> None:
        self._mirror = mirror
        self._path = database
        self._like: Places | None = None
        self._countries: CountryReader | None = None
        self._systems: AsnTable = empty_table()
        self._learnt: OrderedDict[tuple[int, int], Place] = OrderedDict()
        self.problem: str | None = None
        self.state = "starting"

    def share(self, other: Places) -> None:
        """Uses the tables that another has opened, where it has: one set of them is enough for the process."""
        self._like = other

    def open(self) -> None:
        """Opens the databases: 0.2 s. What cannot be opened is said in `document`, and the rest goes on."""
        if self._like is not None and self._like.state == "ready":
            like = self._like
            self._countries, self._systems, self.problem = like._countries, like._systems, like.problem
            self.state = like.state
            return
        problems = []
        for path in (self._path, BUNDLED) if self._path is not None else (BUNDLED,):
            try:
                self._countries = read_countries(path)
                break
            except (OSError, ValueError) as error:
                problems.append(str(error))
        try:
            self._systems = load_asn()
        except (OSError, DamagedTable) as error:
            problems.append(str(error))
        self.problem = "; ".join(problems) or None
        if problems:
            _log.warning("places: %s", self.problem)
        self.state = "ready" if self._countries is not None else "failed"

    def run(self) -> None:
        """Looks up what is new, for the life of the mirror."""
        run_blocking(self.open)
        generation = -1
        while not self._mirror.ended:
            generation = self._mirror.wait(generation, SECONDS)
            while self.look_up_some():
                time.sleep(0)  # others first

    def look_up_some(self) -> int:
        """Looks up the places of at most BATCH hosts; how many there were."""
        hosts = self._mirror.flows.hosts
        first, last = hosts.looked_up, min(hosts.count, hosts.looked_up + BATCH)
        if first >= last:
            return 0
        known = run_blocking(self._look_up, hosts.rows[first:last].copy(), hosts.words)
        self._mirror.place_hosts(hosts, first, known)
        return last - first

    def learn(self, places: dict[str, Place]) -> None:
        """What a probe was told of addresses; told hosts change at once."""
        hosts = self._mirror.flows.hosts
        for address, place in places.items():
            key = parse_address(address)[1:]
            self._learnt[key] = place
            self._learnt.move_to_end(key)
            if len(self._learnt) > MAX_LEARNT:
                self._learnt.popitem(last=False)
            number = hosts.number(*key)
            if 0 < number < hosts.looked_up:
                row = hosts.rows[number : number + 1].copy()
                _fill(row, hosts.words, place)
                self._mirror.place_hosts(hosts, number, row)

    def place(self, address: str) -> Place:
        """What the tables say of one address, at once: for what is asked about a single host. `ValueError` where the text is no address."""
        version, high, low = parse_address(address)
        rows = HostTable()
        rows.numbers(np.array([version], np.uint8), np.array([high], np.uint64), np.array([low], np.uint64))
        row = self._look_up(rows.rows[1:2].copy(), rows.words)[0]
        asn, organization = rows.words.systems[int(row["system"])]
        return Place(
            rows.words.countries[int(row["country"])],
            rows.words.cities[int(row["city"])],
            asn=asn,
            organization=organization,
            is_anonymous=bool(row["anonymous"]) if row["anonymous"] >= 0 else None,
        )

    def document(self) -> dict[str, Any]:
        """`{state, database, built, systems, problem}`."""
        countries = self._countries
        return {
            "state": self.state,
            "database": countries.type if countries is not None else None,
            "bundled": countries is not None and countries.path == BUNDLED,
            "built": rfc3339(countries.built * 1_000_000_000) if countries is not None else None,
            "systems": self._systems.note or None,
            "problem": self.problem,
        }

    def _look_up(self, rows: NDArray[np.void], words: Words) -> NDArray[np.void]:
        """Fills in the places of HOST_DTYPE rows. Runs in a real thread, one at a time: it takes no lock, and only it adds words."""
        assert rows.dtype == HOST_DTYPE
        world = np.flatnonzero(rows["scope"] == GLOBAL)
        if not len(world):
            return rows
        owners = self._systems.owners(rows["hi"][world], rows["lo"][world])
        system_of = {
            owner: words.system(*(self._systems.owner(owner) or (None, None))) for owner in np.unique(owners).tolist()
        }
        rows["system"][world] = [system_of[owner] for owner in owners.tolist()]
        reader = self._countries
        codes: list[int] = []
        for high, low, version in zip(*(rows[name][world].tolist() for name in ("hi", "lo", "version")), strict=True):
            address = format_address(high, low, version)
            place = reader.place(address) if reader is not None and address is not None else None
            if place is not None and place[1:] != _NOWHERE[1:]:
                index = int(world[len(codes)])
                _fill(rows[index : index + 1], words, place)
            codes.append(words.country(place.country) if place is not None else 0)
        rows["country"][world] = codes
        if self._learnt:
            learnt = self._learnt
            for index in world.tolist():
                told = learnt.get((int(rows["hi"][index]), int(rows["lo"][index])))
                if told is not None:
                    _fill(rows[index : index + 1], words, told)
        return rows


def _fill(row: NDArray[np.void], words: Words, place: Place) -> None:
    """Writes what is known into one row; what is not known stays."""
    if place.country is not None:
        row["country"] = words.country(place.country)
    if place.city is not None:
        row["city"] = words.city(place.city)
    if place.asn is not None or place.organization is not None:
        row["system"] = words.system(place.asn, place.organization)
    if place.is_anonymous is not None:
        row["anonymous"] = int(place.is_anonymous)
