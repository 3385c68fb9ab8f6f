"""Names of addresses and addresses of names, asked of the system's name servers with dnspython; answers are kept as long as their TTL says."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from app.enrich.scope import scope

LIFETIME: Final = 3.0  # seconds for one question with all its repetitions
NEGATIVE_SECONDS: Final = 300.0
SHORTEST: Final = 30.0  # bounds of a TTL, seconds
LONGEST: Final = 86_400.0
CAPACITY: Final = 50_000
ASKED_SCOPES: Final = frozenset({"global", "private", "shared"})


class Resolver:
    """Each call may block up to LIFETIME: for threads of its own, several at once."""

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        port: int = 53,
        clock: Callable[[], float] = time.monotonic,
        lifetime: float = LIFETIME,
    ) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Any]] = OrderedDict()
        self.asked = self.answered = 0
        self.problem: str | None = None
        try:
            self._resolver: dns.resolver.Resolver | None = dns.resolver.Resolver(configure=not nameservers)
        except (dns.resolver.NoResolverConfiguration, OSError):
            self._resolver = None
            self.problem = "This machine has no name server."
            return
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.lifetime, self._resolver.timeout = lifetime, lifetime / 2

    def get_hostname(self, address: str) -> str | None:
        """The name that the address's PTR record gives; None: there is none, no server answered (`problem`), or it is nobody's to ask."""
        try:
            if scope(address) not in ASKED_SCOPES:
                return None
            question = dns.reversename.from_address(address)
        except (ValueError, dns.exception.DNSException):
            return None
        names = self._ask(question, "PTR")
        return names[0] if names else None

    def resolve_domain(self, domain: str) -> list[str]:
        """The A and AAAA addresses of a name; empty: there are none, or no server answered (`problem`)."""
        try:
            question = dns.name.from_text(domain)
        except (dns.exception.DNSException, UnicodeError):
            return []
        return [*self._ask(question, "A"), *self._ask(question, "AAAA")]

    def _ask(self, question: dns.name.Name, kind: str) -> list[str]:
        key = (question.to_text().lower(), kind)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return list(kept[1])
        if self._resolver is None:
            return []
        self.asked += 1
        found: list[str] = []
        seconds = NEGATIVE_SECONDS
        try:
            answer = self._resolver.resolve(question, kind, search=False)
            found = [_text(record, kind) for record in answer][:32]
            seconds = min(max(answer.expiration - time.time(), SHORTEST), LONGEST)
            self.answered += 1
            self.problem = None
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self.answered += 1
            self.problem = None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            self.problem = f"The name server did not answer ({type(error).__name__})."
        self._kept[key] = (self._clock() + seconds, found)
        if len(self._kept) > CAPACITY:
            try:
                self._kept.popitem(last=False)
            except KeyError:
                pass  # another thread was first
        return list(found)

    def document(self) -> dict[str, Any]:
        """The status as it is shown."""
        text = self.problem or "Name servers are asked for the names of new addresses."
        return {
            "state": "failed" if self.problem else "ready",
            "text": text,
            "asked": self.asked,
            "answered": self.answered,
        }


def _text(record: Any, kind: str) -> str:
    text = str(record.target if kind == "PTR" else record.address)
    return "".join(c for c in text if c.isprintable())[:255].rstrip(".")
