"""Command and control over HTTP: requests as malware's check-ins look, and addresses that attack frameworks use as they are delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final

from app.detect.conversation import ConversationDetector, is_bare_address, is_local
from app.detect.domains import entropy, randomness, registered_domain
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact, HttpMessage
from app.model.alert import Severity

_CAPACITY = 4096
_EMPIRE: Final = frozenset(("/news.php", "/login/process.php", "/admin/get.php"))
# (tool, address pattern); only addresses that nothing else uses
_PROFILES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("Cobalt Strike", re.compile(r"^/(?:submit\.php\?id=\d{3,10}|__utm\.gif\?utmac=UA-2202604-2|pixel\.gif$|ca$|dpixel$|j\.ad$|ptj$|en_US/all\.js$|IE9CompatViewList\.xml$|updates\.rss$|visit\.js$|ga\.js$|cx$|cm$|push$|dot\.gif$|activity$|load$|match$|fwlink$|g\.pixel$)")),
    ("Covenant", re.compile(r"^/en-us/(?:index|docs|test)\.html\?page=[A-Za-z0-9+/=]{8,}|^/en-us/docs\.html\?type=")),
    ("Gozi or Ursnif", re.compile(r"^/(?:images|drew|jkloll|api1|jdraw)/[A-Za-z0-9_/]{60,}(?:/[A-Za-z0-9_]{1,20})?\.(?:avi|bmp|gif|jpeg|pct|crw|jlk|bob|zer)$")),
    ("Trickbot", re.compile(r"^/[a-z]{2,6}\d{1,4}/[A-Z0-9_-]{3,32}_W\d{5,9}\.[0-9A-F]{32}/\d{1,3}/")),
    ("Zeus", re.compile(r"/(?:gate|cfg|config|panel|cp)\.(?:php|bin)$")),
    ("Loki", re.compile(r"/(?:five|fre|pvqdq929bsx_a_d_m1n_a|logs)/?(?:fre|\d{1,3})?\.php$|/fre\.php$")),
    ("Pony or a stealer", re.compile(r"/gate\.php$|/panel/(?:shit|gate|connect)\.php$")),
    ("Amadey", re.compile(r"^/[A-Za-z0-9]{5,12}/index\.php(?:\?scr=1)?$")),
    ("Mirai loader", re.compile(r"^/(?:bins?|mirai|hakai|sora|okiru|tsunami)/?[a-z0-9_.-]{0,24}\.(?:mips|mpsl|arm[567]?|x86|ppc|sh4|spc|m68k)$")),
    ("PlugX", re.compile(r"^/(?:update\?(?:id|wd)=[0-9a-f]{8}$|[0-9A-F]{16}/[0-9A-F]{16}$)")),
)  # fmt: skip
_IP_LOOKUP: Final = frozenset("api.ipify.org checkip.dyndns.org icanhazip.com ipinfo.io ip-api.com myexternalip.com ipecho.net wtfismyip.com ident.me checkip.amazonaws.com whatismyip.akamai.com freegeoip.app ifconfig.me api.ip.sb ip.anysrc.net ipv4bot.whatismyipaddress.com".split())  # fmt: skip # noqa: SIM905
_RANDOM_PATH: Final = re.compile(
    r"^/(?:[A-Za-z0-9_-]{1,40}/){0,4}([A-Za-z0-9]{5,60})(?:\.(?:php|asp|aspx|jsp|cgi|do))?/?$"
)
_ONE_LETTER: Final = re.compile(r"^[a-z]=[a-z0-9]{8,}$")
_STOLEN: Final = re.compile(
    rb"(?i)(?:computer ?name|user ?name|hwid|machine ?id|bot_?id|pc ?name|os ?(?:version|fullname)|antivirus|win_?ver|install ?date|ram ?size|local ?ip|keystroke|screenshot|clipboard)[\"']?\s?[=:|]"
)
_STOLEN_BY: Final = 2


@dataclass(slots=True)
class _Server:
    """What one client asked of one server."""

    paths: set[str] = field(default_factory=set)
    posts: int = 0
    said: int = 0


class C2Http(ConversationDetector):
    """Points for what is harmless alone."""

    name = "c2_http"
    rules = (
        Rule(
            "c2_http",
            "Command and control over HTTP",
            "high",
            "Requests look like the check-ins of malware: a form sent to a bare address or an unusual port, a random path, no page before it, contents that are noise, or addresses that an attack framework uses as delivered.",
            "Devices and old programs that talk to their maker by address; advertising with random paths.",
            "Find the program that sent the requests, and look up the address. Isolate the machine if nobody can explain it.",
            "T1071.001",
        ),
        Rule(
            "ip_lookup",
            "A program asks a service for its public address",
            "low",
            "A service that tells the caller's public address was asked; malware does so to know where it is.",
            "Dynamic DNS clients, VPN programs, scripts.",
            "Find the program that asked.",
            "T1016",
        ),
    )
    knobs = (
        Knob("score", 4, "points", "of the kinds that the reason lists; ordinary programs reach two."),
        Knob("hint", 3, "points", "told as low: one more than ordinary programs reach."),
    )
    facts = (HttpMessage,)

    def begin(self) -> None:
        self._servers = self.bounded(_CAPACITY, _Server)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, HttpMessage)
        request = fact.request
        if request is None or fact.head.startswith(b"HTTP/"):
            return
        client, server, port = self.ends()
        if not client:
            return
        host = (request.host or "").lower()
        if host.partition(":")[0] in _IP_LOOKUP:
            self._tell(
                "ip_lookup", "low", 0.5, f"{client} asked {host} for its public address.", fact, server, client, 1
            )
            return
        entry = self._servers[client, server]
        path = request.uri.partition("?")[0]
        if len(entry.paths) < 64:
            entry.paths.add(path)
        entry.posts += request.method == "POST"
        bare = not host or is_bare_address(host)
        if len(_EMPIRE & entry.paths) >= 2:
            self._tell(
                "c2_http",
                "high",
                0.9,
                f"{client} asks {server} for {' and '.join(sorted(_EMPIRE & entry.paths))}, the addresses that Empire uses as delivered.",
                fact,
                server,
                client,
                len(_EMPIRE & entry.paths),
            )
            return
        tool = self._profile(request.uri, bare or port not in (80, 8080), request.method)
        points = self._points(fact, bare, port, host, server, entry)
        if tool:
            points += [f"an address that {tool} uses"] * 2
        if len(points) >= self.knob("hint"):
            confidence = min(0.95, 0.35 + 0.1 * len(points))
            beyond = len(points) - self.knob("score")
            severity: Severity = "high" if beyond >= 1 else "medium" if beyond >= 0 else "low"
            shown = list(dict.fromkeys(points))
            self._tell(
                "c2_http",
                severity,
                confidence,
                f"{client} sends {host.partition(':')[0][:50] or server}:{port} requests with {', '.join(shown)}: {len(points)} points, the limit is {self.knob('score'):.0f}.",
                fact,
                server,
                client,
                len(points),
            )

    def _profile(self, uri: str, odd: bool, method: str) -> str:
        if not odd and method != "POST":
            return ""
        for tool, pattern in _PROFILES:
            if pattern.search(uri):
                return tool
        if (
            odd
            and method == "GET"
            and re.fullmatch(r"/[A-Za-z0-9]{4}", uri)
            and sum(map(ord, uri[1:])) % 256 in (92, 93)
        ):
            return "Metasploit or Cobalt Strike"
        return ""

    def _points(self, fact: HttpMessage, bare: bool, port: int, host: str, server: str, entry: _Server) -> list[str]:
        request = fact.request
        assert request is not None
        points: list[str] = []
        post = request.method == "POST"
        path, _, query = request.uri.partition("?")
        if bare and not is_local(server):
            points.append("a bare address as host")
        if port not in (80, 8080, 8000, 3128, 8888, 5985):
            points.append(f"the unusual port {port}")
        if post and not request.referrer:
            points.append("a form without a page before it")
        elif (
            post
            and bare
            and request.referrer
            and is_bare_address(request.referrer.partition("://")[2].partition("/")[0])
        ):
            points.append("a page before it at the same bare address")
        found = _RANDOM_PATH.match(path)
        if found and _looks_random(found[1]):
            points.append(f"the random path {path[:40]}")
        if query and _ONE_LETTER.match(query) and post:
            points.append("one random parameter")
        agent = request.user_agent
        if agent is None or len(agent) < 8:
            points.append("no user agent")
        elif post and re.search(r"MSIE [5-9]\.|Windows NT 5\.|MSIE 10", agent):
            points.append("a browser of long ago")
        if post and fact.body:
            content = fact.body
            if (
                len(content) >= 64
                and entropy(content[:1024].decode("latin-1")) > 5.6
                and b"application/ocsp" not in fact.head.lower()
                and b"multipart" not in fact.head.lower()
            ):
                points.append("contents that are noise")
            elif (
                b"urlencoded" in fact.head.lower()
                and b"=" in content[:40]
                and b"&" not in content
                and len(content) > 60
                and re.match(rb"[a-z0-9]{1,12}=[A-Za-z0-9%+/=]{50,}\Z", content)
            ):
                points.append("a single encoded field")
            if len(_STOLEN.findall(content)) >= _STOLEN_BY:
                points += ["facts about the machine"] * 2
        domain = registered_domain(host.partition(":")[0])
        if "." in domain and not bare and randomness(domain.partition(".")[0]) > 0.5:
            points.append(f"the random name {domain[:40]}")
        return points

    def _tell(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        fact: HttpMessage,
        server: str,
        client: str,
        measured: int,
    ) -> None:
        entry = self._servers[client, server]
        entry.said += 1
        if entry.said & (entry.said - 1):
            return
        self.alert(
            rule,
            reason,
            fact.ts,
            client,
            server,
            confidence=confidence,
            severity=severity,
            measured=measured,
            threshold=self.knob("score"),
            unit="points",
            protocol="http",
            flow_ids=(fact.flow_id,),
            details={"host": fact.request.host if fact.request else None},
        )


@lru_cache(maxsize=4096)
def _looks_random(word: str) -> bool:
    """Digits among letters, changing case or no vowels: not a word that a person chose."""
    if len(word) < 5:
        return False
    digits = sum(char.isdigit() for char in word)
    mixed = 0 < digits < len(word) and any(a.isdigit() != b.isdigit() for a, b in pairwise(word))
    cases = sum(a.islower() and b.isupper() for a, b in pairwise(word))
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(word))
    return (mixed and changes >= 2) or cases >= 3 or (len(word) >= 8 and randomness(word) >= 0.5)
