"""What inspectors found, kept for those who ask: lists by kind, and per flow what it is. Bounded; what falls off the end is counted."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from app.dpi.application import Application
from app.dpi.facts import (
    CleartextLogin,
    DnsTransaction,
    Fact,
    HostName,
    HttpTransaction,
    Recognized,
    TlsClientHello,
    TlsServerHello,
)
from app.wire.addresses import parse_address

MAX_LISTED: Final = 5_000  # of each kind, in live capture: what waits for a snapshot
MAX_ANSWERS: Final = 1_000  # of TLS servers, that wait for their hello to be told
HELLO_PATIENCE: Final = 3  # times that a hello waits for its answer to be told with it
MAX_KNOWN: Final = 20_000  # flows of live capture of which something is known


def is_name(host: str) -> bool:
    """Whether what a client asked for is a name, and no bare address (with or without a port)."""
    if ":" not in host and not host[-1:].isdigit():
        return True
    name, _, port = host.rpartition(":")
    for text in (host, name if port.isdigit() else ""):
        try:
            parse_address(text.strip("[]"))
        except ValueError:
            continue
        return False
    return True


@dataclass(slots=True)
class FlowFindings:
    """What is known of one flow."""

    app: str | None = None
    category: str | None = None
    app_source: str | None = None
    server_name: str | None = None
    server_name_source: str | None = None  # tls, http, quic, dtls, ndpi
    ja3: str | None = None
    ja4: str | None = None
    tls_version: str | None = None
    alpn: str | None = None
    protocol: str | None = None  # recognised by content


class Findings:
    """Facts of one capture. `limit`: how many of each kind are kept; None = all (a file that is analysed)."""

    def __init__(self, limit: int | None = MAX_LISTED) -> None:
        self._limit = limit
        self.dns: deque[DnsTransaction] = deque(maxlen=limit)
        self.client_hellos: deque[TlsClientHello] = deque(maxlen=limit)
        self.server_hellos: deque[TlsServerHello] = deque(maxlen=limit)
        self.http: deque[HttpTransaction] = deque(maxlen=limit)
        self.logins: deque[CleartextLogin] = deque(maxlen=limit)
        self.hosts: deque[HostName] = deque(maxlen=limit)
        # Not a dict: that looks for its oldest key past the places of all that went before it.
        self.flows: OrderedDict[int, FlowFindings] = OrderedDict()
        self.changed: set[int] = set()  # flows with something new since the last `take_changed`
        self.forgotten = 0
        self._answers: dict[int, TlsServerHello] = {}  # by flow, told already or waiting to be
        self._waiting: deque[tuple[TlsClientHello, int]] = (
            deque()
        )  # hellos without an answer, and how often they were passed over

    def take(self, fact: Fact) -> None:
        """Sort one fact in."""
        sort = _SORTED.get(type(fact))
        if sort is not None:
            sort(self, fact)

    def _take_dns(self, fact: DnsTransaction) -> None:
        self._keep(self.dns, fact)

    def _take_client_hello(self, fact: TlsClientHello) -> None:
        self._keep(self.client_hellos, fact)
        flow = self._flow(fact.flow_id)
        flow.ja3, flow.ja4 = fact.ja3 or None, fact.ja4 or None
        flow.tls_version = flow.tls_version or fact.version
        flow.alpn = ",".join(fact.alpn) or None
        flow.protocol = fact.transport
        if fact.server_name and is_name(fact.server_name):
            flow.server_name, flow.server_name_source = fact.server_name, fact.transport

    def _take_server_hello(self, fact: TlsServerHello) -> None:
        self._keep(self.server_hellos, fact)
        self._flow(fact.flow_id).tls_version = fact.version

    def _take_http(self, fact: HttpTransaction) -> None:
        self._keep(self.http, fact)
        flow = self._flow(fact.flow_id)
        flow.protocol = flow.protocol or "http"
        if fact.host and flow.server_name is None and is_name(fact.host):
            flow.server_name, flow.server_name_source = fact.host, "http"

    def _take_recognized(self, fact: Recognized) -> None:
        self._flow(fact.flow_id).protocol = fact.protocol

    def _take_login(self, fact: CleartextLogin) -> None:
        self._keep(self.logins, fact)

    def _take_host(self, fact: HostName) -> None:
        self._keep(self.hosts, fact)

    def application(self, flow_id: int, application: Application) -> None:
        """The classifier's word on a flow."""
        flow = self._flow(flow_id)
        flow.app, flow.category, flow.app_source = application.name, application.category, application.source
        if flow.server_name is None and application.server_name and is_name(application.server_name):
            flow.server_name, flow.server_name_source = application.server_name, "ndpi"

    def drain(self, kept: deque[Any], most: int) -> list[Any]:
        """The oldest facts of one kind, at most `most`, once (live capture: they live on in the web process)."""
        return [kept.popleft() for _ in range(min(most, len(kept)))]

    def take_hellos(self, most: int) -> list[tuple[TlsClientHello, TlsServerHello | None]]:
        """Hellos with their servers' answers, at most `most`, once (live capture). One without an answer is passed over a few times first."""
        for answer in self.drain(self.server_hellos, len(self.server_hellos)):
            self._answers[answer.flow_id] = answer
        hellos = [*self._waiting, *((hello, 0) for hello in self.drain(self.client_hellos, most))]
        self._waiting.clear()
        ready: list[tuple[TlsClientHello, TlsServerHello | None]] = []
        for hello, waited in hellos:
            answer_to = self._answers.get(hello.flow_id)
            if len(ready) < most and (answer_to is not None or waited >= HELLO_PATIENCE):
                ready.append((hello, answer_to))
            else:
                self._waiting.append((hello, waited + 1))
        while len(self._waiting) > most:
            ready.append((self._waiting.popleft()[0], None))
        for _ in range(len(self._answers) - MAX_ANSWERS):
            del self._answers[next(iter(self._answers))]
        return ready

    def take_changed(self, most: int) -> list[tuple[int, FlowFindings]]:
        """Flows with something new, each once, at most `most` of them; the others next time."""
        chosen = list(islice(self.changed, most))
        self.changed.difference_update(chosen)
        return [(flow_id, self.flows[flow_id]) for flow_id in chosen if flow_id in self.flows]

    def _flow(self, flow_id: int) -> FlowFindings:
        self.changed.add(flow_id)
        flow = self.flows.get(flow_id)
        if flow is None:
            if self._limit is not None and len(self.flows) >= MAX_KNOWN:
                self.flows.popitem(last=False)
            flow = self.flows[flow_id] = FlowFindings()
        return flow

    def _keep(self, kept: deque[Any], fact: Fact) -> None:
        if self._limit is not None and len(kept) >= self._limit:
            self.forgotten += 1
        kept.append(fact)


_SORTED: Final[dict[type, Callable[[Findings, Any], None]]] = {
    DnsTransaction: Findings._take_dns,
    TlsClientHello: Findings._take_client_hello,
    TlsServerHello: Findings._take_server_hello,
    HttpTransaction: Findings._take_http,
    Recognized: Findings._take_recognized,
    CleartextLogin: Findings._take_login,
    HostName: Findings._take_host,
}
