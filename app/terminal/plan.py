"""What a run of the terminal monitor is asked for, by options or by the dialogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODES: Final = ("compact", "detailed", "minimal")

# Name → capture filter in libpcap's language; the order is that of the dialogue's menu.
PRESETS: Final[dict[str, str]] = {
    "all": "",
    "tcp": "tcp",
    "udp": "udp",
    "icmp": "icmp or icmp6",
    "http": "tcp port 80 or tcp port 443 or tcp port 8080 or tcp port 8443 or udp port 443",
    "dns": "port 53 or udp port 5353 or udp port 5355",
}
PRESET_WORDS: Final[dict[str, str]] = {
    "all": "All packets",
    "tcp": "TCP",
    "udp": "UDP",
    "icmp": "ICMP and ICMPv6",
    "http": "HTTP/HTTPS",
    "dns": "DNS",
}
STATS_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Interfaces are those to capture on, none of them when a file is read."""

    interfaces: tuple[str, ...] = ()
    file: str | None = None
    bpf_filter: str = ""
    mode: str = "compact"
    count: int | None = None  # end after this many packets
    seconds: float | None = None
    stats_seconds: float = STATS_SECONDS
    color: bool = True
    json: bool = False
    top: bool = False

    @property
    def where(self) -> str:
        """For people: what is watched."""
        if self.file is not None:
            return self.file
        return "all interfaces" if self.interfaces == ("any",) else ", ".join(self.interfaces)
