"""The sensor's flow table as the web process sees it: one structured array, a row per flow.

A snapshot is applied with a few assignments. What the web side derives once per flow (which end is this machine, the
direction, how often the two met before) lies in arrays beside it. Readers never see the live arrays: they get a
`FlowView`, a compact copy that is made at most once per change and never written again, so it may cross threads.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.scope import is_local_network
from app.services.flow_facts import NOTHING_KNOWN, FlowFacts, Halves
from app.services.host_table import NO_HOSTS, HostTable
from app.wire.records import FLOW_DTYPE
from app.wire.row_copies import chosen, opaque

MAX_ACTIVE: Final = 65_536
MAX_ENDED: Final = 10_000
MAX_HOSTS: Final = 262_144  # addresses; more than twice the flows, so that the table is swept seldom
FIRST_ROWS: Final = 4_096

OUTBOUND, INBOUND, INTERNAL, EXTERNAL = range(4)
DIRECTIONS: Final = ("outbound", "inbound", "internal", "external")

# Derived per row. Grows here when enrichment adds columns.
DERIVED_DTYPE: Final = np.dtype(
    [
        ("version", "<u8"),  # number of the mirror's change that last touched the row
        ("pair", "<u8"),  # hash of originator, responder, responder's port and protocol
        ("reconnects", "<u4"),  # earlier flows with the same pair
        ("src_host", "<u4"),  # numbers in the table of hosts
        ("dst_host", "<u4"),
        ("local_is_src", "?"),
        ("direction", "u1"),  # index into DIRECTIONS
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class FlowView:
    """All flows at one moment; `flows` is FLOW_DTYPE, `derived` DERIVED_DTYPE, same length. Read only. `facts` may know more by now."""

    flows: NDArray[np.void]
    derived: NDArray[np.void]
    version: int
    facts: FlowFacts = NOTHING_KNOWN
    hosts: HostTable = NO_HOSTS
    memo: dict[str, Any] = field(default_factory=dict)  # columns of text that were made of all rows


class FlowMirror:
    """Rows keyed by flow_id, at most MAX_ACTIVE + MAX_ENDED. Not locked: `Mirror` owns the lock."""

    def __init__(self, max_active: int = MAX_ACTIVE, max_ended: int = MAX_ENDED) -> None:
        self.max_active = max_active
        self.max_ended = max_ended
        self.evicted = 0
        self._keys = np.frombuffer(secrets.token_bytes(48), np.uint64) | np.uint64(1)
        self._own: list[tuple[int, int]] = []
        self.version = 0
        self.on_forget: Callable[[np.void, bool], None] | None = None  # the row of a flow that leaves, and local_is_src
        self.facts = NOTHING_KNOWN  # of the capture; replaced by who keeps them
        self.clear()

    def clear(self) -> None:
        """Forgets every flow; versions go on, so that a client's delta notices."""
        self._flows = np.zeros(FIRST_ROWS, FLOW_DTYPE)
        self._derived = np.zeros(FIRST_ROWS, DERIVED_DTYPE)
        self._row_of: dict[int, int] = {}
        self._free = list(range(FIRST_ROWS - 1, -1, -1))
        self._ended: deque[int] = deque()  # flow_ids in the order they ended
        self._pairs: dict[int, int] = {}
        self.hosts = HostTable()
        self._view: FlowView | None = None
        self.version += 1

    def __len__(self) -> int:
        return len(self._row_of)

    def own_addresses(self, addresses: list[tuple[int, int]]) -> None:
        """Tells which addresses (halves) are this machine's; directions follow at once."""
        if sorted(addresses) == self._own:
            return
        self._own = sorted(addresses)
        rows = np.fromiter(self._row_of.values(), np.intp, len(self._row_of))
        if len(rows):
            self.version += 1
            self._derive(rows)
            self._derived["version"][rows] = self.version
            self._view = None

    @property
    def own(self) -> list[tuple[int, int]]:
        """This machine's addresses."""
        return list(self._own)

    def apply(self, changed: NDArray[np.void]) -> None:
        """Takes over the rows of one snapshot (FLOW_DTYPE); a row that repeats replaces the earlier one."""
        changed = chosen(changed, changed["flow_id"] != 0)
        if not len(changed):
            return
        self.version += 1
        self._view = None
        _, last = np.unique(changed["flow_id"][::-1], return_index=True)
        changed = chosen(changed, np.sort(len(changed) - 1 - last))
        ids = changed["flow_id"].tolist()
        row_of = self._row_of
        new = [i for i, flow_id in enumerate(ids) if flow_id not in row_of]
        self._make_room(len(new))
        for i in new:
            row_of[ids[i]] = self._free.pop()
        rows = np.fromiter((row_of[flow_id] for flow_id in ids), np.intp, len(ids))
        was_ended = self._flows["ended"][rows] != 0
        was_ended[new] = False
        opaque(self._flows)[rows] = opaque(changed)
        self._derived["version"][rows] = self.version
        self._derive(rows)
        self._number_hosts(rows)
        if new:
            self._count_pairs(rows[new])
        ended_now = (changed["ended"] != 0) & ~was_ended
        self._ended.extend(changed["flow_id"][ended_now].tolist())
        self._evict()

    def derived_of(self, flows: NDArray[np.void]) -> NDArray[np.void]:
        """What is derived of these flows (DERIVED_DTYPE); of those that are not held, only their ends' places."""
        rows = np.fromiter(
            (self._row_of.get(flow_id, -1) for flow_id in flows["flow_id"].tolist()), np.intp, len(flows)
        )
        found = chosen(self._derived, np.maximum(rows, 0))
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            found[missing] = np.zeros(1, DERIVED_DTYPE)
            found["local_is_src"][missing], found["direction"][missing] = self._directions(chosen(flows, missing))
        return found

    def touch(self, flow_ids: Iterable[int]) -> None:
        """Something that is kept beside the rows of these flows has changed."""
        places = [row for row in map(self._row_of.get, flow_ids) if row is not None]
        self._touch_rows(np.array(places, np.intp))

    def touch_addresses(self, addresses: set[Halves]) -> None:
        """Something that is known of these addresses has changed: the flows of any of them are told of again."""
        if not addresses or not self._row_of:
            return
        rows = np.fromiter(self._row_of.values(), np.intp, len(self._row_of))
        lows = np.array(
            [low for _, low in addresses], np.uint64
        )  # the high half hardly tells more; a row too many is harmless
        hit = np.isin(self._flows["src_lo"][rows], lows) | np.isin(self._flows["dst_lo"][rows], lows)
        self._touch_rows(rows[hit])

    def _touch_rows(self, rows: NDArray[np.intp]) -> None:
        if len(rows):
            self.version += 1
            self._derived["version"][rows] = self.version
            self._view = None

    def ends(self, flow_id: int) -> tuple[int, Halves, Halves] | None:
        """(IP version, originator, responder) of a flow that is held."""
        row = self._row_of.get(flow_id)
        if row is None:
            return None
        flow = self._flows[row]
        source, target = (int(flow["src_hi"]), int(flow["src_lo"])), (int(flow["dst_hi"]), int(flow["dst_lo"]))
        return int(flow["ip_version"]), source, target

    def view(self) -> FlowView:
        """The flows as they are now; the same object until something changes."""
        if self._view is None:
            rows = np.sort(np.fromiter(self._row_of.values(), np.intp, len(self._row_of)))
            flows, derived = chosen(self._flows, rows), chosen(self._derived, rows)
            flows.flags.writeable = derived.flags.writeable = False
            self._view = FlowView(flows, derived, self.version, self.facts, self.hosts)
        return self._view

    def _make_room(self, count: int) -> None:
        missing = count - len(self._free)
        if missing <= 0:
            return
        old = len(self._flows)
        size = old
        while size - old < missing:
            size *= 2
        flows, derived = np.zeros(size, FLOW_DTYPE), np.zeros(size, DERIVED_DTYPE)
        opaque(flows)[:old] = opaque(self._flows)
        opaque(derived)[:old] = opaque(self._derived)
        self._flows, self._derived = flows, derived
        self._free[:0] = range(size - 1, old - 1, -1)

    def _derive(self, rows: NDArray[np.intp]) -> None:
        local, direction = self._directions(chosen(self._flows, rows))
        self._derived["direction"][rows] = direction
        self._derived["local_is_src"][rows] = local

    def _directions(self, flows: NDArray[np.void]) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
        """(whether the local end is the originator, index into DIRECTIONS) of each flow."""
        src_own, dst_own = self._is_own(flows, "src"), self._is_own(flows, "dst")
        # Where neither end is this machine, the border is that of the private networks (ECS network.direction).
        neither = ~(src_own | dst_own)
        src_in = src_own | (neither & is_local_network(flows["src_hi"], flows["src_lo"]))
        dst_in = dst_own | (neither & is_local_network(flows["dst_hi"], flows["dst_lo"]))
        direction = np.full(len(flows), EXTERNAL, np.uint8)
        direction[src_in & ~dst_in] = OUTBOUND
        direction[~src_in & dst_in] = INBOUND
        direction[src_in & dst_in] = INTERNAL
        return src_own | ~dst_own, direction

    def _is_own(self, flows: NDArray[np.void], end: str) -> NDArray[np.bool_]:
        found = np.zeros(len(flows), np.bool_)
        for high, low in self._own:
            found |= (flows[f"{end}_lo"] == np.uint64(low)) & (flows[f"{end}_hi"] == np.uint64(high))
        return found

    def _number_hosts(self, rows: NDArray[np.intp]) -> None:
        """Gives both ends of these rows their numbers; those that have the right ones keep them."""
        for end in ("src", "dst"):
            known = self.hosts.rows
            high, low = self._flows[f"{end}_hi"][rows], self._flows[f"{end}_lo"][rows]
            now = self._derived[f"{end}_host"][rows]
            new = np.flatnonzero((known["lo"][now] != low) | (known["hi"][now] != high))
            if len(new):
                numbers = self.hosts.numbers(self._flows["ip_version"][rows[new]], high[new], low[new])
                self._derived[f"{end}_host"][rows[new]] = numbers
        if len(self.hosts) > MAX_HOSTS:
            self._sweep_hosts()

    def _sweep_hosts(self) -> None:
        """Lets go of hosts that no flow refers to. Older views keep the table they have."""
        rows = np.fromiter(self._row_of.values(), np.intp, len(self._row_of))
        used = np.unique(np.concatenate([self._derived["src_host"][rows], self._derived["dst_host"][rows]]))
        self.hosts, renumbered = self.hosts.only(used[used > 0])
        for end in ("src_host", "dst_host"):
            numbers = renumbered[self._derived[end][rows]]
            self._derived[end] = 0  # rows that are free, too
            self._derived[end][rows] = numbers
        self._view = None

    def touch_hosts(self, first: int, last: int) -> None:
        """More is known of the hosts `first` to before `last`: their flows are told of again."""
        rows = np.fromiter(self._row_of.values(), np.intp, len(self._row_of))
        source, target = self._derived["src_host"][rows], self._derived["dst_host"][rows]
        self._touch_rows(rows[((source >= first) & (source < last)) | ((target >= first) & (target < last))])

    def _count_pairs(self, rows: NDArray[np.intp]) -> None:
        flows, k = chosen(self._flows, rows), self._keys
        pair = flows["src_hi"] * k[0]  # unsigned arithmetic wraps, which is what a hash wants
        pair = (pair ^ flows["src_lo"]) * k[1]
        pair = (pair ^ (pair >> np.uint64(29)) ^ flows["dst_hi"]) * k[2]
        pair = (pair ^ (pair >> np.uint64(31)) ^ flows["dst_lo"]) * k[3]
        tail = flows["dst_port"].astype(np.uint64) << np.uint64(8) | flows["protocol"].astype(np.uint64)
        pair = (pair ^ (pair >> np.uint64(27)) ^ tail) * k[4]
        self._derived["pair"][rows] = pair
        pairs, earlier = self._pairs, []
        for key in pair.tolist():
            seen = pairs.get(key, 0)
            earlier.append(seen)
            pairs[key] = seen + 1
        self._derived["reconnects"][rows] = earlier

    def _evict(self) -> None:
        while len(self._ended) > self.max_ended:
            self._forget(self._ended.popleft())
        surplus = len(self._row_of) - len(self._ended) - self.max_active
        if surplus <= 0:
            return
        rows = np.fromiter(self._row_of.values(), np.intp, len(self._row_of))
        rows = rows[self._flows["ended"][rows] == 0]
        oldest = rows[np.argpartition(self._flows["end"][rows], surplus - 1)[:surplus]]
        for flow_id in self._flows["flow_id"][oldest].tolist():
            self._forget(flow_id)
        self.evicted += surplus

    def _forget(self, flow_id: int) -> None:
        row = self._row_of.pop(flow_id, None)
        if row is None:
            return
        if self.on_forget is not None:
            self.on_forget(self._flows[row], bool(self._derived["local_is_src"][row]))
        key = int(self._derived["pair"][row])
        left = self._pairs.get(key, 0) - 1
        if left > 0:
            self._pairs[key] = left
        else:
            self._pairs.pop(key, None)
        self._free.append(row)
