"""Names of services by their usual port, as the query language knows them: a hint for people, never a proof of what a flow carries.

`NAMED_PORTS` are the names that are shown as they stand here, upper case and all. `SERVICE_PORTS` are the names people type; where IANA calls
a port something that nobody types (`ms-wbt-server`), both are understood.
"""

from __future__ import annotations

from typing import Final

NAMED_PORTS: Final[dict[int, str]] = {
    20: "FTP-DATA",
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    53: "DNS",
    80: "HTTP",
    110: "POP3",
    143: "IMAP",
    443: "HTTPS",
    445: "SMB",
    3306: "MySQL",
    3389: "RDP",
    5432: "PostgreSQL",
    6379: "Redis",
    8080: "HTTP-Proxy",
    8443: "HTTPS-Alt",
    27017: "MongoDB",
}

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
    8080: "http-proxy",
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


# What else the ports above are called: IANA's names (which the pages show), and one that was in use here.
_OTHER_NAMES: Final[dict[str, tuple[int, ...]]] = {
    "avt-profile-1": (5004,),
    "bootpc": (68,),
    "bootps": (67,),
    "dhcpv6-client": (546,),
    "dhcpv6-server": (547,),
    "dnp": (20000,),
    "domain": (53,),
    "domain-s": (853,),
    "epmap": (135,),
    "gtp-user": (2152,),
    "http-alt": (8080,),
    "iop": (2055,),
    "ipps": (631,),
    "mbap": (502,),
    "memcache": (11211,),
    "microsoft-ds": (445,),
    "ms-sql-s": (1433,),
    "ms-wbt-server": (3389,),
    "ncube-lm": (1521,),
    "ndl-aas": (3128,),
    "pcsync-https": (8443,),
    "rfb": (5900,),
    "secure-mqtt": (8883,),
    "shell": (514,),
    "snmptrap": (162,),
    "stun-behavior": (3478,),
    "submissions": (465,),
    "igmpv3lite": (465,),
    "sun-sr-https": (6443,),
    "sunrpc": (111,),
    "wap-wsp": (9200,),
    "www-http": (80,),
    "xmlipcregsvc": (9092,),
    "xmpp-client": (5222,),
}


def ports_by_service() -> dict[str, tuple[int, ...]]:
    """name in lower case → ports."""
    ports: dict[str, tuple[int, ...]] = dict(_OTHER_NAMES)
    for port, name in SERVICE_PORTS.items():
        ports[name] = (*ports.get(name, ()), port)
    return ports


def service_name(src_port: int, dst_port: int) -> str | None:
    """The service of a flow or packet with ports: the destination's name first, then the source's; None without one."""
    return SERVICE_PORTS.get(dst_port) or SERVICE_PORTS.get(src_port)
