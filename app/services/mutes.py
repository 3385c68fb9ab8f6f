"""Mute rules: alerts that match one are kept but not shown, until the rule expires. What a rule would hide can be asked before it is made."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.model.alert import SEVERITIES
from app.model.timestamps import parse_time, rfc3339
from app.services.fact_documents import Fact
from app.services.fact_fields import fact_rows
from app.services.fact_lists import parse_fact_query
from app.services.kept_file import KeptFile
from app.services.query_errors import BadRequest, NotThere, Unavailable

MAX_RULES: Final = 200
MAX_REASON: Final = 500
MAX_QUERY: Final = 2_000
EXAMPLES: Final = 5
KEYS: Final = ("q", "reason", "expires_at")


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts that `q` matches are not shown until `expires_at` (None: until the rule is taken back)."""

    id: str
    q: str
    reason: str
    created_at: str
    created_by: str
    expires_at: str | None = None

    def expired(self, now_ns: int) -> bool:
        return self.expires_at is not None and parse_time(self.expires_at) <= now_ns


class Mutes:
    """Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._file = KeptFile(directory / "mutes.json")
        self._lock = threading.Lock()
        self._mutes: dict[str, Mute] | None = None
        self.version = 0

    def all(self) -> list[Mute]:
        """Those that are there, expired ones too, oldest first."""
        with self._lock:
            return list(self._known().values())

    def add(self, wanted: dict[str, Any], user: str) -> Mute:
        """`{q, reason, expires_at}`. `BadRequest` names what is wrong; `Unavailable` where it cannot be kept."""
        q, reason, expires_at = _checked(wanted)
        mute = Mute(secrets.token_hex(6), q, reason, str(rfc3339(time.time_ns())), user, expires_at)
        with self._lock:
            known = dict(self._known())
            if len(known) >= MAX_RULES:
                raise BadRequest(f"there are {MAX_RULES} mute rules already", "q", ["fewer rules; take some back"])
            known[mute.id] = mute
            self._keep(known)
        return mute

    def remove(self, mute_id: str) -> None:
        """`NotThere` where there is none of that id."""
        with self._lock:
            known = dict(self._known())
            if known.pop(mute_id, None) is None:
                raise NotThere(f"There is no mute rule {mute_id[:40]}.")
            self._keep(known)

    def _known(self) -> dict[str, Mute]:
        if self._mutes is None:
            self._mutes = _read(self._file.read())
        return self._mutes

    def _keep(self, known: dict[str, Mute]) -> None:
        try:
            self._file.write({"mutes": [asdict(mute) for mute in known.values()]})
        except OSError as error:
            raise Unavailable(f"The mute rule could not be kept: {error.strerror}.", "not_kept") from None
        self._mutes = known
        self.version += 1


def muted_by(mutes: list[Mute], facts: list[Fact], now_ns: int) -> dict[str, str]:
    """Alert id → id of the first rule that hides it. Takes no lock: runs in any thread."""
    hidden: dict[str, str] = {}
    rows = fact_rows(facts)
    for mute in mutes if facts else ():
        if not mute.expired(time.time_ns()):
            mask = parse_fact_query("alerts", mute.q).mask(rows, now_ns)
            for place in np.flatnonzero(mask).tolist():
                hidden.setdefault(facts[place].document["id"], mute.id)
    return hidden


def would_hide(q: str, facts: list[Fact], now_ns: int) -> dict[str, Any]:
    """What a rule would have hidden of `facts` (newest first): `{hidden, of, by_severity, from, to, sentence, examples}`."""
    mask = checked_query(q).mask(fact_rows(facts), now_ns)
    hidden = [facts[place].document for place in np.flatnonzero(mask).tolist()]
    severities = Counter(document["severity"] for document in hidden)
    by_severity = {severity: severities.get(severity, 0) for severity in reversed(SEVERITIES)}
    loud = [f"{count} of them {severity}" for severity, count in by_severity.items() if count and severity != "low"]
    sentence = (
        f"Would have hidden {len(hidden)} of {len(facts)} alerts" + (f", {', '.join(loud)}" if loud else "") + "."
    )
    times = [fact.ns for fact in facts]
    return {
        "hidden": len(hidden),
        "of": len(facts),
        "by_severity": by_severity,
        "from": rfc3339(min(times)) if times else None,
        "to": rfc3339(max(times)) if times else None,
        "sentence": sentence,
        "examples": hidden[:EXAMPLES],
    }


def checked_query(q: Any) -> Any:
    """`BadRequest` where it is no query, or hides everything."""
    if not isinstance(q, str) or not q.strip() or len(q) > MAX_QUERY:
        raise BadRequest("q is not a filter", "q", [f"a filter over alerts, 1..{MAX_QUERY} characters"])
    query = parse_fact_query("alerts", q)
    if query.condition is None:
        raise BadRequest("this filter would hide every alert", "q", ["a filter that names what it hides"])
    return query


def _checked(wanted: dict[str, Any]) -> tuple[str, str, str | None]:
    for name in wanted:
        if name not in KEYS:
            raise BadRequest(f"a mute rule has no {name[:60]!r}", name[:60], KEYS)
    q, reason, expires = wanted.get("q"), wanted.get("reason"), wanted.get("expires_at")
    checked_query(q)
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON:
        raise BadRequest("a mute rule needs a reason", "reason", [f"text of 1..{MAX_REASON} characters"])
    if expires is None:
        return str(q), reason, None
    try:
        ns = parse_time(str(expires))
    except ValueError as error:
        raise BadRequest(str(error), "expires_at", ["RFC 3339, such as 2026-01-31T12:00:00Z"]) from None
    if ns <= time.time_ns():
        raise BadRequest("expires_at is over already", "expires_at", ["a time to come"])
    return str(q), reason, rfc3339(ns)


def _read(document: Any) -> dict[str, Mute]:
    """Rules that cannot be understood any more are left out: hiding too little is the safe side."""
    found = {}
    entries = document.get("mutes") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        try:
            mute = Mute(**entry)
            checked_query(mute.q)
            if mute.expires_at is not None:
                parse_time(mute.expires_at)
        except (TypeError, ValueError, BadRequest):
            continue
        found[mute.id] = mute
    return found
