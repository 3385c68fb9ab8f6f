"""Detectors of what is said in conversations: facts, and the flow that each is of."""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from app.detect.detector import Detector
from app.dpi.inspector import FlowContext

SECOND: int = 1_000_000_000
MINUTE: int = 60 * SECOND


class ConversationDetector(Detector):
    """A detector of facts. `flow` is the flow whose fact is being told."""

    @property
    def flow(self) -> FlowContext | None:
        return self.context.flow()

    def ends(self) -> tuple[str, str, int]:
        """(originator, responder, the responder's port) of the flow that the fact is of; empty where nobody knows."""
        flow = self.flow
        return ("", "", 0) if flow is None else (flow.src_ip, flow.dst_ip, flow.dst_port)


@lru_cache(maxsize=16_384)
def is_local(address: str) -> bool:
    """A private, link-local or loopback address; what is no address is not local."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_private or parsed.is_link_local or parsed.is_loopback


@lru_cache(maxsize=16_384)
def is_loopback(address: str) -> bool:
    if ":" not in address and not address.startswith("127."):
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def is_bare_address(host: str | None) -> bool:
    """A Host header or server name that is an address, with or without a port."""
    if not host:
        return False
    text = host.strip("[]") if host.startswith("[") and host.endswith("]") else host
    if text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.partition("]")[0].strip("[")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Window:
    """Times (ns) and what came at them, not older than a window, at most `most`."""

    times: deque[int] = field(default_factory=deque)
    said: int = 0  # the count at which an alert was said

    def add(self, ts: int, window_ns: int, most: int = 1000) -> int:
        """How many lie in the window now."""
        times = self.times
        times.append(ts)
        while times and (ts - times[0] > window_ns or len(times) > most):
            times.popleft()
        return len(times)

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last."""
        return max(0.0, (self.times[-1] - self.times[0]) / SECOND) if self.times else 0.0


def worth_saying(window: Window, count: int, limit: float) -> bool:
    """At the limit, and each time the count has doubled since: an alert's repeats, without one for each packet."""
    if count < limit or (window.said and count < 2 * window.said):
        return False
    window.said = count
    return True
