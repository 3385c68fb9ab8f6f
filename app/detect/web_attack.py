"""Attacks on web applications, and scans for their weaknesses: by what requests contain, and by how many of them are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from app.detect.conversation import SECOND, ConversationDetector, Window, worth_saying
from app.detect.rule import Knob, Rule
from app.detect.web_patterns import attacks
from app.dpi.facts import Fact, HttpMessage, HttpTransaction
from app.dpi.printable import printable, without_cards
from app.model.alert import Severity

_CAPACITY = 4096
_DULL = re.compile(
    rb"(?im)^(?:host|accept|accept-encoding|accept-language|connection|content-length|cache-control|pragma|authorization|proxy-authorization|if-[a-z-]+|dnt|te|upgrade-insecure-requests|sec-[a-z-]+|origin|range)[ \t]*:[^\r\n]*\r?\n?"
)
_LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*([^\r\n]*)")
_CODING = re.compile(rb"(?im)^transfer-encoding([ \t\x0b\x0c]*):([ \t\x0b\x0c]*)([^\r\n]*)")
_REMEMBERED_BYTES = 1024
_CRITICAL_FIRST = {"critical": 0, "high": 1, "medium": 2, "low": 3}


@lru_cache(maxsize=4096)
def _telling(fields: bytes) -> bytes:
    """Header fields without those that no attack is looked for in; a client sends the same ones with each request."""
    return _DULL.sub(b"", fields)


@dataclass(slots=True)
class _Scan:
    """Requests of one client to one server that were refused."""

    window: Window = field(default_factory=Window)
    paths: set[int] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    requests: int = 0


class WebAttack(ConversationDetector):
    """Reads requests as an application would."""

    name = "web_attack"
    rules = (
        Rule(
            "web_attack",
            "Web attack",
            "high",
            "A request contains what only attacks contain: SQL in a parameter, a script, a path out of the site, a command, a look-up that loads code.",
            "Editors of pages, bug reports and tests of security send such text on purpose; requests of scanners to a server that does not run the attacked program do no harm.",
            "See what the server answered. Is the attacked program there and up to date? Look at what the server did right after the request.",
            "T1190",
        ),
        Rule(
            "http_smuggling",
            "HTTP request smuggling",
            "medium",
            "A message says its length in two ways that disagree, so that two servers in a row see different requests in it.",
            "Very old programs send both; not twice with different values.",
            "Let the front server refuse such messages (RFC 9112 section 6.3).",
            "T1190",
        ),
        Rule(
            "web_scan_errors",
            "Web scan: many pages that do not exist",
            "medium",
            "One client asked one server for many different addresses that it does not have.",
            "A moved site; a crawler with an old list.",
            "Look at which addresses were found. Limit the rate of requests.",
            "T1595.003",
        ),
    )
    knobs = (
        Knob(
            "refused",
            30,
            "addresses",
            "different ones refused with 4xx within the window; a broken page has a handful.",
        ),
        Knob("window", 60, "s", "scanners ask for several addresses a second."),
    )
    facts = (HttpMessage, HttpTransaction)

    def begin(self) -> None:
        self._scans = self.bounded(_CAPACITY, _Scan)

    def on_fact(self, fact: Fact) -> None:
        client, server, port = self.ends()
        if isinstance(fact, HttpTransaction):
            if fact.status in (400, 401, 403, 404, 405, 501):
                self._refused(fact, client, server)
            return
        assert isinstance(fact, HttpMessage)
        if fact.head.startswith(b"HTTP/") or fact.request is None:
            return
        line, _, rest = fact.head.partition(b"\n")
        words = line.split(b" ", 1)
        target = words[1].rpartition(b" HTTP/")[0] or words[1] if len(words) > 1 else b""
        headers = _telling(rest) if len(rest) <= _REMEMBERED_BYTES else _DULL.sub(b"", rest[:8192])
        found = attacks(target, fact.body, headers)
        for name, severity, where in sorted(found, key=lambda one: _CRITICAL_FIRST[one[1]]):
            key = (name, client, server)
            count = self.repeats(key)
            if count:
                self._tell(fact, name, severity, where, count, client, server, port, target)
        self._smuggling(fact, rest, client, server)

    def _tell(
        self,
        fact: HttpMessage,
        name: str,
        severity: Severity,
        where: str,
        count: int,
        client: str,
        server: str,
        port: int,
        target: bytes,
    ) -> None:
        path = printable(without_cards(target.partition(b"?")[0]), 80)
        status = fact.request.status if fact.request is not None else None
        answer = f", answered with {status}" if status else ""
        self.alert(
            "web_attack",
            f"{client} sent {server}:{port} a request with {name} in {where} ({path}){answer}; ordinary requests contain none.",
            fact.ts,
            client,
            server,
            confidence=0.85 if severity in ("high", "critical") else 0.6,
            severity=severity,
            fold=(client, server, name),
            measured=count,
            threshold=0,
            unit="requests",
            protocol="http",
            flow_ids=(fact.flow_id,),
            title=f"Web attack: {name}",
            details={"attack": name, "where": where, "host": fact.request.host if fact.request else None},
        )

    def _smuggling(self, fact: HttpMessage, fields: bytes, client: str, server: str) -> None:
        lower = fields.lower()
        if b"transfer-encoding" not in lower and lower.count(b"content-length") < 2:
            return  # one way to say the length at most
        lengths = {value.strip() for value in _LENGTH.findall(fields)}
        codings = _CODING.findall(fields)
        odd = [
            value
            for before, after, value in codings
            if before
            or value.strip().lower()
            not in (b"chunked", b"gzip, chunked", b"identity", b"gzip", b"deflate", b"trailers", b"compress")
        ]
        problem = ""
        if len(lengths) > 1:
            problem = "two different lengths"
        elif lengths and codings:
            problem = "both a length and chunks"
        elif odd or len(codings) > 1:
            problem = "a transfer coding that servers read differently"
        if not problem:
            return
        self.alert(
            "http_smuggling",
            f"{client} sent {server} a request with {problem}; exactly one way to say the length is allowed.",
            fact.ts,
            client,
            server,
            confidence=0.7,
            severity="medium" if problem != "both a length and chunks" or b"HTTP/1." in fact.body else "low",
            measured=2,
            threshold=1,
            unit="lengths",
            protocol="http",
            flow_ids=(fact.flow_id,),
        )

    def _refused(self, fact: HttpTransaction, client: str, server: str) -> None:
        scan = self._scans[client, server]
        before = len(scan.paths)
        if before < 4096:
            scan.paths.add(hash(fact.uri.partition("?")[0]))
        if len(scan.paths) == before:
            return
        count = scan.window.add(fact.ts, int(self.knob("window") * SECOND))
        if count == 1:
            scan.paths = {hash(fact.uri.partition("?")[0])}
        if worth_saying(scan.window, count, self.knob("refused")):
            self.alert(
                "web_scan_errors",
                f"{client} asked {server} for {count} different addresses within {scan.window.span_s:.0f} s that it does not have or does not give; the limit is {self.knob('refused'):.0f}.",
                fact.ts,
                client,
                server,
                confidence=0.8,
                severity="high" if count >= 4 * self.knob("refused") else "medium",
                measured=count,
                threshold=self.knob("refused"),
                unit="addresses",
                protocol="http",
                flow_ids=(fact.flow_id,),
            )
