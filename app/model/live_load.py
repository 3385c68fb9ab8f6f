"""What the clients of the live stream cost the process that serves them."""

from __future__ import annotations

from typing import NamedTuple


class LiveLoad(NamedTuple):
    """Clients connected, messages that wait for them in this process, frames made for them since it started."""

    clients: int = 0
    waiting: int = 0
    frames: int = 0
