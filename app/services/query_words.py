"""What can be asked for in each list: its fields, what they mean and which values they take, for whoever helps with writing a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from app.services.fact_fields import FIELDS as FACT_FIELDS
from app.services.fact_fields import WordFacet
from app.services.host_fields import FIELDS as HOST_FIELDS
from app.services.query_errors import BadRequest
from app.services.query_fields import connection_fields
from app.store.fields import FIELDS as KEPT_FIELDS
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import packet_fields
from app.wire.filter_facets import AddressFacet, EnumFacet, Facet, FlagFacet, NumberFacet, TimeFacet

MOST_VALUES: Final = 500  # of one field

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (AddressFacet, "address"),
    (NumberFacet, "number"),
    (TimeFacet, "time"),
    (FlagFacet, "flags"),
    (EnumFacet, "choice"),
    (WordFacet, "word"),
)


def _of(fields: FieldSet) -> Callable[[Sequence[str]], FieldSet]:
    return lambda _interfaces: fields


LISTS: Final[dict[str, Callable[[Sequence[str]], FieldSet]]] = {
    "connections": lambda interfaces: connection_fields(tuple(interfaces)),
    "packets": packet_fields,
    "hosts": _of(HOST_FIELDS),
    "history": _of(KEPT_FIELDS["flows"]),
    **{kind: _of(fields) for kind, fields in FACT_FIELDS.items()},
}


def query_words(name: str, interfaces: Sequence[str]) -> list[dict[str, Any]]:
    """`[{name, aliases, help, kind, values}]` in the order of names. `kind`: address, number, time, flags, choice, word or text; `values`
    are all that a choice or flags take, else empty. `BadRequest` names a list that there is not."""
    if name not in LISTS:
        raise BadRequest(f"there is no list {name[:40]!r}", "list", LISTS)
    fields = LISTS[name](interfaces).fields
    return [_word(fields[key]) for key in sorted(fields)]


def _word(field: Field) -> dict[str, Any]:
    values = [value for facet in field.facets for value in _values(facet)]
    return {
        "name": field.name,
        "aliases": list(field.aliases),
        "help": field.help,
        "kind": _kind(field.facets[0]) if field.facets else "text",
        "values": list(dict.fromkeys(values))[:MOST_VALUES],
    }


def _kind(facet: Facet) -> str:
    return next((kind for one, kind in _KINDS if isinstance(facet, one)), "text")


def _values(facet: Facet) -> list[str]:
    if isinstance(facet, EnumFacet):
        return sorted(facet.values)
    return list(facet.bits) if isinstance(facet, FlagFacet) else []
