"""The Socket.IO topic `entropy`: the document of `/api/entropy` each time the sensor has measured, at most once an ENTROPY_REFRESH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.concurrency import run_blocking
from app.services.entropy_view import EntropyRequest, entropy_document

if TYPE_CHECKING:
    from app.services.live_topics import Options


class EntropyTopic:
    """One client's subscription: `{topics: ["entropy"], top, protocol, ip}`."""

    def __init__(self, options: Options) -> None:
        given = options.given
        self._mirror = options.house.mirror
        top = given.get("top", options.limit)
        self._wanted = EntropyRequest.parse(top, given.get("protocol"), given.get("ip"))
        self.interval = max(options.house.settings.entropy_refresh * 0.9, 0.2)
        self._seen: tuple[int, int] | None = None

    def frame(self) -> Any | None:
        seen = (self._mirror.captures, self._mirror.entropy.version)
        if seen == self._seen:
            return None
        self._seen = seen
        return run_blocking(entropy_document, self._mirror, self._wanted)
