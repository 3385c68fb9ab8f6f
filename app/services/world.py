"""Traffic by country of the remote end: a map, not a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.enrich.country import country_name
from app.enrich.scope import SCOPES
from app.services.connection_rows import Rows
from app.services.flow_mirror import FlowView
from app.services.host_sums import country_sums


def world(view: FlowView) -> dict[str, Any]:
    """`{countries: [{country, name, bytes_sent, bytes_recv, flows, hosts}], elsewhere: [{scope, bytes, flows}]}`, most bytes first."""
    words = view.hosts.words.countries
    countries: list[dict[str, Any]] = [
        {
            "country": words[code],
            "name": country_name(words[code]),
            "bytes_sent": sent,
            "bytes_recv": received,
            "flows": flows,
            "hosts": hosts,
        }
        for code, sent, received, flows, hosts in country_sums(view)
        if code
    ]
    countries.sort(key=lambda entry: (-entry["bytes_sent"] - entry["bytes_recv"], str(entry["country"])))
    return {"countries": countries, "elsewhere": _elsewhere(view)}


def _elsewhere(view: FlowView) -> list[dict[str, Any]]:
    """Flows whose remote end is in no country; `global` are addresses that the database does not know."""
    rows = Rows.all(view)
    remote = rows.remote_hosts
    outside = rows.hosts.known(remote, "country") == 0
    scopes = rows.hosts.known(remote, "scope")[outside].astype(np.intp)
    size = (rows.flows["src_bytes"] + rows.flows["dst_bytes"])[outside].astype(np.float64)
    traffic, flows = np.bincount(scopes, size, 256), np.bincount(scopes, minlength=256)
    found: list[dict[str, Any]] = [
        {"scope": SCOPES[code] if code < len(SCOPES) else None, "bytes": int(traffic[code]), "flows": int(flows[code])}
        for code in np.flatnonzero(flows).tolist()
    ]
    return sorted(found, key=lambda entry: -entry["bytes"])
