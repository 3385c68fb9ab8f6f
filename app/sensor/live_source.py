"""Live sources of either backend: packet sockets from the broker with a ring each (Linux), or scapy's sniffer (elsewhere)."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.capture.source import Source
from app.model.errors import CaptureError
from app.sensor.broker_client import BrokerClient
from app.sensor.files_alone import FilesAlone

RETRY_SECONDS: Final = 2.0
_WORDS: Final = {
    "down": "{} went down; the capture goes on when it is up again.",
    "up": "{} is up; it is captured.",
    "gone": "{} was removed; it is looked for again every two seconds.",
}

Program = list[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A capture that was asked for and could be opened when it was: interfaces with the programs compiled for them."""

    programs: dict[str, Program | None]
    bpf_filter: str
    snaplen: int


class LiveSources:
    """Opens captures; keeps those alive whose interfaces come and go."""

    def __init__(self, broker: BrokerClient | FilesAlone, backend: str, ring_bytes: int) -> None:
        self.backend = backend if backend != "auto" else ("af_packet" if sys.platform.startswith("linux") else "scapy")
        self._broker = broker
        self._ring_bytes = ring_bytes
        self._missing: dict[str, float] = {}  # interface → monotonic time of the next attempt

    def want(self, names: Sequence[str], bpf_filter: str, snaplen: int) -> Wanted:
        """Compile the filter and see that every interface can be opened. Raises CaptureError with the kernel's or libpcap's words."""
        programs: dict[str, Program | None] = dict.fromkeys(names)
        if self.backend == "af_packet":
            for name in names:
                programs[name] = self._broker.compile(name, bpf_filter, snaplen)
            for name in names:
                self._broker.open(name).close()
        return Wanted(programs, bpf_filter, snaplen)

    def open(self, wanted: Wanted) -> Source:
        """Open it. Raises CaptureError."""
        self._missing.clear()
        if self.backend == "scapy":
            from app.capture.scapy_source import open_sniffer  # scapy costs half a second and 60 MB

            names = list(wanted.programs)
            return open_sniffer(names, wanted.bpf_filter, wanted.snaplen)
        from app.capture.af_packet import OpenedSocket, open_ring  # not importable where there are no packet sockets

        with contextlib.ExitStack() as on_failure:
            opened = []
            for name, program in wanted.programs.items():
                sock = self._broker.open(name)
                on_failure.callback(sock.close)
                opened.append(OpenedSocket(name, sock, program))
            on_failure.pop_all()  # from here on the source owns them
            return open_ring(opened, snaplen=wanted.snaplen, ring_bytes=self._ring_bytes)

    def watch(self, source: Source, wanted: Wanted) -> Iterator[tuple[str, str]]:
        """Take up interfaces that are back; gives what the user should know as (level, text)."""
        events = getattr(source, "events", None)
        if events is None:
            return
        for event in events():
            if event.state == "gone":
                self._missing[event.name] = time.monotonic() + RETRY_SECONDS
            elif event.state == "back":
                self._missing[event.name] = 0.0
            if event.state in _WORDS:
                yield ("info" if event.state == "up" else "warning"), _WORDS[event.state].format(event.name)
        for name, due in list(self._missing.items()):
            if time.monotonic() >= due and name in wanted.programs:
                self._try_again(source, wanted, name)

    def _try_again(self, source: Source, wanted: Wanted, name: str) -> None:
        """An interface of this name may be another kind of device by now, so the filter is compiled again."""
        self._missing[name] = time.monotonic() + RETRY_SECONDS
        try:
            program = self._broker.compile(name, wanted.bpf_filter, wanted.snaplen)
            source.reopen(name, self._broker.open(name), program)  # type: ignore[attr-defined]
        except CaptureError:
            return  # not there yet
        del self._missing[name]
