"""Facts as rows of the JSON document of `analyze --json`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from app.dpi.cards.hiding import masked_text as _masked_text
from app.dpi.cards.hiding import masked_value
from app.dpi.facts import CleartextLogin, DnsTransaction, HostName, HttpTransaction, TlsClientHello, TlsServerHello
from app.enrich.names import chained_addresses
from app.model.timestamps import rfc3339
from app.sensor.findings import FlowFindings

P = ParamSpec("P")
_OUR_OWN = frozenset(("timestamp", "flow_id", "not_before", "not_after"))  # times and numbers that we write, all digits


def masked_text(text: str | None) -> str | None:
    """Card numbers in captured text are never shown."""
    return None if text is None else _masked_text(text)


def card_free(document: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """A document without card numbers in any of its texts."""

    @wraps(document)
    def masked(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        return {
            name: value if name in _OUR_OWN else masked_value(value)
            for name, value in document(*args, **kwargs).items()
        }

    return masked


@card_free
def dns_document(fact: DnsTransaction) -> dict[str, Any]:
    return {
        "timestamp": rfc3339(fact.ts),
        "flow_id": str(fact.flow_id),
        "client": fact.client,
        "server": fact.server,
        "query": fact.query,
        "type": fact.type,
        "rcode": fact.rcode,
        "answers": [f"{answer.type} {answer.value}" for answer in fact.answers],
        "resolved": [list(pair) for pair in chained_addresses(fact.query, fact.answers)],  # [address, TTL in s]
        "ttl": min((answer.ttl for answer in fact.answers), default=None),
        "latency_ms": None if fact.latency_ns is None else fact.latency_ns / 1e6,
        "transport": fact.transport,
        "kind": fact.kind,
    }


@card_free
def tls_document(hello: TlsClientHello, answer: TlsServerHello | None) -> dict[str, Any]:
    """One client hello, with what the server answered to it."""
    certificate = answer.certificates[0] if answer is not None and answer.certificates else None
    return {
        "timestamp": rfc3339(hello.ts),
        "flow_id": str(hello.flow_id),
        "transport": hello.transport,
        "server_name": hello.server_name,
        "version": answer.version if answer is not None else hello.version,
        "offered_version": hello.version,
        "cipher": answer.cipher if answer is not None else None,
        "alpn": hello.alpn,
        "ja3": hello.ja3 or None,
        "ja4": hello.ja4 or None,
        "ech": hello.ech,
        "quic_version": hello.quic_version,
        "subject": certificate.subject if certificate else None,
        "issuer": certificate.issuer if certificate else None,
        "not_before": rfc3339(certificate.not_before) if certificate else None,
        "not_after": rfc3339(certificate.not_after) if certificate else None,
        "self_signed": certificate.self_signed if certificate else None,
        "names": certificate.names if certificate else None,
    }


@card_free
def http_document(fact: HttpTransaction) -> dict[str, Any]:
    return {
        "timestamp": rfc3339(fact.ts),
        "flow_id": str(fact.flow_id),
        "method": fact.method,
        "host": fact.host,
        "uri": fact.uri,
        "version": fact.version,
        "user_agent": fact.user_agent,
        "status": fact.status,
        "content_type": fact.content_type,
        "response_length": fact.response_length,
        "latency_ms": None if fact.latency_ns is None else fact.latency_ns / 1e6,
        "username": fact.username,
    }


@card_free
def login_document(fact: CleartextLogin) -> dict[str, Any]:
    return {
        "timestamp": rfc3339(fact.ts),
        "flow_id": str(fact.flow_id),
        "protocol": fact.protocol,
        "username": fact.username,
        "succeeded": fact.succeeded,
    }


@card_free
def host_document(fact: HostName) -> dict[str, Any]:
    return {
        "timestamp": rfc3339(fact.ts),
        "address": fact.address,
        "name": fact.name,
        "source": fact.source,
        "mac": fact.mac,
    }


KNOWN_COLUMNS = (
    "app",
    "category",
    "app_source",
    "server_name",
    "server_name_source",
    "ja3",
    "ja4",
    "tls_version",
    "alpn",
    "protocol",
)


def known_row(known: FlowFindings) -> list[Any]:
    """What is known of a flow, in the order of KNOWN_COLUMNS."""
    return [masked_value(getattr(known, name)) for name in KNOWN_COLUMNS]
