"""The application of a flow: nDPI's word where it found one in the payload, else what our own parsers recognised, else the port, else nothing.

One idea: every name says where it comes from, so that a port is never taken for proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from app.dpi import application as says
from app.dpi.application import Application
from app.dpi.facts import DnsTransaction, Fact, HttpTransaction, Recognized, TlsClientHello, TlsServerHello
from app.model.layers import IP_PROTOCOLS
from app.wire.service_ports import NAMED_PORTS, SERVICE_PORTS

PortName = Callable[[str, int], "str | None"]  # ("tcp", 443) → "HTTPS"

# Protocol as our parsers write it → (name, category) as nDPI writes them.
_BY_CONTENT: Final[dict[str, tuple[str, str | None]]] = {
    "dcerpc": ("DCERPC", "RPC"),
    "dhcp": ("DHCP", "Network"),
    "dhcpv6": ("DHCPV6", "Network"),
    "dns": ("DNS", "Network"),
    "dnp3": ("DNP3", "IoT-Scada"),
    "dot": ("TLS.DoH_DoT", "Network"),
    "doh": ("TLS.DoH_DoT", "Network"),
    "doq": ("QUIC.DoH_DoT", "Network"),
    "dtls": ("DTLS", "Web"),
    "ftp": ("FTP_CONTROL", "Download"),
    "ftp-data": ("FTP_DATA", "Download"),
    "http": ("HTTP", "Web"),
    "http2": ("HTTP2", "Web"),
    "imap": ("IMAP", "Email"),
    "kerberos": ("Kerberos", "Network"),
    "ldap": ("LDAP", "System"),
    "llmnr": ("LLMNR", "Network"),
    "mdns": ("MDNS", "Network"),
    "modbus": ("Modbus", "IoT-Scada"),
    "mongodb": ("MongoDB", "Database"),
    "mqtt": ("MQTT", "RPC"),
    "mysql": ("MySQL", "Database"),
    "nbns": ("NetBIOS", "System"),
    "netbios": ("NetBIOS", "System"),
    "nntp": ("Usenet", "Web"),
    "ntp": ("NTP", "System"),
    "pop3": ("POP3", "Email"),
    "postgresql": ("PostgreSQL", "Database"),
    "quic": ("QUIC", "Web"),
    "rdp": ("RDP", "RemoteAccess"),
    "redis": ("RESP", "Database"),
    "rtsp": ("RTSP", "Media"),
    "sieve": ("ManageSieve", "Email"),
    "sip": ("SIP", "VoIP"),
    "smb": ("SMBv23", "System"),
    "smb1": ("SMBv1", "System"),
    "smtp": ("SMTP", "Email"),
    "snmp": ("SNMP", "Network"),
    "ssdp": ("SSDP", "System"),
    "ssh": ("SSH", "RemoteAccess"),
    "stratum": ("Mining", "Mining"),
    "stun": ("STUN", "Network"),
    "syslog": ("Syslog", "System"),
    "telnet": ("Telnet", "RemoteAccess"),
    "tftp": ("TFTP", "DataTransfer"),
    "tls": ("TLS", "Web"),
    "xmpp": ("Jabber", "Chat"),
    "websocket": ("HTTP.WebSocket", "Web"),
}

# IP protocols that say it all, as nDPI names them.
_BY_IP_PROTOCOL: Final[dict[int, str]] = {
    1: "ICMP", 2: "IGMP", 4: "IP_in_IP", 47: "GRE", 50: "IPSec", 51: "IPSec", 58: "ICMPV6", 89: "OSPF", 103: "IP_PIM",
    112: "VRRP", 132: "SCTP",
}  # fmt: skip

# By name of the service, in lower case.
_PORT_CATEGORIES: Final[dict[str, str]] = {
    **{name: category for name, (_, category) in _BY_CONTENT.items() if category},
    "domain": "Network", "https": "Web", "http-proxy": "Web", "https-alt": "Web", "http-alt": "Web", "smtps": "Email",
    "submission": "Email", "submissions": "Email", "imaps": "Email", "pop3s": "Email", "ftps": "Download",
    "mongod": "Database", "bootps": "Network", "bootpc": "Network", "mdns": "Network", "bgp": "Network",
}  # fmt: skip


def application(
    protocol: int, dst_port: int, recognised: str | None = None, port_name: PortName | None = None
) -> Application:
    """Without nDPI. `protocol`: IP's number; `recognised`: what the content showed (`protocol_of`); `port_name`: a larger table of ports than
    the small one used by itself (`app.enrich.services.service_name`)."""
    if recognised:
        name, category = _BY_CONTENT.get(recognised.lower(), (recognised, None))
        return Application(name, category, says.CONTENT, says.BY_CONTENT)
    if protocol in _BY_IP_PROTOCOL:
        return Application(_BY_IP_PROTOCOL[protocol], "Network", says.PROTOCOL, says.BY_PROTOCOL)
    transport = IP_PROTOCOLS.get(protocol)
    if transport in ("tcp", "udp", "sctp", "dccp", "udplite"):
        service = (port_name or _small_table)(transport, dst_port)
        if service:
            return Application(service, _PORT_CATEGORIES.get(service.lower()), says.PORT, says.BY_PORT)
        return Application(None, reason=says.UNRECOGNISED)
    return Application(transport, "Network", says.PROTOCOL, says.BY_PROTOCOL) if transport else _UNKNOWN_PROTOCOL


def best(by_ndpi: Application | None, by_us: Application) -> Application:
    """Of both answers the one that rests on more: payload before addresses and ports; at a tie nDPI's, which knows more names."""
    if by_ndpi is None or by_ndpi.name is None:
        return _with_details(by_us, by_ndpi)
    if by_us.is_certain and not by_ndpi.is_certain:
        return _with_details(by_us, by_ndpi)
    return by_ndpi


def protocol_of(facts: Iterable[Fact]) -> str | None:
    """What the facts of one flow say it speaks: the innermost of what was found (TLS, then HTTP in it)."""
    found = None
    for fact in facts:
        found = _protocol(fact) or found
    return found


def engine_name(version: str | None, why_not: str | None = None) -> str:
    """Which classification is in use, for the page."""
    if version:
        return f"nDPI {version}"
    return f"Netglass's own recognition and ports ({why_not or 'nDPI has not been started'})"


_UNKNOWN_PROTOCOL: Final = Application(None, reason="an IP protocol without a name")


def _with_details(by_us: Application, by_ndpi: Application | None) -> Application:
    """Our name with what nDPI knows beside a name; the engine's reason where nobody has a name."""
    if by_ndpi is None:
        return by_us
    reason = None if by_us.name else by_ndpi.reason or by_us.reason
    return Application(
        by_us.name,
        by_us.category,
        by_us.source,
        by_us.confidence,
        by_ndpi.server_name,
        by_ndpi.address_owner,
        by_ndpi.risks,
        reason,
    )


def _protocol(fact: Fact) -> str | None:
    if isinstance(fact, Recognized):
        return fact.protocol
    if isinstance(fact, DnsTransaction):
        return fact.kind
    if isinstance(fact, TlsClientHello):
        return fact.transport
    if isinstance(fact, TlsServerHello):
        return "dtls" if fact.version.startswith("DTLS") else "tls"
    if isinstance(fact, HttpTransaction):
        return "http2" if fact.version.startswith("2") else "http"
    return None


def _small_table(_transport: str, port: int) -> str | None:
    return NAMED_PORTS.get(port) or SERVICE_PORTS.get(port)
