"""TLS that should not be trusted: old versions and ciphers, certificates that prove nothing, and connections that look like remote control."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from app.detect.conversation import SECOND, ConversationDetector, is_bare_address, is_local, is_loopback
from app.detect.rule import Knob, Rule
from app.dpi.facts import Certificate, Fact, TlsClientHello, TlsServerHello
from app.model.alert import Severity
from app.stats.bounded import BoundedMap

_CAPACITY = 8192
DAY = 86_400 * SECOND
_USUAL_PORTS = frozenset((443, 465, 563, 587, 25, 110, 143, 636, 853, 989, 990, 993, 995, 5061, 5222, 5223, 5228, 8443, 4433, 8883, 3389, 1433, 3306, 5432, 2083, 2087, 2096, 6514, 8080, 8888, 9443, 10443, 3478, 5349, 1194, 4443, 8009, 5671, 6697, 636, 3269, 2376, 6443, 27017))  # fmt: skip
_BROKEN = re.compile(r"NULL|EXPORT|_anon_|RC4_40|RC2|DES40", re.IGNORECASE)
_WEAK = re.compile(r"RC4|_DES_|3DES|MD5|IDEA", re.IGNORECASE)
# Names that come with remote-control programs and with attackers' frameworks as they are delivered
_TOOLS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("AsyncRAT or a relative", re.compile(r"CN=(?:AsyncRAT|DcRat|VenomRAT|Venom|XenoRAT|LimeRAT|BoratRat|Anarchy|SXN)[ _-]?(?:Server|Root|CA)?", re.IGNORECASE)),
    ("Quasar", re.compile(r"CN=Quasar (?:Server )?CA", re.IGNORECASE)),
    ("Cobalt Strike", re.compile(r"CN=Major Cobalt Strike|O=cobaltstrike|OU=AdvancedPenTesting", re.IGNORECASE)),
    ("Metasploit", re.compile(r"CN=MetasploitSelfSignedCA|O=Metasploit", re.IGNORECASE)),
    ("Orcus", re.compile(r"CN=Orcus Server", re.IGNORECASE)),
    ("BitRAT", re.compile(r"CN=BitRAT", re.IGNORECASE)),
    ("Sliver", re.compile(r"CN=multiplayer\b|O=(?:Partners|Synergy|Sliver) ?,? ?OU=operators", re.IGNORECASE)),
    ("PoshC2", re.compile(r"CN=P18055077", re.IGNORECASE)),

    ("Mythic or Merlin", re.compile(r"CN=(?:merlin|Mythic)\b|O=Merlin", re.IGNORECASE)),
    ("Havoc or Empire", re.compile(r"O=(?:EmpireProject|Havoc)\b|CN=(?:empire|havoc)\b", re.IGNORECASE)),
)  # fmt: skip
_TOR = re.compile(r"CN=www\.[a-z2-7]{8,20}\.(?:net|com)$")


@lru_cache(maxsize=1024)
def _of_cipher(name: str) -> tuple[bool, bool]:
    """(broken, weak): there are a few hundred names."""
    return _BROKEN.search(name) is not None, _WEAK.search(name) is not None


@dataclass(slots=True)
class _Hello:
    """What the client asked for."""

    server_name: str | None
    transport: str
    alpn: str
    ts: int
    ja3: str


class TlsTrust(ConversationDetector):
    """Looks at each handshake once."""

    name = "tls_trust"
    rules = (
        Rule(
            "weak_tls",
            "Weak TLS: an old version or cipher",
            "low",
            "The server chose a version of TLS or a cipher that is broken or no longer allowed (RFC 8996, RFC 7465).",
            "Printers, cameras and old servers know nothing newer.",
            "Update or reconfigure the server; keep it away from the internet until then.",
            "T1600",
        ),
        Rule(
            "bad_certificate",
            "Certificate that proves nothing",
            "low",
            "The server's certificate has expired, is not yet valid, is signed by itself, or is for another name.",
            "Devices at home and in laboratories have self-signed certificates.",
            "Compare the certificate with what the server's owner says. For a name that had a good one yesterday, somebody may be in between.",
            "T1587.003",
        ),
        Rule(
            "suspicious_tls",
            "Suspicious TLS, as remote access trojans use it",
            "low",
            "Several things that are harmless alone came together: no server name, an unusual port, an old version, a certificate that nobody vouches for.",
            "Programs of devices (cameras, NAS, VPN) do without names and with certificates of their own; mostly to the same address for years.",
            "Find the program and the owner of the address. If nobody knows it, isolate the machine.",
            "T1573.002",
        ),
        Rule(
            "c2_certificate",
            "Certificate of a remote access trojan or C2 framework",
            "high",
            "The server shows a certificate with the name that a known tool for remote control brings along.",
            "Authorised tests of security use the same tools.",
            "Isolate the client; find the program that holds the connection.",
            "T1219",
        ),
        Rule(
            "tor",
            "Tor: traffic into an anonymising network",
            "low",
            "The handshake is that of Tor: random names on both sides of a certificate, no real server name.",
            "People who want privacy use it on purpose.",
            "Ask whether it is wanted. On a server it rarely is.",
            "T1090.003",
        ),
    )
    knobs = (
        Knob(
            "score",
            4,
            "points",
            "no name 1, unusual port 1, self-signed 1, old version 1, remote address in place of a name 1, odd validity 1; ordinary devices reach 3.",
        ),
        Knob("many", 6, "points", "medium from here: remote desktops, VPN servers and messengers of phones reach 5."),
        Knob("longest", 20, "years", "of validity: certificates that tools generate are valid for ever."),
    )
    facts = (TlsClientHello, TlsServerHello)

    def begin(self) -> None:
        self._hellos: BoundedMap[int, _Hello] = self.bounded(_CAPACITY)

    def on_fact(self, fact: Fact) -> None:
        if isinstance(fact, TlsClientHello):
            self._hellos[fact.flow_id] = _Hello(
                fact.server_name, fact.transport, ",".join(fact.alpn), fact.ts, fact.ja3
            )
            if fact.transport == "quic":
                self._quic(fact)
            return
        assert isinstance(fact, TlsServerHello)
        hello = self._hellos.pop(fact.flow_id)
        client, server, port = self.ends()
        if not client:
            return
        certificate = fact.certificates[0] if fact.certificates else None
        old = self._weak(fact, client, server, port)
        problems = _problems(certificate, hello, fact.ts) if certificate is not None else []
        if certificate is not None:
            if self._tool(fact, certificate, client, server, port):
                return
            if (
                _TOR.match(certificate.subject)
                and _TOR.match(certificate.issuer)
                and certificate.subject != certificate.issuer
            ):
                self._once(
                    "tor",
                    "low",
                    0.8,
                    f"{client} speaks with {server}:{port} by a certificate of two random names ({certificate.subject}), as relays of Tor do.",
                    fact,
                    client,
                    server,
                )
                return
            if problems:
                reason = f"{server}:{port} showed {client} a certificate ({certificate.subject[:60]}) that is {' and '.join(problems)}."
                self._once("bad_certificate", "low", 0.8, reason, fact, client, server)
        self._together(fact, hello, certificate, problems, old, client, server, port)

    def _weak(self, fact: TlsServerHello, client: str, server: str, port: int) -> bool:
        old = fact.version in ("SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1", "DTLS 1.0")
        broken, weak = _of_cipher(fact.cipher)
        broken = broken or fact.version == "SSL 2.0"
        if old or broken or weak:
            reason = f"{server}:{port} chose {fact.version}{' with ' + fact.cipher if fact.cipher else ''} for {client}; allowed are TLS 1.2 and newer without RC4, DES, export and NULL ciphers."
            self._once(
                "weak_tls", "medium" if broken and not is_local(server) else "low", 0.9, reason, fact, client, server
            )
        return old

    def _tool(self, fact: TlsServerHello, certificate: Certificate, client: str, server: str, port: int) -> bool:
        for tool, pattern in _TOOLS:
            if pattern.search(certificate.subject) or pattern.search(certificate.issuer):
                reason = f"{server}:{port} showed {client} the certificate {certificate.subject[:80]}, which {tool} brings along."
                self._once("c2_certificate", "high", 0.9, reason, fact, client, server)
                return True
        return False

    def _together(
        self,
        fact: TlsServerHello,
        hello: _Hello | None,
        certificate: Certificate | None,
        problems: list[str],
        old: bool,
        client: str,
        server: str,
        port: int,
    ) -> None:
        """Points for what is harmless alone."""
        if hello is None or is_loopback(server) or hello.transport != "tls":
            return
        points: list[str] = []
        if not hello.server_name or is_bare_address(hello.server_name):
            points.append("no server name")
        if port not in _USUAL_PORTS:
            points.append(f"the unusual port {port}")
        if certificate is not None and certificate.self_signed:
            points.append("a self-signed certificate")
        if old:
            points.append(fact.version)
        if not is_local(server) and (not hello.server_name):
            points.append("a remote address without a name")
        if certificate is not None:
            years = (certificate.not_after - certificate.not_before) / (365 * DAY)
            if years > self.knob("longest") or 0 < certificate.not_after - certificate.not_before < 8 * DAY:
                points.append(f"a validity of {years:.1f} years")
            if "O=" not in certificate.subject and "." not in certificate.subject:
                points.append("a certificate without organisation or domain")
        unusual = any(point.startswith("the unusual") for point in points)
        if len(points) < self.knob("score") - (not unusual and certificate is not None):
            return
        # at home ports many devices look so: worth a word, not more
        reason = (
            f"{client} speaks TLS with {server}:{port} with {', '.join(points)}: {len(points)} points, "
            f"the limit is {self.knob('score'):.0f}."
        )
        severity: Severity = "medium" if unusual and len(points) >= self.knob("many") else "low"
        confidence = 0.5 + 0.08 * (len(points) - 3) if unusual else 0.35
        self._once("suspicious_tls", severity, confidence, reason, fact, client, server, len(points))

    def _quic(self, fact: TlsClientHello) -> None:
        client, server, port = self.ends()
        if fact.server_name or not client:
            return
        reason = f"{client} speaks QUIC with {server}:{port} without a server name; browsers always send one."
        self._once(
            "suspicious_tls", "low", 0.4, reason, fact, client, server, title="Suspicious QUIC without a server name"
        )

    def _once(
        self,
        rule: str,
        severity: Severity,
        confidence: float,
        reason: str,
        fact: TlsServerHello | TlsClientHello,
        client: str,
        server: str,
        measured: float | None = None,
        title: str | None = None,
    ) -> None:
        count = self.repeats((rule, client, server))
        if not count:
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
            threshold=None if measured is None else self.knob("score"),
            unit=None if measured is None else "points",
            protocol="tls",
            flow_ids=(fact.flow_id,),
            title=title,
        )


def _problems(certificate: Certificate, hello: _Hello | None, ts: int) -> list[str]:
    """What is wrong with a certificate at the time of the handshake."""
    found = []
    if certificate.not_after and certificate.not_after < ts:
        found.append("expired")
    if certificate.not_before > ts:
        found.append("not yet valid")
    if certificate.self_signed:
        found.append("signed by itself")
    name = hello.server_name if hello is not None else None
    if (
        name
        and certificate.names
        and not is_bare_address(name)
        and not any(_matches(one, name) for one in certificate.names)
    ):
        found.append(f"not for {name[:60]}")
    return found


def _matches(pattern: str, name: str) -> bool:
    """RFC 9525: a wildcard stands for the leftmost label."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name
