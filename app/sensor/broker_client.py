"""The sensor's side of the broker's jobs: asks, waits for the answer, turns a refusal into a CaptureError."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any, Final

from app.link.handover import Receiver, send
from app.model.errors import CaptureError, ProtocolError

_ANSWER_SECONDS: Final = 6.0  # a filter may take the broker three


@dataclass(frozen=True, slots=True)
class Rights:
    """Whether packets can be captured here, and if not, why: one sentence with the way out."""

    can_capture: bool
    why_not: str | None


class BrokerClient:
    """One job at a time. Raises ProtocolError where the broker is gone; the sensor then ends."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._receiver = Receiver(sock)

    def fileno(self) -> int:
        """Readable between jobs only when the broker is gone."""
        return self._sock.fileno()

    def rights(self) -> Rights:
        """What the broker may do."""
        answer, _ = self._ask({"type": "rights"})
        why_not = answer.get("why_not")
        return Rights(bool(answer.get("can_capture")), str(why_not) if why_not else None)

    def open(self, interface: str) -> socket.socket:
        """A packet socket that receives nothing yet. Raises CaptureError."""
        answer, descriptors = self._ask({"type": "open", "interface": interface})
        self._raise_refusal(answer)
        if len(descriptors) != 1:
            raise ProtocolError("the broker sent no packet socket")
        return socket.socket(fileno=descriptors[0])

    def compile(self, interface: str, text: str, snaplen: int) -> list[tuple[int, int, int, int]] | None:
        """The BPF program of a filter on an interface; None for an empty filter. Raises CaptureError with libpcap's words."""
        if not text.strip():
            return None
        answer, _ = self._ask({"type": "compile", "interface": interface, "filter": text, "snaplen": snaplen})
        self._raise_refusal(answer)
        return [(int(code), int(jt), int(jf), int(k)) for code, jt, jf, k in answer["program"]]

    def _ask(self, job: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        try:
            send(self._sock, job)
        except OSError as error:
            raise ProtocolError(f"the broker is gone: {error}") from None
        found = self._receiver.receive(_ANSWER_SECONDS)
        if found is None:
            raise ProtocolError("the broker is gone or does not answer")
        return found

    @staticmethod
    def _raise_refusal(answer: dict[str, Any]) -> None:
        if not answer.get("ok"):
            raise CaptureError(str(answer.get("code", "failed")), str(answer.get("message", "no reason given")))

    def close(self) -> None:
        """Close the socket and what came over it for nobody."""
        self._receiver.close_descriptors()
        self._sock.close()


def inherited(descriptor: int) -> socket.socket:
    """The socket behind a descriptor that this process inherited; its own children do not."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
