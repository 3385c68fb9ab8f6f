"""Facts as they leave the program: the sensor's maps, checked key by key, with a number and a time that can be compared.

What the sensor sends is believed no further than its types: a map with a wrong one is refused whole.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from app.model.timestamps import parse_time

_UNLIKE: Final = frozenset({"timestamp", "uri"})  # keys whose texts hardly ever come again
KINDS: Final = ("dns", "tls", "http", "logins")


class Fact:
    """`number` grows within one kind and capture; `ns`: time. Ten thousands are kept: each holds its values alone, and texts that others hold too once."""

    __slots__ = ("_places", "_values", "ns", "number")

    def __init__(self, number: int, ns: int, document: dict[str, Any]) -> None:
        self.number = number
        self.ns = ns
        self._places = _places(tuple(document))
        self._values = tuple(_kept(key, value) for key, value in document.items())

    @property
    def document(self) -> dict[str, Any]:
        """What REST gives; a new one each time."""
        return dict(zip(self._places, self._values, strict=True))

    def with_document(self, document: dict[str, Any]) -> Fact:
        """The same fact, said otherwise."""
        return Fact(self.number, self.ns, document)

    def get(self, key: str) -> Any:
        """One value of the document; None where it has none."""
        place = self._places.get(key)
        return None if place is None else self._values[place]


@lru_cache(64)
def _places(keys: tuple[str, ...]) -> dict[str, int]:
    """Where the value of each key is: one map for all facts of a kind."""
    return {key: place for place, key in enumerate(keys)}


def _kept(key: str, value: Any) -> Any:
    return sys.intern(value) if type(value) is str and key not in _UNLIKE else value


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _name(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value))


def _truth(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _texts(value: Any) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value))


_Check = Callable[[Any], bool]
_DNS: Final[dict[str, _Check]] = {
    "client": _name, "server": _name, "query": _name, "type": _name, "rcode": _text, "answers": _texts,
    "ttl": _number, "latency_ms": _number, "transport": _text, "kind": _text,
}  # fmt: skip
_TLS: Final[dict[str, _Check]] = {
    "transport": _text, "server_name": _text, "version": _text, "offered_version": _text, "cipher": _text, "alpn": _texts, "ja3": _text,
    "ja4": _text, "ech": _truth, "quic_version": _text, "subject": _text, "issuer": _text, "not_before": _text, "not_after": _text,
    "self_signed": _truth, "names": _texts,
}  # fmt: skip
_HTTP: Final[dict[str, _Check]] = {
    "method": _text, "host": _text, "uri": _text, "version": _text, "user_agent": _text, "status": _number, "content_type": _text,
    "response_length": _number, "latency_ms": _number, "username": _text,
}  # fmt: skip
_LOGIN: Final[dict[str, _Check]] = {"protocol": _text, "username": _text, "succeeded": _truth}

_KEYS: Final[dict[str, dict[str, _Check]]] = {"dns": _DNS, "tls": _TLS, "http": _HTTP, "logins": _LOGIN}


def document(kind: str, number: int, said: Any) -> Fact:
    """One of the sensor's maps. `ValueError` where it is none or a value has a wrong type; keys that are not there are null."""
    if not isinstance(said, dict):
        raise ValueError(f"an entry of {kind} is no map")
    keys = _KEYS[kind]
    for key, is_right in keys.items():
        if not is_right(said.get(key)):
            raise ValueError(f"{key} of an entry of {kind} has a wrong type")
    timestamp = said.get("timestamp")
    if not isinstance(timestamp, str):
        raise ValueError(f"an entry of {kind} has no time")
    ns = parse_time(timestamp)
    found: dict[str, Any] = {"id": number, "timestamp": timestamp, "flow_id": flow_number(said.get("flow_id"))}
    found.update((key, said.get(key)) for key in keys)
    if kind == "dns":
        answers = list(found["answers"] or ())
        found["answers"] = answers
        found["resolved_ips"] = [
            value for kind, _, value in (text.partition(" ") for text in answers) if kind in ("A", "AAAA")
        ]
        found["process"] = None
    return Fact(number, ns, found)


def flow_number(value: Any) -> int | None:
    """The number of a flow, which travels as text beside facts; None for none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
