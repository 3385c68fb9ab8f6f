"""Sends what is due: wakes with every change of the mirror, and asks each free subscription for its next frame."""

from __future__ import annotations

import logging
import time
from typing import Any

from app.live.encoding import outgoing
from app.model.live_load import LiveLoad
from app.services.mirror import Mirror
from app.services.subscriptions import Subscription, Subscriptions

LONGEST_WAIT = 0.5
SHORTEST_PAUSE = 0.05  # between two rounds, however fast the mirror changes

_log = logging.getLogger(__name__)


class Emitter:
    """`run()` belongs in the background. `server` is the python-socketio server."""

    def __init__(self, server: Any, mirror: Mirror, subscriptions: Subscriptions) -> None:
        self._server = server
        self._mirror = mirror
        self._subscriptions = subscriptions
        self._frames = 0

    def run(self) -> None:
        generation = -1
        while not self._mirror.ended:
            generation = self._mirror.wait(generation, self._subscriptions.seconds_left(LONGEST_WAIT))
            self.round()
            time.sleep(SHORTEST_PAUSE)

    def round(self) -> None:
        """One frame for every subscription that is due and has something new."""
        for sid, name, subscription in self._subscriptions.due(self._drained):
            try:
                frame = subscription.topic.frame()
            except Exception:  # one client's query must not end the stream of all others
                _log.exception("no frame of %s could be made; the client no longer gets it", name)
                self._subscriptions.unsubscribe(sid, [name])
                continue
            if frame is not None:
                self._send(sid, name, subscription, frame)

    def _send(self, sid: str, name: str, subscription: Subscription, frame: Any) -> None:
        subscription.waiting = True
        subscription.sent = time.monotonic()
        self._frames += 1

        def acknowledged(*_: Any) -> None:
            subscription.waiting = False

        self._server.emit(name, outgoing(frame), to=sid, namespace="/", callback=acknowledged)

    def load(self) -> LiveLoad:
        """What clients cost, those that do not read as well."""
        transports = list(self._server.eio.sockets.values())
        return LiveLoad(len(transports), sum(one.queue.qsize() for one in transports), self._frames)

    def _drained(self, sid: str) -> bool:
        """Whether everything for this client has left its queue; for clients that do not acknowledge."""
        transport = self._server.eio.sockets.get(self._server.manager.eio_sid_from_sid(sid, "/"))
        return transport is not None and transport.queue.qsize() == 0
