"""Names that were asked for least often: what a network talks of once is where beacons, mistypes and one-off downloads are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from app.services.fact_documents import Fact

#: (kind of fact, the key of its name, the key it is counted under)
SOURCES: Final = (("dns", "query", "asked"), ("tls", "server_name", "contacted"))


def rare_names(facts: dict[str, Iterable[Fact]], limit: int) -> dict[str, Any]:
    """`{names: [{name, asked, contacted, last_seen}], total}` over the facts held, fewest first, the newest first among equals.

    `facts`: "dns" and "tls" → their facts, newest first. `total`: how many different names there are. Names of the local link (mDNS, LLMNR,
    NetBIOS) are left out: every host has its own.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, key, counted in SOURCES:
        for fact in facts.get(kind, ()):
            name = fact.get(key)
            if not name or (kind == "dns" and fact.get("kind") != "dns"):
                continue
            name = str(name).rstrip(".").lower() or "."
            entry = found.setdefault(name, {"name": name, "asked": 0, "contacted": 0, "ns": 0, "last_seen": None})
            entry[counted] += 1
            if fact.ns >= entry["ns"]:
                entry["ns"], entry["last_seen"] = fact.ns, fact.get("timestamp")
    ordered = sorted(found.values(), key=lambda one: (one["asked"] + one["contacted"], -one["ns"], one["name"]))
    return {
        "names": [{key: value for key, value in one.items() if key != "ns"} for one in ordered[:limit]],
        "total": len(found),
    }
