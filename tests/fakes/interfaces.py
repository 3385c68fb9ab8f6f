"""Interfaces that no machine has."""

from __future__ import annotations

import itertools
from typing import Any

_count = itertools.count()


def fake_interfaces() -> list[dict[str, Any]]:
    moved = next(_count) * 120_000

    def entry(name: str, physical: bool, up: bool, addresses: list[str], share: int) -> dict[str, Any]:
        return {
            "interface": name,
            "is_up": up,
            "is_physical": physical,
            "speed_mbps": 1000 if physical and up else None,
            "mtu": 1500,
            "addresses": addresses,
            "bytes_sent": moved * share // 10,
            "bytes_recv": moved * share,
            "packets_sent": moved * share // 6000,
            "packets_recv": moved * share // 800,
            "errors": 0,
            "drops": 0,
        }

    return [
        entry("eth0", True, True, ["192.168.1.23", "2001:db8:1::23"], 7),
        entry("wlan0", True, False, [], 0),
        entry("docker0", False, True, ["172.17.0.1"], 1),
        entry("lo", False, True, ["127.0.0.1", "::1"], 2),
    ]
