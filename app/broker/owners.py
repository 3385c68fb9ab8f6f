"""The broker's part in naming programs: moves questions and answers between the sensor's socket and the responder.

Whatever goes wrong here ends the naming, never the capture.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import time

from app.attribution.responder import Responder
from app.attribution.tracefs import Instance
from app.link.handover import Receiver, send
from app.model.errors import ProtocolError


class Owners:
    """`wanted` False: nothing is looked up, and the sensor is told so by the closed socket."""

    def __init__(self, wanted: bool, instance: Instance | None, trace_why_not: str | None) -> None:
        self._responder = Responder(instance, trace_why_not) if wanted else None
        self._receiver: Receiver | None = None

    def serve(self, receiver: Receiver) -> None:
        """The socket of a sensor that has just been started."""
        if self._responder is None:
            return
        self._receiver = receiver
        self._responder.restart()

    def left(self) -> None:
        """The sensor has ended, and its socket is closed: it may have died before that was read here."""
        self._receiver = None

    def register(self, selector: selectors.BaseSelector) -> None:
        """What to wait for, each with what is to be called."""
        if self._responder is None or self._receiver is None:
            return
        selector.register(self._receiver, selectors.EVENT_READ, self._take)
        for pipe in self._responder.filenos(time.monotonic()):
            selector.register(pipe, selectors.EVENT_READ, _events_wait)

    def wait_seconds(self) -> float | None:
        if self._responder is None or self._receiver is None:
            return None
        return self._responder.wait_seconds(time.monotonic())

    def work(self) -> None:
        """Look things up within a budget, answer."""
        if self._responder is None or self._receiver is None:
            return
        try:
            self._responder.work(time.monotonic())
            message = self._responder.message()
        except Exception as error:  # a mistake of ours must not end the capture
            print(f"netglass: programs are no longer named: {type(error).__name__}: {error}", file=sys.stderr)
            self.close()
            return
        try:
            if message is not None:
                send(self._receiver.socket, message)
        except (ProtocolError, OSError):
            self._hang_up()  # the sensor is gone, or took nothing for too long

    def _take(self) -> None:
        """Questions have arrived. A sensor that does not keep to the protocol is no longer listened to."""
        responder, receiver = self._responder, self._receiver
        if responder is None or receiver is None:
            return
        try:
            receiver.fill()
            for message, descriptors in receiver.take():
                for descriptor in descriptors:
                    os.close(descriptor)
                if message["type"] == "ask":
                    responder.take(message.get("flows"), time.monotonic())
        except (ProtocolError, ValueError, TypeError):
            self._hang_up()
        if receiver.ended:
            self._hang_up()

    def _hang_up(self) -> None:
        """Tell the sensor that no answer will come any more; the socket is the supervisor's to close."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            with contextlib.suppress(OSError):
                receiver.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the tracing instance back."""
        self._hang_up()
        responder, self._responder = self._responder, None
        if responder is not None:
            responder.close()


def _events_wait() -> None:
    """The kernel has written events: `work` reads them."""
