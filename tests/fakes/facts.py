"""Facts that a sensor would have found in the made-up flows: DNS, TLS, HTTP, logins, names, and what is known of flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.model.timestamps import rfc3339
from app.sensor.fact_documents import KNOWN_COLUMNS
from app.wire.addresses import format_address

MS = 1_000_000
# (server name, application as nDPI writes it, category)
SITES = (
    ("www.google.com", "TLS.Google", "Web"),
    ("i.ytimg.com", "TLS.YouTube", "Media"),
    ("github.com", "TLS.Github", "Collaborative"),
    ("api.example.org", "TLS", "Web"),
    ("edge.netflix.example", "TLS.NetFlix", "Video"),
    ("mail.example.net", "TLS.GMail", "Email"),
    ("static.cdn.example", "TLS.Cloudflare", "Web"),
    ("<b>bold</b>.example", "TLS", "Web"),
    ("ocsp.example.com", "TLS.OCSP", "Network"),
    ("updates.debian.example", "TLS.Debian", "SoftwareUpdate"),
)
SPOKEN = {
    (17, 53): ("DNS", "Network", "dns"),
    (6, 80): ("HTTP", "Web", "http"),
    (6, 22): ("SSH", "RemoteAccess", "ssh"),
    (6, 993): ("IMAPS", "Email", None),
    (17, 123): ("NTP", "System", "ntp"),
    (17, 5353): ("MDNS", "Network", "mdns"),
    (6, 5432): ("PostgreSQL", "Database", "postgresql"),
    (1, 8): ("ICMP", "Network", None),
    (6, 445): ("SMBv23", "System", "smb"),
}
JA4 = (
    "t13d1516h2_8daaf6152771_02713d6af862",
    "t13d1517h2_8daaf6152771_b0da82dd1658",
    "t12d190800_d83cc789557e_7af1ed941c26",
)
RCODES = ("NOERROR", "NOERROR", "NOERROR", "NOERROR", "NXDOMAIN", None)


class Facts:
    """Says something about flows (FLOW rows) that begin. Deterministic: a flow's number decides."""

    def __init__(self) -> None:
        self.bytes_read = 0

    def about(self, flows: np.ndarray, now: int) -> dict[str, Any]:
        """The fact fields of a snapshot in which these flows began."""
        found: dict[str, Any] = {name: [] for name in ("dns", "tls", "http", "logins", "names", "known")}
        names = ("flow_id", "src_hi", "src_lo", "dst_hi", "dst_lo", "ip_version", "protocol", "dst_port", "start")
        for number, sh, sl, dh, dl, version, protocol, port, start in zip(
            *(flows[name].tolist() for name in names), strict=True
        ):
            ends = (format_address(sh, sl, version) or "", format_address(dh, dl, version) or "")
            self._flow(found, number, ends, protocol, port, start or now)
        if len(flows):
            self._host(found, now)
        found = {name: part if name == "known" else part[-1000:] for name, part in found.items()}
        self.bytes_read += 900 * len(flows)
        return {**found, "insight": self._insight()}

    def _flow(
        self, found: dict[str, Any], number: int, ends: tuple[str, str], protocol: int, port: int, start: int
    ) -> None:
        known: dict[str, Any] = {}
        fact = {"timestamp": rfc3339(start + 1), "flow_id": str(number)}
        if port == 443:
            known = self._tls(found, fact, number, "quic" if protocol == 17 else "tls")
        elif (protocol, port) in SPOKEN:
            name, category, spoken = SPOKEN[protocol, port]
            known = {"app": name, "category": category, "app_source": "ndpi", "protocol": spoken}
            if name == "DNS":
                self._dns(found, fact, number, ends)
                known["server_name"], known["server_name_source"] = SITES[number % len(SITES)][0], "ndpi"
            elif name == "HTTP":
                known["server_name"], known["server_name_source"] = self._http(found, fact, number), "http"
        elif port == 8080:
            known = {"app": "HTTP-Proxy", "category": "Web", "app_source": "port"}
        if known:
            found["known"].append([number, *(known.get(name) for name in KNOWN_COLUMNS)])

    def _tls(self, found: dict[str, Any], fact: dict[str, Any], number: int, transport: str) -> dict[str, Any]:
        name, app, category = SITES[number % len(SITES)]
        old = number % 3 == 2 and transport == "tls"
        version = "TLS 1.2" if old else "TLS 1.3"
        alpn = ["h3"] if transport == "quic" else ["h2", "http/1.1"]
        hello = {"ja3": f"{number % 3:032x}", "ja4": JA4[number % 3].replace("t", transport[0], 1), "alpn": alpn}
        found["tls"].append(
            {
                **fact,
                **hello,
                "transport": transport,
                "server_name": name,
                "version": version,
                "offered_version": "TLS 1.3",
                "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" if old else "TLS_AES_128_GCM_SHA256",
                "ech": number % 11 == 0,
                "quic_version": "1" if transport == "quic" else None,
                "subject": f"CN={name}" if old else None,
                "issuer": "CN=Example CA,O=Example" if old else None,
                "not_before": "2025-01-01T00:00:00.000000Z" if old else None,
                "not_after": "2027-01-01T00:00:00.000000Z" if old else None,
                "self_signed": number % 9 == 2 if old else None,
                "names": [name] if old else None,
            }
        )
        return {
            "app": app.replace("TLS", "QUIC", 1) if transport == "quic" else app,
            "category": category,
            "app_source": "ndpi",
            "server_name": name,
            "server_name_source": transport,
            "ja3": hello["ja3"],
            "ja4": hello["ja4"],
            "tls_version": version,
            "alpn": ",".join(alpn),
            "protocol": transport,
        }

    def _dns(self, found: dict[str, Any], fact: dict[str, Any], number: int, ends: tuple[str, str]) -> None:
        rcode, kind = RCODES[number % len(RCODES)], ("A", "AAAA", "HTTPS")[number % 3]
        name = SITES[number % len(SITES)][0]
        address = f"198.51.100.{number % 250 + 1}" if kind == "A" else f"2001:db8:2::{number % 250 + 1:x}"
        answered = rcode == "NOERROR" and kind != "HTTPS"
        found["dns"].append(
            {
                **fact,
                "client": ends[0],
                "server": ends[1],
                "query": name,
                "type": kind,
                "rcode": rcode,
                "answers": [f"CNAME edge.{name}", f"{kind} {address}"] if answered else [],
                "resolved": [[address, 60]] if answered else [],
                "ttl": 60 if answered else None,
                "latency_ms": None if rcode is None else round(4 + number % 90 * 0.7, 3),
                "transport": "tcp" if number % 40 == 0 else "udp",
                "kind": "dns",
            }
        )

    def _http(self, found: dict[str, Any], fact: dict[str, Any], number: int) -> str:
        host = f"plain{number % 5}.example"
        found["http"].append(
            {
                **fact,
                "method": "POST" if number % 7 == 0 else "GET",
                "host": host,
                "uri": f"/item/{number}?q=<script>alert(1)</script>",
                "version": "1.1",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
                "status": (200, 200, 200, 304, 404, 500, None)[number % 7],
                "content_type": "text/html",
                "response_length": 1200 + number % 9000,
                "latency_ms": 20 + number % 50,
                "username": "alice" if number % 10 == 0 else None,
            }
        )
        if number % 10 == 0:
            found["logins"].append({**fact, "protocol": "http", "username": "alice", "succeeded": number % 20 == 0})
        return host

    def _host(self, found: dict[str, Any], now: int) -> None:
        found["names"].append(
            {
                "timestamp": rfc3339(now),
                "address": "192.168.1.1",
                "name": "router.home.arpa",
                "source": "mdns",
                "mac": "02:00:00:00:00:01",
            }
        )

    def _insight(self) -> dict[str, Any]:
        return {
            "engine": "ndpi",
            "engine_version": "5.0.0",
            "engine_why_not": None,
            "engine_restarts": 0,
            "engine_packets_skipped": 12,
            "bytes_read": self.bytes_read,
            "bytes_skipped": self.bytes_read // 50,
            "flows_passed_over": 3,
            "failures": 0,
            "active": 17,
            "facts_forgotten": 0,
        }
