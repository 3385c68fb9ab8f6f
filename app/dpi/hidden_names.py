"""Where names are looked up out of sight: DNS over TLS, HTTPS and QUIC, recognised by what the client says in the clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

TLS_PORT: Final = 853  # RFC 7858 § 3.1; over UDP the same port is QUIC (RFC 9250 § 4.1.1)

# Servers that answer nothing but DNS over HTTPS, by their operators' documentation. A name also covers what is below it.
# Hosts that serve web pages besides (dns.google has one, but its use is DNS) are listed only where DNS is what they are for.
RESOLVERS: Final = frozenset((
    "dns.google", "dns.google.com", "dns64.dns.google",  # Google Public DNS
    "cloudflare-dns.com", "one.one.one.one", "1dot1dot1dot1.cloudflare-dns.com", "cloudflare-gateway.com",  # Cloudflare
    "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net",  # Quad9
    "doh.opendns.com", "dns.opendns.com", "doh.familyshield.opendns.com", "dns.umbrella.com", "doh.umbrella.com",  # Cisco
    "dns.adguard-dns.com", "dns.adguard.com", "family.adguard-dns.com", "unfiltered.adguard-dns.com", "d.adguard-dns.com",
    "dns.nextdns.io", "doh3.dns.nextdns.io", "doh.cleanbrowsing.org", "dns.mullvad.net", "dns.controld.com",
    "freedns.controld.com", "doh.dns.sb", "doh.sb", "dns.sb", "dns0.eu", "doh.libredns.gr", "dns.switch.ch",
    "dns.digitale-gesellschaft.ch", "doh.applied-privacy.net", "doh.ffmuc.net", "dns.njal.la", "odvr.nic.cz",
    "dns.alidns.com", "doh.pub", "dns.pub", "doh.360.cn", "dns.twnic.tw", "public.dns.iij.jp", "doh.xfinity.com",
    "doh.dns.apple.com", "wikimedia-dns.org", "firefox.dns.nextdns.io", "dns.aa.net.uk",
))  # fmt: skip


def hidden_names(server_name: str | None, alpn: Sequence[str], port: int, udp: bool = False) -> str | None:
    """Say "dot", "doh", "doq" for a TLS or QUIC connection that carries DNS; None where nothing says so.

    `alpn`: what the client offers; `port`: the server's; `udp`: the handshake is QUIC's. By protocol name first ("dot", "doq"; RFC 7858,
    RFC 9250), then by port 853, then by the names of well-known resolvers.
    """
    if any(name == "doq" or name.startswith("doq-") for name in alpn):
        return "doq"
    if "dot" in alpn:
        return "dot"
    if port == TLS_PORT:
        return "doq" if udp else "dot"
    if server_name and _is_resolver(server_name.lower().rstrip(".")):
        return "doh"
    return None


def _is_resolver(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[start:]) in RESOLVERS for start in range(max(0, len(parts) - 5), len(parts)))
