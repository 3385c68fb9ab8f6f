"""What history keeps: the tables, their columns and types, and how a flow crosses from the web process to the store.

A flow is written when it ends and at every active timeout; each time one *stretch* of it: its counters since the stretch before. So sums over a
time are right, and a connection that lasts for days is found in every hour that it spoke in. This module needs no DuckDB.
"""

from __future__ import annotations

from typing import Final

import numpy as np

# Columns of a stretch that are numbers: (name, NumPy type, SQL type). Names are those of `app.model.columns.FLOW`, so a page of history becomes
# rows of that layout again; `since` is the begin of the stretch, `stretch` its number from 0.
FLOW_NUMBERS: Final[tuple[tuple[str, str, str], ...]] = (
    ("flow_id", "<u8", "UBIGINT"),
    ("src_hi", "<u8", "UBIGINT"),
    ("src_lo", "<u8", "UBIGINT"),
    ("dst_hi", "<u8", "UBIGINT"),
    ("dst_lo", "<u8", "UBIGINT"),
    ("start", "<i8", "BIGINT"),
    ("end", "<i8", "BIGINT"),
    ("since", "<i8", "BIGINT"),
    ("src_packets", "<u8", "UBIGINT"),
    ("dst_packets", "<u8", "UBIGINT"),
    ("src_bytes", "<u8", "UBIGINT"),
    ("dst_bytes", "<u8", "UBIGINT"),
    ("src_payload", "<u8", "UBIGINT"),
    ("dst_payload", "<u8", "UBIGINT"),
    ("rtt_ns", "<i8", "BIGINT"),
    ("src_port", "<u2", "USMALLINT"),
    ("dst_port", "<u2", "USMALLINT"),
    ("vlan", "<u2", "USMALLINT"),
    ("src_retransmissions", "<u4", "UINTEGER"),
    ("dst_retransmissions", "<u4", "UINTEGER"),
    ("src_out_of_order", "<u4", "UINTEGER"),
    ("dst_out_of_order", "<u4", "UINTEGER"),
    ("protocol", "u1", "UTINYINT"),
    ("ip_version", "u1", "UTINYINT"),
    ("src_flags", "u1", "UTINYINT"),
    ("dst_flags", "u1", "UTINYINT"),
    ("conn_state", "u1", "UTINYINT"),
    ("ended", "u1", "UTINYINT"),
    ("depth", "u1", "UTINYINT"),
    ("kind", "u1", "UTINYINT"),
    ("src_entropy", "<f4", "FLOAT"),
    ("dst_entropy", "<f4", "FLOAT"),
    ("stretch", "<u4", "UINTEGER"),
    ("reconnects", "<u4", "UINTEGER"),
    ("direction", "u1", "UTINYINT"),
    ("local_is_src", "?", "BOOLEAN"),
)
FLOW_DTYPE: Final = np.dtype([(name, kind) for name, kind, _ in FLOW_NUMBERS])
# Counters that a stretch holds the growth of; everything else is as it stands at its end.
COUNTERS: Final = (
    "src_packets", "dst_packets", "src_bytes", "dst_bytes", "src_payload", "dst_payload", "src_retransmissions", "dst_retransmissions",
    "src_out_of_order", "dst_out_of_order",
)  # fmt: skip

# Keys of a connection that are kept as they were known then; all else is made from the numbers when it is shown.
FLOW_TEXTS: Final = (
    "application", "category", "application_source", "detailed_protocol", "server_name", "server_name_source", "hostname", "hostname_source",
    "ja3", "ja4", "tls_version", "alpn", "interface", "app_name", "app_path", "country", "city", "organization", "remote_mac", "history",
)  # fmt: skip
FLOW_INTEGERS: Final = ("pid", "asn")

# Facts: (key, SQL type); lists are kept as JSON.
FACTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "dns": (
        ("client", "VARCHAR"), ("server", "VARCHAR"), ("query", "VARCHAR"), ("type", "VARCHAR"), ("rcode", "VARCHAR"), ("answers", "JSON"),
        ("ttl", "DOUBLE"), ("latency_ms", "DOUBLE"), ("transport", "VARCHAR"), ("kind", "VARCHAR"), ("process", "VARCHAR"),
    ),
    "tls": (
        ("transport", "VARCHAR"), ("server_name", "VARCHAR"), ("version", "VARCHAR"), ("offered_version", "VARCHAR"), ("cipher", "VARCHAR"),
        ("alpn", "JSON"), ("ja3", "VARCHAR"), ("ja4", "VARCHAR"), ("ech", "BOOLEAN"), ("quic_version", "VARCHAR"), ("subject", "VARCHAR"),
        ("issuer", "VARCHAR"), ("not_before", "VARCHAR"), ("not_after", "VARCHAR"), ("self_signed", "BOOLEAN"), ("names", "JSON"),
    ),
    "http": (
        ("method", "VARCHAR"), ("host", "VARCHAR"), ("uri", "VARCHAR"), ("version", "VARCHAR"), ("user_agent", "VARCHAR"),
        ("status", "DOUBLE"), ("content_type", "VARCHAR"), ("response_length", "DOUBLE"), ("latency_ms", "DOUBLE"), ("username", "VARCHAR"),
    ),
    "logins": (("protocol", "VARCHAR"), ("username", "VARCHAR"), ("succeeded", "BOOLEAN")),
}  # fmt: skip
# The order of keys in a fact's document.
WHOLE: Final = frozenset({"ttl", "status", "response_length"})  # doubles that hold whole numbers

# One minute of traffic; names of `app.model.columns.BUCKET`.
MINUTE_COUNTERS: Final = (
    "packets", "bytes", "tcp_bytes", "udp_bytes", "icmp_bytes", "other_bytes", "flows", "retransmissions", "tcp_packets",
)  # fmt: skip

# Documents that are kept whole, newest version of each: (table, key of its identity, key of its time).
DOCUMENTS: Final[dict[str, tuple[str, str]]] = {
    "alerts": ("id", "last_seen"),
    "processes": ("id", "started"),
    "mutes": ("id", "created_at"),
}
