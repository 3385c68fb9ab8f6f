"""Floods of HTTP requests: the same page again and again, faster than anybody reads, from one client or from many together.

Programs that talk to each other do that as well, over a connection that they keep. So beside the rate it takes signs of a flood: a new connection for each request, random
queries behind one path, a browser's name on what no browser does, many names of browsers from one address, a server that fails or falls silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.detect.conversation import SECOND, ConversationDetector
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpTransaction
from app.dpi.printable import printable

_CAPACITY = 256  # clients of a server, and servers
FAST = 100  # requests a second in a browser's name
_PATH = 64  # characters of a path that are kept
_KEPT = 256  # different things that are told apart in one window


@dataclass(slots=True)
class _Requests:
    """Of one client to one server, or of all to it, within a window."""

    since: int = 0
    last: int = 0
    count: int = 0
    paths: dict[str, int] = field(default_factory=dict)
    targets: set[int] = field(default_factory=set)
    flows: set[int] = field(default_factory=set)
    agents: set[int] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    browsers: int = 0
    failed: int = 0  # 5xx, 429, or nothing
    said: int = 0

    def add(self, fact: HttpTransaction, client: str, window_ns: int) -> None:
        if not self.since or abs(fact.ts - self.since) > window_ns:
            self.since, self.count, self.browsers, self.failed, self.said = fact.ts, 0, 0, 0, 0
            self.paths, self.targets, self.flows, self.agents, self.clients = {}, set(), set(), set(), set()
        self.last = max(self.last, fact.ts)
        self.count += 1
        path = fact.uri.partition("?")[0][:_PATH]
        if path in self.paths or len(self.paths) < _KEPT:
            self.paths[path] = self.paths.get(path, 0) + 1
        for kept, one in (
            (self.targets, hash(fact.uri)),
            (self.flows, fact.flow_id),
            (self.agents, hash(fact.user_agent)),
        ):
            if len(kept) < _KEPT:
                kept.add(one)
        if len(self.clients) < _KEPT:
            self.clients.add(client)
        self.browsers += (fact.user_agent or "").startswith("Mozilla/")
        self.failed += fact.status is None or fact.status >= 500 or fact.status == 429

    @property
    def seconds(self) -> float:
        return max((self.last - self.since) / SECOND, 1.0)

    def signs(self) -> list[str]:
        """What no program of good manners does."""
        seen, found = min(self.count, _KEPT), []
        if len(self.flows) >= 0.5 * seen:
            found.append("a new connection for most requests")
        if len(self.paths) <= 3 and len(self.targets) >= 0.8 * seen:
            found.append("a new query behind the same path each time")
        if self.browsers >= 0.8 * self.count:
            found.append("a browser's name on requests that no browser sends")
            if self.count >= FAST * self.seconds:
                found.append(f"{self.count / self.seconds:.0f} a second")
        if len(self.agents) >= 5 * len(self.clients):
            found.append(
                f"{len(self.agents)} names of programs from {len(self.clients)} client{'s' if len(self.clients) > 1 else ''}"
            )
        if self.failed >= 0.3 * self.count:
            found.append("errors or silence of the server")
        return found


class HttpFlood(ConversationDetector):
    """Counts requests per client and server, and per server."""

    name = "http_flood"
    rules = (
        Rule(
            "http_flood",
            "HTTP flood (denial of service): one page is asked for again and again",
            "high",
            "A web server gets many more requests for one page than anybody can read, with signs that no browser or well-made program shows.",
            "Load tests; programs that ask without a pause whether something has changed.",
            "Limit requests per client at the server or in front of it; ask the program's owner. Block the sources while it lasts.",
            "T1499.002",
        ),
    )
    knobs = (
        Knob("window", 10, "s", "floods last for minutes."),
        Knob("requests", 200, "requests", "of one client for one page within the window: twenty a second."),
        Knob("all_requests", 1000, "requests", "of many clients for one page within the window."),
        Knob("clients", 15, "clients", "from which on requests count as of many."),
        Knob("each", 10, "requests", "of each of them on average: what people visit gets one or two."),
        Knob("same", 0.7, "of the requests", "for one path: pages bring their parts along, crawlers go on."),
        Knob("signs", 2, "signs", "of those that the reason lists; programs that talk to each other show one."),
    )
    facts = (HttpTransaction,)

    def begin(self) -> None:
        worth = lambda requests: requests.count > 20  # noqa: E731
        self._clients = self.bounded(_CAPACITY, _Requests, worth)
        self._servers = self.bounded(_CAPACITY, _Requests, worth)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, HttpTransaction)
        client, server, port = self.ends()
        if not client or fact.method == "CONNECT":
            return
        window = int(self.knob("window") * SECOND)
        one, all_of_them = self._clients[client, server, port], self._servers[server, port]
        one.add(fact, client, window)
        all_of_them.add(fact, client, window)
        if one.count >= max(self.knob("requests"), 2 * one.said):
            self._judge(fact, one, client, server, port, self.knob("requests"))
        clients = len(all_of_them.clients)  # each of whom asks often: a visit alone is no flood
        many = clients >= self.knob("clients") and all_of_them.count >= self.knob("each") * clients
        if many and all_of_them.count >= max(self.knob("all_requests"), 2 * all_of_them.said):
            self._judge(fact, all_of_them, None, server, port, self.knob("all_requests"))

    def _judge(self, fact: HttpTransaction, held: _Requests, client: str | None, server: str, port: int, limit: float) -> None:  # fmt: skip
        path, times = max(held.paths.items(), key=lambda item: item[1])
        signs = held.signs()
        if times < self.knob("same") * held.count or len(signs) < self.knob("signs"):
            return
        held.said = held.count
        sure = len(signs) >= 3 or held.count >= 5 * limit
        self.alert(
            "http_flood",
            f"{client or f'{len(held.clients)} clients'} sent {server}:{port} {held.count} requests, {times} of them for {printable(path.encode(), 60)}, "
            f"within {held.seconds:.0f} s; the limit is {limit:.0f}. Signs: {', '.join(signs)}.",
            fact.ts,
            client,
            server,
            severity="high" if sure else "medium",
            confidence=0.85 if sure else 0.65,
            fold=(client, server, port),
            measured=held.count,
            threshold=limit,
            unit="requests",
            protocol="http",
            flow_ids=sorted(held.flows)[:20],
            details={
                "method": fact.method,
                "path": printable(path.encode(), 200),
                "clients": len(held.clients),
                "signs": signs,
            },
        )
