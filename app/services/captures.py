"""Starting, stopping and replaying: the rules around the sensor's commands.

Remembers what the user wants captured, so that a sensor that comes back is told again. A file is not replayed again after the sensor
died over it: it may be the reason.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from app.model.errors import CommandError
from app.services.mirror import Mirror
from app.services.query_errors import BadRequest, Unavailable
from app.services.sensor_link import SensorLink

MAX_FILTER: Final = 4096
MAX_INTERFACES: Final = 64
MAX_SNAPLEN: Final = 262_144
START_SECONDS: Final = 15.0  # compiling a filter, opening sockets, draining what ran before
GONE_CODES: Final = frozenset({"sensor_gone", "starting", "timeout", "overrun"})


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What to capture on; an empty tuple of interfaces lets the sensor choose."""

    interfaces: tuple[str, ...] = ()
    bpf_filter: str = ""
    snaplen: int = 0


def sensor_command(link: SensorLink, name: str, timeout: float, /, **fields: Any) -> dict[str, Any]:
    """A command whose refusal becomes what the caller did wrong, and whose silence becomes `Unavailable`."""
    try:
        return link.command(name, timeout, **fields)
    except CommandError as error:
        if error.code in GONE_CODES:
            raise Unavailable(error.message, error.code) from None
        raise


class Captures:
    """Thread-safe. `upload_directory` holds uploaded files while the sensor reads them, and nothing else."""

    def __init__(self, link: SensorLink, mirror: Mirror, upload_directory: Path) -> None:
        self._link = link
        self._mirror = mirror
        self._directory = upload_directory
        self._lock = threading.Lock()
        self._wanted: CaptureRequest | None = None
        self._upload: Path | None = None
        self._upload_seen = False  # the sensor has told that it is on it
        self._began = False  # somebody, or the settings at start, has said what to capture
        self._replaying: str | None = None  # name of the file the sensor was last told to replay

    @property
    def wanted(self) -> CaptureRequest | None:
        return self._wanted

    def start(self, request: CaptureRequest) -> None:
        """Starts (or restarts) live capture. `CommandError` carries the kernel's or libpcap's words."""
        with self._lock:
            sensor_command(
                self._link,
                "start",
                START_SECONDS,
                interfaces=list(request.interfaces),
                bpf_filter=request.bpf_filter,
                snaplen=request.snaplen,
            )
            self._wanted, self._replaying, self._began = request, None, True
            self._forget_upload()

    def stop(self) -> None:
        with self._lock:
            sensor_command(self._link, "stop", START_SECONDS)
            self._wanted, self._replaying, self._began = None, None, True
            self._forget_upload()

    def replay(self, path: Path, name: str, bpf_filter: str = "", *, uploaded: bool = False) -> None:
        """Replays a capture file. An uploaded one is deleted when the sensor is done with it, or when it refuses it."""
        with self._lock:
            try:
                sensor_command(self._link, "replay", START_SECONDS, path=str(path), name=name, bpf_filter=bpf_filter)
            except (CommandError, Unavailable):
                if uploaded:
                    path.unlink(missing_ok=True)
                raise
            self._wanted, self._replaying, self._began = None, name, True
            self._forget_upload()
            if uploaded:
                self._upload, self._upload_seen = path, False

    def after_hello(self, initial: CaptureRequest | Path | None) -> None:
        """Tells a sensor that has just come what to do: at first what the settings say, later what was wanted last."""
        wanted, replaying = self._wanted, self._replaying
        if wanted is not None:
            self.start(wanted)
        elif replaying is not None:
            with self._lock:
                self._replaying = None
                self._forget_upload()
            self._mirror.notice("error", f"The sensor ended while it read {replaying}; the file is not replayed again.")
        elif initial is not None and not self._began:
            self._begin(initial)

    def _begin(self, initial: CaptureRequest | Path) -> None:
        """What the settings want. Done once a sensor took or refused it; one that died over the question is followed by another."""
        try:
            if isinstance(initial, Path):
                self.replay(initial, initial.name)
            else:
                self.start(initial)
        except CommandError:
            self._began = True
            raise

    # -- uploads -----------------------------------------------------------------------------------------------------

    def new_upload(self) -> tuple[Path, IO[bytes]]:
        """A new empty file that only this user can read."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"upload-{secrets.token_hex(8)}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        return path, open(os.open(path, flags, 0o600), "wb", buffering=0)

    def snapshot_applied(self) -> None:
        """Deletes an uploaded file once the sensor has finished with it."""
        if self._upload is None:
            return
        state = self._mirror.part("capture").get("state")
        if state == "replaying":
            self._upload_seen = True
        elif state == "failed" or (state in ("finished", "running", "stopped") and self._is_current()):
            with self._lock:
                self._forget_upload()

    def remove_leftovers(self) -> None:
        """Deletes what an earlier run left behind."""
        for path in self._directory.glob("upload-*"):
            path.unlink(missing_ok=True)

    def let_go(self) -> None:
        """The sensor will not come back: an uploaded file that it was reading is deleted."""
        with self._lock:
            self._forget_upload()

    def _is_current(self) -> bool:
        """A small file may be finished before any snapshot says that it is being replayed."""
        return self._upload_seen or self._mirror.part("capture").get("file") == self._replaying

    def _forget_upload(self) -> None:
        if self._upload is not None:
            self._upload.unlink(missing_ok=True)
            self._upload = None


def capture_request(body: dict[str, Any]) -> CaptureRequest:
    """The body of a start request, checked. `BadRequest` names the key and what is allowed."""
    known = ("interface", "interfaces", "bpf_filter", "snaplen")
    for key in body:
        if key not in known:
            raise BadRequest(f"there is no key {key[:60]!r}", key, known)
    interfaces = body.get("interfaces", body.get("interface"))
    if interfaces is None:
        interfaces = []
    if isinstance(interfaces, str):
        interfaces = [part.strip() for part in interfaces.split(",") if part.strip()]
    if (
        not isinstance(interfaces, list)
        or len(interfaces) > MAX_INTERFACES
        or not all(isinstance(name, str) and 0 < len(name) <= 64 and name.isprintable() for name in interfaces)
    ):
        raise BadRequest(
            "interfaces is not a list of interface names",
            "interfaces",
            ["names of interfaces", "any", "[] for automatic"],
        )
    if interfaces == ["auto"]:
        interfaces = []
    snaplen = body.get("snaplen")
    snaplen = 0 if snaplen is None else snaplen
    if isinstance(snaplen, bool) or not isinstance(snaplen, int) or not 0 <= snaplen <= MAX_SNAPLEN:
        raise BadRequest("snaplen is not allowed", "snaplen", [f"a whole number 0..{MAX_SNAPLEN} (0: whole packets)"])
    return CaptureRequest(tuple(interfaces), checked_filter(body.get("bpf_filter")), snaplen)


def checked_filter(text: Any) -> str:
    """A capture filter as text; whether it compiles is libpcap's to say."""
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > MAX_FILTER or "\0" in text:
        raise BadRequest("bpf_filter is not allowed", "bpf_filter", [f"text of at most {MAX_FILTER} characters"])
    return text.strip()
