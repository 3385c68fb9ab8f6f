"""What each client has asked for, and what is due to it now.

One un-acknowledged frame per client and topic: while a frame is under way nothing is built for that topic, and the next one is made
from the newest state, so a slow client costs no memory. A client that never acknowledges gets the next frame when its transport has
nothing left to send, at least ACK_SECONDS later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from app.services.live_topics import TOPICS, TopicState
from app.services.sessions import LIVE

ACK_SECONDS: Final = 5.0
MAX_CLIENTS: Final = 64


@dataclass(slots=True)
class Subscription:
    """One topic of one client."""

    topic: TopicState
    sent: float = 0.0  # monotonic; when the last frame left
    waiting: bool = False  # for the acknowledgement of that frame
    session: str = LIVE

    def is_due(self, now: float, drained: Callable[[], bool]) -> bool:
        if self.waiting:
            if now - self.sent < ACK_SECONDS or not drained():
                return False
            self.waiting = False
        return now - self.sent >= self.topic.interval

    def seconds_left(self, now: float) -> float | None:
        """Until its interval has passed; None where something else is waited for."""
        left = self.sent + self.topic.interval - now
        return left if left > 0 and not self.waiting else None


@dataclass(slots=True)
class Client:
    """A connected browser or script."""

    sid: str
    topics: dict[str, Subscription] = field(default_factory=dict)


class Subscriptions:
    """Thread-safe."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, sid: str) -> bool:
        """False when there are too many clients."""
        with self._lock:
            if len(self._clients) >= MAX_CLIENTS:
                return False
            self._clients[sid] = Client(sid)
            return True

    def remove(self, sid: str) -> None:
        with self._lock:
            self._clients.pop(sid, None)

    def subscribe(self, sid: str, topics: Iterable[tuple[str, TopicState]], session: str = LIVE) -> list[str]:
        """Adds topics, or begins them anew; returns all of the client's."""
        with self._lock:
            client = self._clients.get(sid)
            if client is None:
                return []
            for name, topic in topics:
                client.topics[name] = Subscription(topic, session=session)
            return sorted(client.topics)

    def unsubscribe(self, sid: str, topics: Iterable[str]) -> list[str]:
        with self._lock:
            client = self._clients.get(sid)
            if client is None:
                return []
            for name in topics:
                client.topics.pop(name, None)
            return sorted(client.topics)

    def end_session(self, session: str) -> None:
        """Nobody gets anything of a session that was closed."""
        with self._lock:
            for client in self._clients.values():
                for name in [name for name, one in client.topics.items() if one.session == session]:
                    del client.topics[name]

    def due(self, drained: Callable[[str], bool]) -> list[tuple[str, str, Subscription]]:
        """(sid, topic, subscription) of what may be sent now. `drained(sid)`: the transport has nothing left to send."""
        now = time.monotonic()
        with self._lock:
            clients = list(self._clients.values())
        found = []
        for client in clients:
            for name, subscription in list(client.topics.items()):
                if subscription.is_due(now, lambda sid=client.sid: drained(sid)):  # type: ignore[misc]
                    found.append((client.sid, name, subscription))
        return found

    def seconds_left(self, longest: float) -> float:
        """Until the next interval has passed, at most `longest`: what came just before must not wait for what comes after it."""
        now = time.monotonic()
        with self._lock:
            subscriptions = [one for client in self._clients.values() for one in client.topics.values()]
        return min(
            (left for one in subscriptions if (left := one.seconds_left(now)) is not None and left < longest),
            default=longest,
        )


def known_topics() -> tuple[str, ...]:
    return tuple(TOPICS)
