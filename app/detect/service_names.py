"""Ports that scanners and worms look for across many hosts, with the name of the service."""

from __future__ import annotations

from typing import Final

WEB: Final = frozenset({80, 443, 8080, 8443})
# Remote control and file sharing: what an intruder uses from host to host.
REMOTE: Final[dict[int, str]] = {
    22: "SSH",
    23: "Telnet",
    135: "RPC",
    139: "SMB",
    445: "SMB",
    3389: "RDP",
    5900: "VNC",
    5985: "WinRM",
    5986: "WinRM",
}
SOUGHT: Final[dict[int, str]] = {
    **REMOTE,
    1080: "SOCKS",
    1433: "SQL Server",
    1521: "Oracle",
    1723: "PPTP",
    1883: "MQTT",
    2049: "NFS",
    2181: "ZooKeeper",
    2222: "SSH",
    2323: "Telnet",
    2375: "Docker",
    3128: "proxy",
    3306: "MySQL",
    4444: "Metasploit",
    4786: "Smart Install",
    5060: "SIP",
    5432: "PostgreSQL",
    5555: "ADB",
    5672: "AMQP",
    5683: "CoAP",
    5901: "VNC",
    5984: "CouchDB",
    6379: "Redis",
    6443: "Kubernetes",
    7001: "WebLogic",
    7547: "TR-069",
    8000: "web",
    8081: "web",
    8291: "Winbox",
    8545: "Ethereum",
    8728: "RouterOS",
    8888: "web",
    9000: "web",
    9100: "printer",
    9200: "Elasticsearch",
    10000: "Webmin",
    10001: "Ubiquiti",
    11211: "memcached",
    27017: "MongoDB",
    37215: "Huawei",
    49152: "UPnP",
    50050: "Cobalt Strike",
    52869: "UPnP",
}

# UDP services that listen and never answer: traps, logs, flow records, metrics, traces.
COLLECTORS: Final = frozenset(
    {162, 514, 2055, 2056, 4729, 4739, 5140, 6343, 6831, 6832, 8094, 8125, 9995, 9996, 12201, 25826}
)


def is_sought(port: int) -> bool:
    """A well-known service: below 1024, or one that scanners look for."""
    return 0 < port < 1024 or port in SOUGHT
