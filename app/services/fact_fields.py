"""The query language over facts: the fields of each kind, and rows that answer to them.

A list of facts is small (20,000 at most), so a column is made from the documents when a query asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from app.services.fact_documents import Fact
from app.wire.addresses import parse_address
from app.wire.filter import Field, FieldSet
from app.wire.filter_columns import YES_NO, columns
from app.wire.filter_facets import AddressFacet, EnumFacet, NumberFacet, Test, TextFacet, TimeFacet
from app.wire.filter_lexer import Item
from app.wire.filter_values import BYTES, MILLISECONDS, PLAIN, SECONDS

Array = NDArray[Any]
_NO_ADDRESS: Final = (0, 0, 0)


class FactRows:
    """Facts as columns: `text.key`, `number.key`, `list.key`, `truth.key`, `version.key`/`hi.key`/`lo.key` of an address, `ns`."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._facts = facts
        self.dtype = np.dtype([])

    def __len__(self) -> int:
        return len(self._facts)

    def __getitem__(self, name: str) -> Array:
        kind, _, key = name.partition(".")
        if kind == "ns":
            return np.array([fact.ns for fact in self._facts], np.int64)
        values = [fact.get(key) for fact in self._facts]
        return _COLUMNS[kind](values)


def fact_rows(facts: Sequence[Fact]) -> NDArray[np.void]:
    """What `Query.mask` and `Query.order` read: an array as far as they look."""
    return cast(NDArray[np.void], FactRows(facts))


def _texts(values: list[Any]) -> Array:
    column = np.empty(len(values), np.object_)
    column[:] = values
    return column


def _numbers(values: list[Any]) -> Array:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _joined(values: list[Any]) -> Array:
    return _texts([None if not value else "\n".join(value) for value in values])


def _truths(values: list[Any]) -> Array:
    return np.array([2 if value is None else int(value) for value in values], np.uint8)


@lru_cache(maxsize=16_384)
def _parsed(text: str | None) -> tuple[int, int, int]:
    try:
        return parse_address(text or "")
    except ValueError:
        return _NO_ADDRESS


_COLUMNS: Final[dict[str, Callable[[list[Any]], Array]]] = {
    "text": _texts,
    "number": _numbers,
    "list": _joined,
    "truth": _truths,
    "version": lambda values: np.array([_parsed(value)[0] for value in values], np.uint8),
    "hi": lambda values: np.array([_parsed(value)[1] for value in values], np.uint64),
    "lo": lambda values: np.array([_parsed(value)[2] for value in values], np.uint64),
}


def _address(*keys: str) -> AddressFacet:
    return AddressFacet(lambda rows: [(rows[f"version.{key}"], rows[f"hi.{key}"], rows[f"lo.{key}"]) for key in keys])


def _text(name: str, meaning: str, aliases: tuple[str, ...] = (), key: str | None = None, kind: str = "text") -> Field:
    return Field(name, (TextFacet(columns(f"{kind}.{key or name}")),), meaning, aliases)


@dataclass(frozen=True)
class WordFacet(TextFacet):
    """Words of a fixed set: the whole word, whatever the case (`type:a` is not AAAA); `*` inside as in any text."""

    def test(self, item: Item) -> Test:
        return super().test(replace(item, operator="=") if item.operator == "" else item)


def _word(name: str, meaning: str) -> Field:
    return Field(name, (WordFacet(columns(f"text.{name}")),), meaning)


def _truth(name: str, meaning: str) -> Field:
    return Field(name, (EnumFacet(columns(f"truth.{name}"), YES_NO, missing=2),), meaning)


def _number(
    name: str, meaning: str, units: Any = PLAIN, aliases: tuple[str, ...] = (), key: str | None = None
) -> Field:
    # units in nanoseconds count in milliseconds here
    return Field(name, (NumberFacet(_scaled(key or name, units), units),), meaning, aliases)


def _scaled(key: str, units: Any) -> Callable[[NDArray[np.void]], Sequence[Array]]:
    factor = {id(MILLISECONDS): 1e6, id(SECONDS): 1e9}.get(id(units), 1.0)
    return lambda rows: [rows[f"number.{key}"] * factor]


def _shared() -> list[Field]:
    return [
        Field("time", (TimeFacet(columns("ns")),), "when it was seen", ("timestamp",)),
        _number("flow_id", "number of the flow", aliases=("flow",)),
    ]


_LATENCY: Final = _number("latency", "from the question to the answer", MILLISECONDS, ("latency_ms",), "latency_ms")

_DNS: Final = FieldSet(
    [
        *_shared(),
        _text("query", "name that was asked for", ("name",)),
        _word("type", "A, AAAA, HTTPS and so on"),
        _word("rcode", "what the server said: NOERROR, NXDOMAIN"),
        Field("client", (_address("client"), TextFacet(columns("text.client"))), "who asked"),
        Field("server", (_address("server"), TextFacet(columns("text.server"))), "who was asked"),
        Field("ip", (_address("client", "server"),), "either end"),
        _text("answer", "an answer, with its type", ("answers",), "answers", "list"),
        _LATENCY,
        _number("ttl", "shortest TTL of the answers in seconds"),
        _word("transport", "udp, tcp"),
        _word("kind", "dns, mdns, llmnr, nbns"),
    ],
    free=("query", "answer", "ip", "type", "rcode"),
)
_TLS: Final = FieldSet(
    [
        *_shared(),
        _text("server_name", "name the client asked for", ("server", "sni")),
        _word("transport", "tls, dtls, quic"),
        _text("version", "version of TLS"),
        _text("cipher", "cipher suite the server chose"),
        _text("alpn", "protocols offered inside", kind="list"),
        _text("ja3", "older fingerprint of the client's hello"),
        _text("ja4", "fingerprint of the client's hello"),
        _text("subject", "whose certificate it is"),
        _text("issuer", "who issued it"),
        _text("names", "names in the certificate", kind="list"),
        _truth("self_signed", "the certificate is signed with its own key"),
        _truth("ech", "the client hides the name it asks for"),
    ],
    free=("server_name", "subject", "ja4"),
)
_HTTP: Final = FieldSet(
    [
        *_shared(),
        _word("method", "GET, POST and so on"),
        _text("host", "Host header", ("server",)),
        _text("uri", "target of the request"),
        _text("user_agent", "what the client calls itself"),
        _number("status", "code of the response"),
        _text("content_type", "type of the response"),
        _number("response_length", "bytes of the response", BYTES),
        _LATENCY,
        _text("version", "version of HTTP"),
        _text("username", "of basic authentication"),
    ],
    free=("host", "uri", "user_agent", "method"),
)
_LOGINS: Final = FieldSet(
    [
        *_shared(),
        _word("protocol", "what was logged in to"),
        _text("username", "who logged in"),
        _truth("succeeded", "whether the server agreed"),
    ],
    free=("username", "protocol"),
)
_ALERTS: Final = FieldSet(
    [
        Field("time", (TimeFacet(columns("ns")),), "when it was seen last", ("last_seen", "timestamp")),
        _word("rule", "which rule: port_scan, arp_spoof and so on"),
        _text("title", "what has been seen"),
        _text("reason", "why, with the measured value and the limit"),
        _word("severity", "low, medium, high or critical"),
        _word("status", "new, acknowledged or false_positive"),
        _number("confidence", "0 to 1"),
        Field("source", (_address("source"), TextFacet(columns("text.source"))), "who does it"),
        Field("target", (_address("target"), TextFacet(columns("text.target"))), "whom it is done to"),
        Field("ip", (_address("source", "target"),), "either end"),
        _number("count", "how often"),
        _number("measured", "the value that passed the limit"),
        _word("mitre", "technique of ATT&CK"),
        _text("app", "program that caused it", ("app_name",), "app_name"),
    ],
    free=("title", "reason", "rule", "ip"),
)

_CARDS: Final = FieldSet(
    [
        *_shared(),
        _word("brand", "visa, mastercard and so on"),
        _text("masked", "first and last digits", ("number",)),
        _text("fingerprint", "keyed hash of the number"),
        _text("where", "which part of which protocol"),
        _word("direction", "originator or responder"),
        _text("source", "who sent it", ("from",)),
        _text("destination", "whom it was sent to", ("to",)),
        _number("confidence", "0 to 1"),
        _number("count", "how often"),
        _number("packet", "number of the packet"),
    ],
    free=("masked", "brand", "where", "source", "destination", "fingerprint"),
)

FIELDS: Final[dict[str, FieldSet]] = {
    "dns": _DNS,
    "tls": _TLS,
    "http": _HTTP,
    "logins": _LOGINS,
    "alerts": _ALERTS,
    "cards": _CARDS,
}

# Key of a document → field that orders it.
SORT_KEYS: Final[dict[str, dict[str, str]]] = {
    kind: {
        alias: name for name, known in fields.fields.items() if name not in ("ip",) for alias in (name, *known.aliases)
    }
    for kind, fields in FIELDS.items()
}
