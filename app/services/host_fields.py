"""Hosts as columns for the query language: each is made when a query or an order asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from app.enrich.country import country_name
from app.enrich.oui import vendor
from app.enrich.scope import SCOPES
from app.services.host_sums import HostSums
from app.services.place_keys import CountryFacet
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import YES_NO, columns
from app.wire.filter_facets import AddressFacet, EnumFacet, NumberFacet, TextFacet, TimeFacet
from app.wire.filter_values import BYTES, COUNT, MILLISECONDS, PLAIN

Array = NDArray[Any]
Key = tuple[int, int]

OWN: Final = "own"
LOCAL: Final = "local"
REMOTE: Final = "remote"
GROUP: Final = "group"
KINDS: Final = (OWN, LOCAL, REMOTE, GROUP)
_KIND_OF_SCOPE: Final = np.array(
    [
        KINDS.index(
            {
                "global": REMOTE,
                "documentation": REMOTE,
                "reserved": REMOTE,
                "benchmarking": REMOTE,
                "multicast": GROUP,
                "broadcast": GROUP,
            }.get(name, LOCAL)
        )
        for name in SCOPES
    ]
    + [KINDS.index(REMOTE)] * (256 - len(SCOPES)),
    np.uint8,
)


class HostColumns:
    """Some hosts of a HostSums: `text.key`, `number.key`, `time.key`, `code.kind`, and `version`, `hi`, `lo` of the address."""

    def __init__(self, sums: HostSums, own: frozenset[Key], places: NDArray[np.intp] | None = None) -> None:
        self.sums = sums
        self.own = own
        self.places = np.arange(len(sums)) if places is None else places
        self.dtype = np.dtype([])
        self._made: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, name: str) -> Array:
        kind, _, key = name.partition(".")
        if kind in ("version", "hi", "lo"):
            return self.host(kind)
        if kind == "code":
            return self.kinds()
        if kind == "text":
            column = np.empty(len(self), np.object_)
            column[:] = self.texts(key)
            return column
        if kind == "truth":
            return np.where(self.host("anonymous") < 0, 2, self.host("anonymous")).astype(np.uint8)
        if key == "asn":
            return np.array([np.nan if value is None else value for value in self.texts("asn")], np.float64)
        if key == "latency_ms":
            return self.host("ping_ms").astype(np.float64) * 1e6
        if key == "bytes":
            return (self.sums.bytes_sent + self.sums.bytes_recv)[self.places]
        return np.asarray(getattr(self.sums, key)[self.places])

    def host(self, column: str) -> Array:
        """A column of the table of hosts."""
        return self.sums.view.hosts.known(self.sums.numbers[self.places], column)

    def halves(self) -> list[Key]:
        return list(zip(self.host("hi").tolist(), self.host("lo").tolist(), strict=True))

    def kinds(self) -> NDArray[np.uint8]:
        """Index into KINDS."""
        found = _KIND_OF_SCOPE[self.host("scope")]
        if self.own:
            found[[key in self.own for key in self.halves()]] = KINDS.index(OWN)
        return np.asarray(found)

    def texts(self, key: str) -> list[Any]:
        """One value for each host; None where it is not known."""
        if key not in self._made:
            self._made[key] = _TEXTS[key](self)
        return self._made[key]


def _words(column: str, words: Callable[[HostColumns], list[Any]]) -> Callable[[HostColumns], list[Any]]:
    def texts(hosts: HostColumns) -> list[Any]:
        known = words(hosts)
        return [known[code] for code in hosts.host(column).tolist()]

    return texts


def _names(place: int) -> Callable[[HostColumns], list[Any]]:
    def names(hosts: HostColumns) -> list[Any]:
        facts = hosts.sums.view.facts
        if not len(facts.names):
            return [None] * len(hosts)
        nobody = (0, 0)
        versions = hosts.host("version").tolist()
        found = [
            facts.names.name(key, nobody, version, facts.now_ns)
            for key, version in zip(hosts.halves(), versions, strict=True)
        ]
        return [said[place] if said is not None else None for said in found]

    return names


def _macs(attribute: str) -> Callable[[HostColumns], list[Any]]:
    def macs(hosts: HostColumns) -> list[Any]:
        known = hosts.sums.view.facts.macs
        if not known:
            return [None] * len(hosts)
        return [getattr(known[key], attribute) if key in known else None for key in hosts.halves()]

    return macs


_TEXTS: Final[dict[str, Callable[[HostColumns], list[Any]]]] = {
    "name": _names(0),
    "name_source": _names(1),
    "country": _words("country", lambda hosts: hosts.sums.view.hosts.words.countries),
    "country_name": _words(
        "country", lambda hosts: [country_name(code) for code in hosts.sums.view.hosts.words.countries]
    ),
    "city": _words("city", lambda hosts: hosts.sums.view.hosts.words.cities),
    "asn": _words("system", lambda hosts: [asn for asn, _ in hosts.sums.view.hosts.words.systems]),
    "organization": _words("system", lambda hosts: [name for _, name in hosts.sums.view.hosts.words.systems]),
    "scope": _words("scope", lambda hosts: [*SCOPES, *[None] * (256 - len(SCOPES))]),
    "mac": _macs("mac"),
    "mac_source": _macs("source"),
    "vendor": lambda hosts: [vendor(mac) if mac else None for mac in hosts.texts("mac")],
}


def host_rows(hosts: HostColumns) -> NDArray[np.void]:
    """What `Query.mask` and `Query.order` read: an array as far as they look."""
    return cast(NDArray[np.void], hosts)


def _text(name: str, meaning: str, aliases: tuple[str, ...] = ()) -> Field:
    return Field(name, (TextFacet(columns(f"text.{name}")),), meaning, aliases)


FIELDS: Final = FieldSet(
    [
        Field(
            "ip",
            (AddressFacet(lambda rows: [(rows["version"], rows["hi"], rows["lo"])]),),
            "its address",
            ("address", "host"),
        ),
        _text("name", "what it is called", ("hostname",)),
        _text("name_source", "who said that name"),
        Field(
            "kind",
            (EnumFacet(columns("code.kind"), {name: (code,) for code, name in enumerate(KINDS)}),),
            "own, local, remote, group",
        ),
        _text("scope", "kind of address: global, private, multicast …"),
        Field(
            "country",
            (CountryFacet(columns("text.country_name")),),
            "two letters, or a part of the name",
            ("country_name",),
        ),
        _text("city", "city"),
        Field("asn", (NumberFacet(columns("number.asn")),), "number of its autonomous system", ("as",)),
        _text("organization", "who runs its network", ("org", "organisation")),
        Field(
            "anonymous",
            (EnumFacet(columns("truth.anonymous"), YES_NO, missing=2),),
            "a known anonymiser: yes or no",
            ("is_anonymous",),
        ),
        _text("mac", "hardware address"),
        _text("vendor", "maker of its network card"),
        Field("bytes", (NumberFacet(columns("number.bytes"), BYTES),), "frame bytes both ways"),
        Field("bytes_sent", (NumberFacet(columns("number.bytes_sent"), BYTES),), "frame bytes from it"),
        Field("bytes_recv", (NumberFacet(columns("number.bytes_recv"), BYTES),), "frame bytes to it"),
        Field("packets_sent", (NumberFacet(columns("number.packets_sent"), COUNT),), "packets from it"),
        Field("packets_recv", (NumberFacet(columns("number.packets_recv"), COUNT),), "packets to it"),
        Field("flows", (NumberFacet(columns("number.flows"), COUNT),), "its flows"),
        Field("active_flows", (NumberFacet(columns("number.active"), COUNT),), "those that have not ended"),
        Field(
            "latency",
            (NumberFacet(columns("number.latency_ms"), MILLISECONDS),),
            "round trip of a ping",
            ("latency_ms",),
        ),
        Field("first_seen", (TimeFacet(columns("time.first_ns")),), "its first packet"),
        Field("last_seen", (TimeFacet(columns("time.last_ns")),), "its last packet", ("time",)),
        Field("version", (NumberFacet(columns("version"), PLAIN),), "4 or 6", ("ip_version",)),
    ],
    free=("ip", "name", "organization", "country", "vendor", "mac"),
)
