"""A session's cookie in the hands of two clients: whoever holds it is logged in. Only hashes are remembered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.detect.conversation import ConversationDetector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpMessage
from app.stats.bounded import BoundedMap

_CAPACITY = 8192
_COOKIE = re.compile(rb"(?im)^cookie[ \t]*:[ \t]*([^\r\n]{1,4096})")
_AGENT = re.compile(rb"(?im)^user-agent[ \t]*:[ \t]*([^\r\n]{0,400})")
_FORWARDED = re.compile(rb"(?im)^(?:x-forwarded-for|via|forwarded)[ \t]*:")
_SESSION = re.compile(rb"(?:^|;\s{0,4})((?:[a-z0-9_.-]{0,40}(?:sess(?:ion)?(?:_?id|_?token)?|phpsessid|asp\.net_sessionid|aspsessionid[a-z]{0,12}|jsessionid|cfid|cftoken|auth(?:_?token)?|sid|connect\.sid|token|wordpress_logged_in_[0-9a-f]{0,40}|login)[a-z0-9_.-]{0,12}))=([^;\s]{12,400})", re.IGNORECASE)  # fmt: skip


@dataclass(slots=True)
class _Owner:
    """Who used a session first."""

    client: str
    agent: int
    ts: int
    flow_id: int


class SessionHijack(ConversationDetector):
    """Compares who sends which session."""

    name = "session_hijack"
    rules = (
        Rule(
            "session_hijack",
            "Session hijack: one session cookie used by two clients",
            "high",
            "A session's cookie that belonged to one client was sent by another one to the same server.",
            "A client that changes its address (mobile, VPN, two providers) keeps its browser; a proxy says who it works for.",
            "Log the session out on the server. Find out how the cookie was read: it went over plain HTTP.",
            "T1539",
        ),
    )
    knobs = (Knob("apart", 3600, "s", "between both uses; leases of addresses change more slowly."),)
    facts = (HttpMessage,)

    def begin(self) -> None:
        self._owners: BoundedMap[tuple[str, int], _Owner] = self.bounded(_CAPACITY)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, HttpMessage)
        if fact.head.startswith(b"HTTP/"):
            return
        cookie = _COOKIE.search(fact.head)
        if cookie is None:
            return
        client, server, _ = self.ends()
        agent = _AGENT.search(fact.head)
        about = hash(agent[1]) if agent else 0
        for found in list(_SESSION.finditer(cookie[1]))[:6]:
            key = (server, hash((found[1].lower(), found[2])))
            owner = self._owners.get(key)
            if owner is None or (owner.client != client and fact.ts - owner.ts > self.knob("apart") * 1_000_000_000):
                self._owners[key] = _Owner(client, about, fact.ts, fact.flow_id)
                continue
            if owner.client == client:
                owner.ts, owner.flow_id = fact.ts, fact.flow_id
                continue
            if _FORWARDED.search(fact.head):
                continue
            other = owner.agent != about
            name = found[1].decode("ascii", "replace")[:40]
            self.alert(
                "session_hijack",
                f"{client} sent {server} the session ({name}) that {owner.client} had used {max(0, fact.ts - owner.ts) / 1e9:.0f} s before{', with another browser' if other else ''}; a session has one owner.",
                fact.ts,
                client,
                owner.client,
                confidence=0.85 if other else 0.6,
                severity="high" if other else "medium",
                fold=(client, server, owner.client),
                measured=2,
                threshold=1,
                unit="clients",
                protocol="http",
                flow_ids=(owner.flow_id, fact.flow_id),
                details={"server": server, "cookie": name},
            )
