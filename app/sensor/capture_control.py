"""Which source the sensor reads: started, stopped, replayed, brought back. Holds the capture's state as the snapshot shows it.

States: stopped → running (live) or replaying (file) → stopped, finished or failed. (`starting` is the web process's word for a sensor that is
still compiling.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from app.capture.pcap_file import open_file
from app.capture.source import Source
from app.host.default_interface import default_interface
from app.model.errors import CaptureError
from app.sensor.broker_client import Rights
from app.sensor.live_source import LiveSources, Wanted
from app.sensor.pipeline import Pipeline

Notify = Callable[[str, str], None]  # level, text

DRAIN_SECONDS: Final = 0.15  # after "stop": longer than the kernel keeps a half-filled ring block
LONGEST_DRAIN_SECONDS: Final = 3.0  # for what is in the ring before that: whoever asked waits for the answer
MAX_SNAPLEN: Final = 262_144


class CaptureControl:
    """One source at a time feeds the pipeline. Times are wall-clock nanoseconds."""

    def __init__(self, pipeline: Pipeline, live: LiveSources, rights: Rights, notify: Notify) -> None:
        self._pipeline = pipeline
        self._live = live
        self._rights = rights
        self._notify = notify
        self._source: Source | None = None
        self._wanted: Wanted | None = None  # a live capture that was asked for
        self._behind = False  # blocks may be waiting that are older than now
        self._losses = {"kernel_drops": 0, "ring_freezes": 0}
        self._state: dict[str, Any] = {
            "state": "stopped",
            "source": None,
            "interfaces": [],
            "bpf_filter": "",
            "snaplen": 0,
            "started_ns": None,
            "file": None,
            "progress": None,
            "message": None,
            "backend": live.backend,
        }

    # -- what the loop asks -------------------------------------------------------------------------------------------

    def fileno(self) -> int | None:
        """What to wait for; None: nothing to read, or a file (then `reading_file`)."""
        return self._source.fileno() if self._source is not None else None

    @property
    def reading_file(self) -> bool:
        """There is always something to read."""
        return self._source is not None and self._source.fileno() is None

    @property
    def live(self) -> bool:
        """The clock of the capture is the wall clock."""
        return self._source is not None and self._state["source"] == "live"

    @property
    def up_to_now(self) -> bool:
        """A live capture of which everything is read: what was silent until now is silent. Otherwise only its packets tell the time."""
        return self.live and not self._behind

    def state(self) -> dict[str, Any]:
        """The snapshot's `capture`."""
        source = self._source
        if source is not None:
            self._state["interfaces"] = [
                {"name": one.name, "link_type": one.link_type, "up": one.up} for one in source.interfaces
            ]
            if self._state["source"] == "file":
                progress = getattr(source, "progress", None)
                self._state["progress"] = progress() if progress else None
        return {**self._state, "can_capture": self._rights.can_capture, "why_not": self._rights.why_not}

    def losses(self) -> dict[str, int]:
        """Packets the kernel dropped and times the ring was full, since the capture started."""
        if self._source is not None:
            statistics = self._source.statistics()
            self._losses = {"kernel_drops": statistics.kernel_drops, "ring_freezes": statistics.queue_freezes}
        return dict(self._losses)

    # -- commands -----------------------------------------------------------------------------------------------------

    def start(self, interfaces: Sequence[str], bpf_filter: str, snaplen: int) -> None:
        """Capture on interfaces ([]: the default one). Raises CaptureError; the capture that runs then goes on."""
        names = list(dict.fromkeys(interfaces)) or [self._default()]
        if not 0 <= snaplen <= MAX_SNAPLEN:
            raise CaptureError("bad_command", f"a snap length is 0..{MAX_SNAPLEN}, not {snaplen}")
        # Everything that can be refused is looked at before anything that runs is given up.
        wanted = self._live.want(names, bpf_filter, snaplen)
        self._close("stopped", None)
        self._begin("live", bpf_filter, snaplen)
        try:
            self._source = self._live.open(wanted)
        except CaptureError as error:
            self._state.update(state="failed", message=error.message)
            raise
        self._wanted = wanted
        self._state["state"] = "running"

    def _default(self) -> str:
        name = default_interface()
        if name is None:
            raise CaptureError("no_such_interface", "no interface is up; name the one to capture on")
        return name

    def replay(self, path: str, name: str, bpf_filter: str) -> None:
        """Read a capture file. Raises CaptureError where it cannot be opened."""
        source = open_file(Path(path), bpf_filter or None, name=name or None)
        self._close("stopped", None)
        self._begin("file", bpf_filter, 0)
        self._state["file"] = name or Path(path).name
        self._source = source
        self._state["state"] = "replaying"

    def stop(self) -> None:
        """End the capture; what the kernel has already taken is still counted."""
        refuse = getattr(self._source, "refuse_more", None)
        if refuse is not None:
            refuse()
            self.work(time.monotonic() + LONGEST_DRAIN_SECONDS)
            self.work(time.monotonic() + DRAIN_SECONDS, wait=True)
        self._close("stopped", None)

    # -- work ---------------------------------------------------------------------------------------------------------

    def work(self, deadline: float, wait: bool = False) -> None:
        """Read and analyse until nothing is there or the monotonic deadline passed; `wait`: until the deadline in any case."""
        self._behind = True
        while self._source is not None and time.monotonic() < deadline:
            source = self._source
            try:
                block = source.read()
            except (CaptureError, OSError) as error:
                self._fail(str(error))
                return
            if block is not None:
                self._pipeline.feed(block)
                source.release(block)
            elif source.finished:
                self._finished(source)
            else:
                self._behind = False
                if wait:
                    time.sleep(0.005)
                elif source.fileno() is not None:
                    return

    def watch_interfaces(self) -> None:
        """Tell of interfaces that went down or away, and take up those that are back."""
        if self._wanted is None or self._source is None:
            return
        for level, text in self._live.watch(self._source, self._wanted):
            self._notify(level, text)

    def close(self) -> None:
        """The sensor ends."""
        if self._source is not None:
            self._source.close()

    # -- parts --------------------------------------------------------------------------------------------------------

    def _begin(self, kind: str, bpf_filter: str, snaplen: int) -> None:
        if self._pipeline.insight is not None:
            self._pipeline.insight.patient = kind == "file"
        if self._pipeline.owners is not None:
            self._pipeline.owners.live = kind == "live"
        self._pipeline.reset()
        self._losses = {"kernel_drops": 0, "ring_freezes": 0}
        self._state.update(
            source=kind,
            interfaces=[],
            bpf_filter=bpf_filter,
            snaplen=snaplen,
            started_ns=time.time_ns(),
            file=None,
            progress=None,
            message=None,
        )

    def _finished(self, source: Source) -> None:
        message = None
        if source.truncated:
            problem = getattr(source, "problem", None)
            message = (
                "The file is damaged or cut" + (f": {problem}" if problem else "") + "; what could be read is shown."
            )
            self._notify("warning", message)
        self._close("finished", message)
        self._state["progress"] = 1.0 if self._state["source"] == "file" else None

    def _fail(self, why: str) -> None:
        self._notify("error", f"The capture broke off: {why}")
        self._close("failed", why)

    def _close(self, state: str, message: str | None) -> None:
        """End what runs; its flows end with it, its counters and packets stay to be looked at."""
        if self._source is None:
            return
        self.state()
        self._source.close()
        self.losses()  # after close(), which counts what was dropped at the end
        self._source = self._wanted = None
        self._pipeline.finish()
        self._state.update(state=state, message=message)
