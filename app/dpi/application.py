"""What a flow is said to be: the application, who says so, and how sure that is. No name is null with a reason."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, cast

# Application.source: who says so
NDPI: Final = "ndpi"
CONTENT: Final = "content"
PORT: Final = "port"
PROTOCOL: Final = "protocol"

# Application.confidence: what the name was found by
BY_CONTENT: Final = "content"
BY_PART: Final = "partial content"
BY_CACHE: Final = "earlier flow"
BY_ADDRESS: Final = "address"
BY_PORT: Final = "port"
BY_PROTOCOL: Final = "ip protocol"


@dataclass(frozen=True, slots=True)
class Application:
    """`name` as nDPI writes it: what the flow speaks, a dot, and whose it is (`TLS.Google`), or one of both."""

    name: str | None
    category: str | None = None  # nDPI's: Web, Network, Email …
    source: str | None = None  # NDPI, CONTENT, PORT, PROTOCOL
    confidence: str | None = None  # BY_…
    server_name: str | None = None  # as the client asked for it
    address_owner: str | None = None  # whose network the server's address is in, by nDPI's lists: AmazonAWS, Google …
    risks: tuple[str, ...] = ()  # nDPI's flow risks, lower case
    reason: str | None = None  # why there is no name

    @property
    def is_certain(self) -> bool:
        """Found in what the flow carries, not in its addresses or ports."""
        return self.confidence in (BY_CONTENT, BY_PART, BY_CACHE, BY_PROTOCOL)


UNRECOGNISED: Final = "not recognised"
RESTARTED: Final = "engine restarted"
SKIPPED: Final = "engine overloaded"

_MAX_TEXT: Final = 256
_MAX_RISKS: Final = 64


def to_row(application: Application) -> list[object]:
    """Plain values in the order of the fields, for a message."""
    return [getattr(application, field.name) for field in fields(application)]


def from_row(row: Sequence[object]) -> Application:
    """The application a process we do not trust wrote with `to_row`. Raises ValueError where a value is not what it should be."""
    *texts, risks, reason = row
    for text in (*texts, reason):
        if text is not None and not (isinstance(text, str) and len(text) <= _MAX_TEXT):
            raise ValueError("a field of an application is neither a short text nor null")
    if not isinstance(risks, (list, tuple)) or len(risks) > _MAX_RISKS:
        raise ValueError("the risks of an application are not a short list")
    if not all(isinstance(risk, str) and len(risk) <= _MAX_TEXT for risk in risks):
        raise ValueError("a risk of an application is not a short text")
    try:
        name, category, source, confidence, server_name, owner = cast("list[str | None]", texts)
    except ValueError:
        raise ValueError(f"an application of {len(row)} fields") from None
    # Of ten thousands of flows most are the same few things: one text each, however many messages said it.
    name, category, source, confidence, owner = (
        None if text is None else sys.intern(text) for text in (name, category, source, confidence, owner)
    )
    named = tuple(map(sys.intern, risks))
    return Application(name, category, source, confidence, server_name, owner, named, cast("str | None", reason))
