"""The facts of one capture as the web process keeps them: lists by kind, newest last, and what they say of flows and addresses.

Bounded in every direction; what falls off is counted. Not locked: `Mirror` owns the lock. `facts` is a new object for each capture, so that a view
of the one before keeps what it knew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.model.timestamps import parse_time
from app.services.fact_documents import KINDS, Fact, document, flow_number
from app.services.flow_facts import MAX_MEMO, SAID_BY_CLIENT, FlowFacts, known_flow
from app.services.flow_mirror import FlowMirror
from app.stats.bounded import make_room

KEPT: Final[dict[str, int]] = {"dns": 20_000, "tls": 10_000, "http": 10_000, "logins": 2_000}
SLICE: Final = 500  # of anything that is taken over at once
MAX_WAITING: Final = 10_000  # names that wait for the row of their flow
MAX_SETTLED: Final = 3_000  # names of flows in one snapshot, so that the server answers meanwhile; the rest follows
AGE_NS: Final = 600 * 1_000_000_000  # after which names are looked up again
RESOLVING: Final = frozenset({"dns", "llmnr"})  # mDNS and NetBIOS answers come as host names of their own


class FactMirror:
    """One writer. Readers copy a list with `newest_first`, or read `facts`."""

    def __init__(self, flows: FlowMirror) -> None:
        self._flows = flows
        self.malformed = 0
        self.version = 0  # grows whenever something was said
        self.clear()

    def clear(self) -> None:
        """A new capture."""
        self.facts = FlowFacts()
        self._flows.facts = self.facts
        self._lists: dict[str, deque[Fact]] = {kind: deque(maxlen=KEPT[kind]) for kind in KINDS}
        self.counts = dict.fromkeys(KINDS, 0)  # of all facts so far
        self._waiting: dict[int, tuple[str, Any, int]] = {}  # flow → (source, name or names, ns)
        self._aged_ns = 0
        self.version += 1

    def newest_first(self, kind: str) -> list[Fact]:
        return list(reversed(self._lists[kind]))

    def after(self, kind: str, number: int) -> tuple[list[Fact], int]:
        """Facts with a larger number, oldest first, and how many of those have fallen off."""
        fresh = self.counts[kind] - number
        if fresh <= 0:
            return [], 0
        held = self._lists[kind]
        found = [held[i] for i in range(max(len(held) - fresh, 0), len(held))]
        return found, fresh - len(found)

    def apply(self, snapshot: dict[str, Any], now_ns: int) -> None:
        """Takes over the facts of one snapshot. `now_ns`: the capture's clock. Parts that make no sense are left out and counted."""
        for _ in self.pieces(snapshot, now_ns):
            pass

    def pieces(self, snapshot: dict[str, Any], now_ns: int) -> Iterator[None]:
        """The same, a piece at each step: about 10 ms."""
        self.facts.now_ns = now_ns
        heard = False
        for kind in KINDS:
            for some in _sliced(self._parts(snapshot, kind)):
                self._take_facts(kind, some)
                heard = True
                yield
        for some in _sliced(self._parts(snapshot, "names")):
            for said in some:
                self._take_name(said)
            heard = True
            yield
        for some in _sliced(self._parts(snapshot, "macs")):
            self._take_macs(some)
            yield
        for some in _sliced(self._parts(snapshot, "known")):
            flows = [flow for flow in map(self._take_known, some) if flow]
            self._flows.touch(flows)
            heard = heard or bool(flows)
            yield
        yield from self._settle_names()
        self._grow_old(now_ns)
        self._flows.touch_addresses(self.facts.names.take_changed())
        if heard:
            self.version += 1

    def _parts(self, snapshot: dict[str, Any], name: str) -> list[Any]:
        part = snapshot.get(name)
        if isinstance(part, list):
            return part
        self.malformed += part is not None
        return []

    def _take_facts(self, kind: str, some: Iterable[Any]) -> None:
        for said in some:
            try:
                fact = document(kind, self.counts[kind] + 1, said)
            except ValueError:
                self.malformed += 1
                continue
            self.counts[kind] += 1
            self._lists[kind].append(fact)
            if kind == "dns":
                self._learn_dns(fact, said.get("resolved"))
            elif kind == "tls" and fact.get("names") and fact.get("flow_id"):
                self._await(fact.get("flow_id"), "certificate", fact.get("names"), fact.ns)

    def _learn_dns(self, fact: Fact, resolved: Any) -> None:
        if fact.get("kind") not in RESOLVING or not isinstance(resolved, (list, tuple)):
            return
        pairs = [
            (pair[0], pair[1])
            for pair in resolved
            if isinstance(pair, (list, tuple))
            and len(pair) == 2
            and isinstance(pair[0], str)
            and isinstance(pair[1], int)
        ]
        self.facts.names.learn_dns(fact.get("client"), fact.get("query"), pairs, fact.ns)

    def _take_name(self, said: Any) -> None:
        try:
            address, name, source, mac = (said.get(key) for key in ("address", "name", "source", "mac"))
            if not isinstance(address, str) or not isinstance(name, str) or not (mac is None or isinstance(mac, str)):
                raise ValueError("a name has a wrong type")
            self.facts.names.learn_host(address, name, source, mac, parse_time(str(said.get("timestamp"))))
            if mac is not None and source == "dhcp":
                self.facts.learn_mac(address, mac, "dhcp")
        except (ValueError, AttributeError):
            self.malformed += 1

    def _take_macs(self, rows: list[Any]) -> None:
        for row in rows:
            try:
                address, mac, source = (str(part) for part in row)
                self.facts.learn_mac(address, mac, source)
            except (ValueError, TypeError):
                self.malformed += 1

    def _take_known(self, row: Any) -> int | None:
        """Number of the flow that a row tells of; None for one that makes no sense."""
        flow_id = flow_number(row[0]) if isinstance(row, (list, tuple)) and row else None
        try:
            if flow_id is None:
                raise ValueError("a row without a flow")
            known = known_flow(row[1:])
        except ValueError:
            self.malformed += 1
            return None
        self.facts.take(flow_id, known)
        if known.server_name is not None and known.server_name_source in SAID_BY_CLIENT:
            self._await(flow_id, known.server_name_source, known.server_name, self.facts.now_ns)
        return flow_id

    def _await(self, flow_id: int, source: str, name: Any, ns: int) -> None:
        make_room(self._waiting, MAX_WAITING)
        if source != "certificate" or flow_id not in self._waiting:  # what the client asked for says more
            self._waiting[flow_id] = (source, name, ns)

    def _settle_names(self) -> Iterator[None]:
        """Names the responders of flows whose rows are there, SLICE of them at each step; the others wait."""
        settled = 0
        for flow_id, (source, name, ns) in list(self._waiting.items()):
            if settled >= MAX_SETTLED:
                break
            ends = self._flows.ends(flow_id)
            if ends is None:
                continue
            del self._waiting[flow_id]
            settled += 1
            version, client, server = ends
            if source == "certificate":
                self.facts.names.learn_certificate(server, version, name, ns)
            else:
                self.facts.names.learn_server(source, server, client, version, name, ns)
            if not settled % SLICE:
                yield

    def _grow_old(self, now_ns: int) -> None:
        if now_ns - self._aged_ns > AGE_NS or self.facts.names.look_ups > MAX_MEMO:
            self._aged_ns = now_ns
            self.facts.names.forget_look_ups()


def _sliced(part: list[Any]) -> Iterator[list[Any]]:
    return (part[first : first + SLICE] for first in range(0, len(part), SLICE))
