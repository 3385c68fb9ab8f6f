"""The keys of latency and loss by host, network or interface; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

LATENCY_FIELDS: Final[tuple[Field, ...]] = (
    _f("key", "text", "Of", "The remote address, its network (/24 of IPv4, /48 of IPv6), or the interface."),
    _f("name", "text", "Name", "Name of the remote host, or who runs the network. Null where nobody said."),
    _f("flows", "integer", "Connections", "Connections that are held, of any protocol.", unit="flows"),
    _f("measured", "integer", "Measured", "TCP connections whose ongoing round trip is known.", unit="flows"),
    _f("rtt_median_ms", "number", "Median round trip", "Median of the connections' smoothed round trips.", unit="ms"),
    _f("rtt_p95_ms", "number", "95 % round trip", "95 of 100 connections have a smaller round trip.", unit="ms"),
    _f("rtt_least_ms", "number", "Smallest round trip", "Smallest round trip that any of the connections saw.", unit="ms"),
    _f("handshake_median_ms", "number", "Median handshake", "Median of the TCP handshakes: SYN to the ACK that ends it.", unit="ms"),
    _f("retransmission_percent", "number", "Retransmissions", "TCP segments sent again, of all. Null without TCP.", unit="%"),
    _f("out_of_order_percent", "number", "Out of order", "TCP segments that came after later ones, of all. Null without TCP.", unit="%"),
    _f("dns_median_ms", "number", "Median DNS answer", "Median time from a DNS query to its answer: of this server, or on this interface.", unit="ms"),
    _f("dns_answers", "integer", "DNS answers", "Answers that this median is of."),
)  # fmt: skip
