"""One connection with everything that was read in it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from app.services.connections import Rows, connections
from app.services.fact_documents import KINDS
from app.services.mirror import Mirror
from app.services.query_errors import NotThere

MOST: Final = 200  # facts of each kind; a flow to a resolver may have thousands


def connection_detail(mirror: Mirror, flow_id: int, interfaces: list[str]) -> dict[str, Any]:
    """`{connection, dns, tls, http, logins, more}`: facts newest first; `more`: how many further ones there are of each kind."""
    view = mirror.flow_view()
    places = np.flatnonzero(view.flows["flow_id"] == np.uint64(min(flow_id, (1 << 64) - 1)))
    if not len(places):
        raise NotThere(f"There is no connection {flow_id}: it was never seen, or has left the table of connections.")
    found: dict[str, Any] = {"connection": connections(Rows.of(view, places[:1], interfaces))[0]}
    more = {}
    for kind in KINDS:
        own = [fact.document for fact in mirror.newest_facts(kind) if fact.get("flow_id") == flow_id]
        found[kind], more[kind] = own[:MOST], max(len(own) - MOST, 0)
    return {**found, "more": more}
