"""The web process's side of the broker: takes up the link of every sensor the broker starts, and knows why the last one ended.

It can ask for nothing but the end: packet sockets are not to be had from here.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from app.link.channel import Channel
from app.link.handover import Receiver, send
from app.model.errors import ProtocolError


class BrokerLinks:
    """One reader at a time calls `next_link`; `quit` may come from any thread."""

    def __init__(self, receiver: Receiver) -> None:
        """`receiver`: of the socket to the broker, with what it has read already."""
        self._receiver = receiver
        self._why_gone: str | None = None
        self.ended = False  # no link will ever come again
        self.restarts = 0  # of the sensor, as the broker counts them

    def next_link(self, timeout: float) -> Channel | None:
        """The link to a newly started sensor; None where none came within `timeout` seconds, or the broker ended."""
        try:
            found = self._receiver.receive(timeout)
        except ProtocolError as error:
            self._end(f"The broker sent something that is not allowed: {error}.")
            return None
        if found is None:
            if self._receiver.ended:
                self._end("The broker ended; restart Netglass.")  # whatever it said of the sensor before
            return None
        message, descriptors = found
        if message["type"] == "sensor" and len(descriptors) == 1:
            self.restarts = int(message.get("restart", 0))
            return Channel(socket.socket(fileno=descriptors[0]))
        for descriptor in descriptors:
            os.close(descriptor)
        self._note(message)
        return None

    def _note(self, message: dict[str, Any]) -> None:
        why = str(message.get("why", ""))[:500]
        if message["type"] == "sensor_died":
            self._why_gone = f"The sensor died ({why}); it is being started again."
        elif message["type"] == "given_up":
            self._end(f"The sensor is not started again: {why}.")

    def _end(self, why: str) -> None:
        self._why_gone = why
        self.ended = True

    def why_gone(self) -> str | None:
        """Why the last sensor ended: one sentence, None where nothing is known."""
        return self._why_gone

    def quit(self) -> None:
        """End the sensor and the broker."""
        try:
            send(self._receiver.socket, {"type": "quit"})
            self._receiver.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone already
        self.ended = True
