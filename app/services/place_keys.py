"""Keys of a connection that say where its remote end is and whose network that is.

Codes come from the columns beside the flows; a word is looked up for each row that is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.country import country_name
from app.enrich.oui import vendor
from app.enrich.scope import SCOPES
from app.services.connection_rows import Producer, Rows
from app.services.connection_theme import QueryField, Theme
from app.wire.filter import Field
from app.wire.filter_columns import columns
from app.wire.filter_facets import Test, TextFacet
from app.wire.filter_lexer import Item

_SCOPE_WORDS: Final[list[str | None]] = [*SCOPES, *[None] * (256 - len(SCOPES))]
_ANONYMOUS: Final[dict[int, bool | None]] = {1: True, 0: False, -1: None}


def _countries(rows: Rows) -> list[str | None]:
    return rows.hosts.texts(rows.remote_hosts, "country", rows.hosts.words.countries)


def _country_names(rows: Rows) -> list[str | None]:
    return rows.hosts.texts(rows.remote_hosts, "country", [country_name(code) for code in rows.hosts.words.countries])


def _cities(rows: Rows) -> list[str | None]:
    return rows.hosts.texts(rows.remote_hosts, "city", rows.hosts.words.cities)


def _system(place: int) -> Producer:
    def words(rows: Rows) -> list[Any]:
        systems = rows.hosts.words.systems
        return [systems[code][place] for code in rows.hosts.known(rows.remote_hosts, "system").tolist()]

    return words


def _scopes(rows: Rows) -> list[str | None]:
    return rows.hosts.texts(rows.remote_hosts, "scope", _SCOPE_WORDS)


def _anonymous(rows: Rows) -> list[bool | None]:
    return [_ANONYMOUS.get(code) for code in rows.hosts.known(rows.remote_hosts, "anonymous").tolist()]


def _anonymous_numbers(rows: Rows) -> NDArray[Any]:
    codes = rows.hosts.known(rows.remote_hosts, "anonymous")
    return np.where(codes < 0, np.nan, codes.astype(np.float64))


def _asn_numbers(rows: Rows) -> NDArray[Any]:
    systems = rows.hosts.words.systems
    codes, inverse = np.unique(rows.hosts.known(rows.remote_hosts, "system"), return_inverse=True)
    numbers = np.array(
        [np.nan if systems[code][0] is None else systems[code][0] for code in codes.tolist()], np.float64
    )
    return np.asarray(numbers[inverse])


def _macs(take: Callable[[Rows], NDArray[np.uint32]]) -> Producer:
    def macs(rows: Rows) -> list[str | None]:
        if not rows.facts.macs:
            return [None] * len(rows)
        keys = zip(*(rows.hosts.known(take(rows), half).tolist() for half in ("hi", "lo")), strict=True)
        return [known.mac if (known := rows.facts.macs.get(key)) is not None else None for key in keys]

    return macs


_remote_macs: Final = _macs(lambda rows: rows.remote_hosts)


def _vendors(rows: Rows) -> list[str | None]:
    return [vendor(mac) if mac is not None else None for mac in _remote_macs(rows)]


@dataclass(frozen=True)
class CountryFacet(TextFacet):
    """Two letters are a code (`US` is not a part of `Austria`), anything else a part of the name."""

    def test(self, item: Item) -> Test:
        is_code = len(item.text) == 2 and item.text.isalpha()
        return TextFacet(columns("text.country")).test(item) if is_code else super().test(item)


THEME: Final = Theme(
    producers={
        "country": _countries,
        "country_name": _country_names,
        "city": _cities,
        "asn": _system(0),
        "organization": _system(1),
        "is_anonymous": _anonymous,
        "scope": _scopes,
        "remote_mac": _remote_macs,
        "vendor": _vendors,
    },
    numbers={"asn": _asn_numbers},
    booleans={"is_anonymous": _anonymous_numbers},
    texts=("country", "country_name", "city", "organization", "scope", "remote_mac", "vendor"),
    query_texts=(
        QueryField("country_name", "country_name", "country of the remote end, name"),
        QueryField("city", "city", "city of the remote end"),
        QueryField(
            "organization", "organization", "who runs the remote end's network", ("org", "organisation"), free=True
        ),
        QueryField("scope", "scope", "kind of remote address: global, private, multicast …"),
        QueryField("mac", "remote_mac", "hardware address of the remote end", ("remote_mac",)),
        QueryField("vendor", "vendor", "maker of the remote end's network card"),
    ),
    query_fields=(
        Field(
            "country",
            (CountryFacet(columns("text.country_name")),),
            "country of the remote end: two letters, or its name",
        ),
    ),
    query_numbers=(QueryField("asn", "asn", "number of the remote end's autonomous system", ("as",)),),
)
