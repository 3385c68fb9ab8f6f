"""Passive names of addresses: what was said about an address on the wire, by whom and when. Nothing is asked, nothing is guessed.

Best first: the name a connection to the address itself carried (SNI, HTTP Host, certificate), then an answer to the client's own DNS query, then
a host's own announcement of its name, then what connections of other clients carried, then an answer to anybody's query, and last, where the user
has names asked for, what reverse DNS says: often the provider's word for a line, not anybody's name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, NamedTuple

from app.dpi.facts import DnsAnswer

NS: Final = 1_000_000_000
CAPACITY: Final = 65_536  # addresses
PER_ADDRESS: Final = 16  # statements kept about one address; the oldest goes first
CHAIN: Final = 16  # CNAMEs followed (RFC 1034 § 3.6.2 sets no limit; resolvers stop about here)
STALE_NS: Final = 24 * 3600 * NS  # what is older was true then, but names nobody now

# Lower is better. Said of a connection of the client that asks, or of nobody's in particular; to that client; of itself; by or to others.
_RANKS: Final = {"sni": 0, "http": 1, "certificate": 2, "dns": 3, "dhcp": 4, "mdns": 4, "nbns": 5, "ptr": 9}
_OTHERS: Final = {"sni": 6, "http": 7, "dns": 8}


class PassiveName(NamedTuple):
    """A name, why it is thought to be this address's, and how old that is."""

    name: str
    source: str  # sni, http, certificate, dns, dhcp, mdns, nbns, ptr
    age_s: float  # since it was last said
    others: bool  # other names were said of the address too
    expired: bool = False  # a DNS answer's TTL is over
    own: bool = False  # said to, or by, the client that was asked for
    mac: str | None = None


@dataclass(slots=True)
class _Statement:
    """One name, as one source said it to (or about a connection of) one client."""

    name: str
    source: str
    client: str | None
    ts: int
    ttl_ns: int | None = None
    mac: str | None = None


class NameTable:
    """What was said about addresses (text form). At most `capacity` of them: those not heard of for longest go, and are counted."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: at least 1 is allowed")
        self.capacity = capacity
        self.evicted = 0
        self._addresses: OrderedDict[str, list[_Statement]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def learn_dns(self, client: str, query: str, answers: Sequence[DnsAnswer], ts: int) -> None:
        """An answer to `client`: each address at the end of the query's CNAME chain gets the name that was asked for.

        Records that the chain from `query` does not lead to name nobody. `ts` in ns.
        """
        for address, ttl in chained_addresses(query, answers):
            self._learn(address, _Statement(query, "dns", client, ts, ttl * NS))

    def learn_sni(self, address: str, name: str, ts: int, client: str | None = None) -> None:
        """A client asked for `name` when it opened a TLS or QUIC connection to `address`."""
        self._learn(address, _Statement(name, "sni", client, ts))

    def learn_http(self, address: str, host: str, ts: int, client: str | None = None) -> None:
        """A request to `address` carried this Host header; a port behind the name is left out."""
        self._learn(address, _Statement(_without_port(host), "http", client, ts))

    def learn_certificate(self, address: str, names: Iterable[str], ts: int) -> None:
        """The server showed a certificate. Only a certificate for exactly one full name says which; one for many, or for a wildcard, does not."""
        distinct = {name.lower().rstrip(".") for name in names}
        bare = {name for name in distinct if not (name.startswith("www.") and name[4:] in distinct)}
        if len(bare) == 1 and "*" not in (name := next(iter(bare))):
            self._learn(address, _Statement(name, "certificate", None, ts))

    def learn_host(self, address: str, name: str, source: str, mac: str | None, ts: int) -> None:
        """A host said its own name: `source` dhcp, mdns or nbns."""
        if source not in ("dhcp", "mdns", "nbns"):
            raise ValueError(f"source is {source!r}: dhcp, mdns, nbns are allowed")
        self._learn(address, _Statement(name, source, None, ts, mac=mac))

    def learn_reverse(self, address: str, name: str, ts: int) -> None:
        """Reverse DNS, asked for by us, gave this name."""
        self._learn(address, _Statement(name, "ptr", None, ts))

    def name_of(self, address: str, client: str | None = None, now: int | None = None) -> PassiveName | None:
        """The best name of an address as `client` sees it (None: as anybody) at `now` (ns; None: at the last thing heard). None: nothing was said."""
        statements = self._addresses.get(address)
        if not statements:
            return None
        if now is None:
            now = max(statement.ts for statement in statements)
        fresh = [statement for statement in statements if now - statement.ts <= STALE_NS]
        if not fresh:
            return None
        best = min(fresh, key=lambda statement: _order(statement, client, now))
        others = any(statement.name.lower() != best.name.lower() for statement in fresh)
        return PassiveName(
            name=best.name,
            source=best.source,
            age_s=max(0, now - best.ts) / NS,
            others=others,
            expired=_is_expired(best, now),
            own=client is not None and best.client == client,
            mac=best.mac,
        )

    def names_of(self, address: str, now: int) -> list[PassiveName]:
        """Every name that was said of an address, best first; each name once."""
        found: dict[str, PassiveName] = {}
        for said in sorted(self._addresses.get(address, ()), key=lambda statement: _order(statement, None, now)):
            age = max(0, now - said.ts) / NS
            found.setdefault(
                said.name.lower(), PassiveName(said.name, said.source, age, False, _is_expired(said, now), mac=said.mac)
            )
        return list(found.values())

    def _learn(self, address: str, statement: _Statement) -> None:
        """Keep a statement; a repeated one is renewed. Names that are no names (empty, the root, the address itself) say nothing."""
        statement.name = statement.name.rstrip(".")
        if not statement.name or statement.name == address or _is_address(statement.name):
            return
        known = self._addresses.get(address)
        if known is None:
            known = self._addresses[address] = []
            if len(self._addresses) > self.capacity:
                self._addresses.popitem(last=False)
                self.evicted += 1
        else:
            self._addresses.move_to_end(address)
        identity = (statement.name.lower(), statement.source, statement.client)
        known[:] = [old for old in known if (old.name.lower(), old.source, old.client) != identity]
        known.append(statement)
        if len(known) > PER_ADDRESS:
            del known[0]


def chained_addresses(query: str, answers: Sequence[DnsAnswer]) -> list[tuple[str, int]]:
    """(address, TTL in s) of the A and AAAA records that CNAMEs lead to from `query`; the TTL is the shortest on the way."""
    aliases = {answer.name.lower(): answer for answer in answers if answer.type == "CNAME"}
    name = query.lower()
    reached = {name: 1 << 31}
    for _ in range(CHAIN):
        alias = aliases.get(name)
        if alias is None:
            break
        ttl = min(reached[name], alias.ttl)
        name = alias.value.lower()
        if name in reached:
            break
        reached[name] = ttl
    return [
        (answer.value, min(answer.ttl, reached[answer.name.lower()]))
        for answer in answers
        if answer.type in ("A", "AAAA") and answer.name.lower() in reached and _is_address(answer.value)
    ]


def _order(statement: _Statement, client: str | None, now: int) -> tuple[int, bool, int]:
    """Sort key, best first: rank, then current before expired, then the newest."""
    source = statement.source
    strangers = statement.client != client and (source == "dns" or None not in (client, statement.client))
    rank = _OTHERS[source] if strangers and source in _OTHERS else _RANKS[source]
    return rank, _is_expired(statement, now), -statement.ts


def _is_expired(statement: _Statement, now: int) -> bool:
    return statement.ttl_ns is not None and now - statement.ts > statement.ttl_ns


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    """The name in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() and not _is_address(host) else host
