"""What detectors may know beside the traffic that they are shown: what is known of a flow, and what was not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from app.detect.block_list import BlockList
from app.dpi.inspector import FlowContext
from app.flow.contacts import Contacts
from app.flow.table import FlowTable
from app.stats.bounded import BoundedMap


class KnownFlow(Protocol):
    """What inspectors and nDPI know of a flow; None where they do not."""

    app: str | None
    category: str | None
    app_source: str | None
    server_name: str | None
    ja4: str | None
    tls_version: str | None
    alpn: str | None
    protocol: str | None


def _nothing_known(flow_id: int) -> KnownFlow | None:
    return None


def _no_flow() -> FlowContext | None:
    return None


def _no_losses() -> dict[str, int]:
    return {}


@dataclass(slots=True)
class Context:
    """One capture, as far as detectors need to see it."""

    table: FlowTable | None = None
    known: Callable[[int], KnownFlow | None] = _nothing_known  # by flow id
    flow: Callable[[], FlowContext | None] = _no_flow  # during on_fact: the flow whose bytes said it, with its ends
    losses: Callable[[], dict[str, int]] = _no_losses  # what was not seen so far, by name
    contacts: Contacts | None = None
    block_list: BlockList | None = None  # what the user does not want to see contacted
    ending: bool = False  # the capture is over: what waits will not come
    now_ns: int = 0  # the capture's clock
    started_ns: int = 0  # … at the first packet
    maps: list[BoundedMap] = field(default_factory=list)  # type: ignore[type-arg]  # of all detectors

    @property
    def running_ns(self) -> int:
        """For how long the capture has been watched."""
        return self.now_ns - self.started_ns if self.started_ns else 0

    def state_lost(self) -> int:
        """Entries that detectors had to forget to stay within their bounds."""
        return sum(one.lost for one in self.maps) + (self.contacts.lost if self.contacts else 0)
