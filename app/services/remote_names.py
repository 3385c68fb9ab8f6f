"""The name of a connection's remote end: what this connection itself asked for, else what was said of the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.services.flow_facts import SAID_BY_CLIENT

if TYPE_CHECKING:
    from app.services.connection_rows import Rows


def remote_names(rows: Rows) -> list[tuple[str | None, str | None]]:
    """(name, source) per row. Source: tls, quic, dtls, http (asked for by this connection), or sni, http, certificate, dns, dhcp, mdns, nbns."""
    facts = rows.facts
    names, now_ns = facts.names, facts.now_ns
    if not len(names) and not facts.flows:
        return [(None, None)] * len(rows)
    columns = (rows.received("hi"), rows.received("lo"), rows.sent("hi"), rows.sent("lo"), rows.flows["ip_version"])
    lists = [column.tolist() for column in columns]
    found: list[tuple[str | None, str | None]] = []
    nothing = (None, None)
    for known, is_server, remote_hi, remote_lo, own_hi, own_lo, version in zip(
        rows.known, rows.local_is_src.tolist(), *lists, strict=True
    ):
        if is_server and known.server_name is not None and known.server_name_source in SAID_BY_CLIENT:
            name = known.server_name
            found.append((_host(name) if ":" in name else name, known.server_name_source))
            continue
        remote = remote_hi, remote_lo
        said = names.name(remote, (own_hi, own_lo), version, now_ns) if names.knows(remote) else None
        found.append((said.name, said.source) if said is not None else nothing)
    return found


def _host(name: str) -> str:
    """A Host header without its port."""
    host, _, port = name.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else name
