"""Port → service name: 18 names as every user knows them, then IANA's registry, then common practice where the registry is silent.

A port is a hint, not proof: whoever shows the name says that it comes from the port.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from app.wire.service_ports import NAMED_PORTS

_REGISTRY: Final = Path(__file__).with_name("data") / "service_names.txt"
_LETTERS: Final = {"t": "tcp", "u": "udp", "s": "sctp", "d": "dccp"}

# In use without an entry in the registry.
_TCP: Final = """
15:netstat 783:spamd 4557:fax 5667:nsca 6000:x11 6001:x11-1 6002:x11-2 6003:x11-3 6004:x11-4 6005:x11-5 6006:x11-6
6007:x11-7 6667:irc 6881:bittorrent 8123:clickhouse-http 9042:cassandra 10082:amandaidx 10083:amidxtape 10250:kubelet
25565:minecraft 62078:apple-lockdown
"""
_UDP: Final = """
784:dns-over-quic 6881:bittorrent 19132:minecraft-bedrock 27015:source-engine 41641:tailscale 51820:wireguard
"""


def service_name(protocol: str, port: int) -> str | None:
    """`HTTPS` for ("tcp", 443), `imaps` for ("tcp", 993); None where the port says nothing. `protocol`: tcp, udp, sctp or dccp; others have no
    ports."""
    return _tables().get(protocol, {}).get(port)


@cache
def _tables() -> dict[str, dict[int, str]]:
    """protocol → port → name. Read at the first question (about 10 ms)."""
    tables: dict[str, dict[int, str]] = {name: {} for name in _LETTERS.values()}
    tables["tcp"], tables["udp"] = _pairs(_TCP), _pairs(_UDP)
    for line in _REGISTRY.read_text("ascii").splitlines():
        port, name, letters = line.split(" ")
        for letter in letters:
            tables[_LETTERS[letter]][int(port)] = name
    for table in (tables["tcp"], tables["udp"]):
        table.update(NAMED_PORTS)
    tables["udplite"] = tables["udp"]
    return tables


def _pairs(text: str) -> dict[int, str]:
    return {int(port): name for port, name in (item.split(":") for item in text.split())}
