"""Names of services by their usual port: a hint for people, never a proof of what a flow carries.

Names are those of the field; where IANA's name is known to nobody (`ms-wbt-server`) the usual one is used.
"""

from __future__ import annotations

from typing import Final

SERVICE_PORTS: Final[dict[int, str]] = {
    20: "ftp-data",
    21: "ftp",
    22: "ssh",
    23: "telnet",
    25: "smtp",
    53: "dns",
    67: "dhcp",
    68: "dhcp",
    69: "tftp",
    80: "http",
    88: "kerberos",
    110: "pop3",
    111: "rpcbind",
    123: "ntp",
    135: "msrpc",
    137: "netbios-ns",
    138: "netbios-dgm",
    139: "netbios-ssn",
    143: "imap",
    161: "snmp",
    162: "snmp-trap",
    179: "bgp",
    389: "ldap",
    443: "https",
    445: "smb",
    465: "smtps",
    500: "isakmp",
    502: "modbus",
    514: "syslog",
    515: "printer",
    546: "dhcpv6",
    547: "dhcpv6",
    554: "rtsp",
    587: "submission",
    631: "ipp",
    636: "ldaps",
    853: "dns-over-tls",
    873: "rsync",
    989: "ftps-data",
    990: "ftps",
    993: "imaps",
    995: "pop3s",
    1080: "socks",
    1194: "openvpn",
    1433: "mssql",
    1521: "oracle",
    1723: "pptp",
    1812: "radius",
    1813: "radius-acct",
    1883: "mqtt",
    1900: "ssdp",
    2049: "nfs",
    2055: "netflow",
    2152: "gtp-u",
    3128: "http-proxy",
    3306: "mysql",
    3389: "rdp",
    3478: "stun",
    4500: "ipsec-nat-t",
    4789: "vxlan",
    5004: "rtp",
    5060: "sip",
    5061: "sips",
    5222: "xmpp",
    5353: "mdns",
    5355: "llmnr",
    5432: "postgresql",
    5672: "amqp",
    5900: "vnc",
    6081: "geneve",
    6379: "redis",
    6443: "kubernetes",
    6667: "irc",
    6881: "bittorrent",
    8080: "http-alt",
    8443: "https-alt",
    8883: "mqtts",
    9092: "kafka",
    9200: "elasticsearch",
    11211: "memcached",
    20000: "dnp3",
    27017: "mongodb",
    47808: "bacnet",
    51820: "wireguard",
}


def ports_by_service() -> dict[str, tuple[int, ...]]:
    """name → ports."""
    ports: dict[str, tuple[int, ...]] = {}
    for port, name in SERVICE_PORTS.items():
        ports[name] = (*ports.get(name, ()), port)
    return ports


def service_name(src_port: int, dst_port: int) -> str | None:
    """The service of a flow or packet with ports: the destination's name first, then the source's; None without one."""
    return SERVICE_PORTS.get(dst_port) or SERVICE_PORTS.get(src_port)
