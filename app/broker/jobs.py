"""The jobs the sensor may ask for, a closed set: `rights`, `open`, `compile`. Everything in them is checked here.

`compile` runs libpcap in a child that has less than the broker, a few seconds to live and nothing to lose.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from app import privileges
from app.broker.filter_program import MAX_FILTER, MAX_SNAPLEN, compile_program
from app.broker.packet_socket import Interface, find_interface, interfaces, open_socket
from app.model.errors import CaptureError, PrivilegeError

COMPILE_SECONDS: Final = 3.0
_MAX_ANSWER: Final = 200 * 1024

Answer = tuple[dict[str, Any], list[socket.socket]]


class Jobs:
    """Answers jobs with the rights this process has. `interrupt` is a descriptor whose readability ends a long compilation."""

    def __init__(self, can_capture: bool, why_not: str | None, interrupt: int) -> None:
        self.can_capture = can_capture
        self.why_not = why_not
        self._interrupt = interrupt

    def answer(self, job: dict[str, Any]) -> Answer:
        """The reply to one job and the sockets that go with it (the caller closes its copies)."""
        try:
            if job["type"] == "rights":
                return {"type": "rights", "ok": True, "can_capture": self.can_capture, "why_not": self.why_not}, []
            if job["type"] == "open":
                return self._open(job.get("interface"))
            if job["type"] == "compile":
                return self._compile(job), []
        except CaptureError as error:
            return _refusal(error.code, error.message), []
        return _refusal("bad_command", "the broker does not know this job"), []

    def _open(self, name: object) -> Answer:
        if not isinstance(name, str):
            raise CaptureError("bad_command", "the interface of a job is its name")
        interface = find_interface(name)
        if not self.can_capture and self.why_not:
            raise CaptureError("not_permitted", self.why_not)
        opened = open_socket()
        return {"type": "opened", "ok": True, "index": interface.index, "up": interface.up}, [opened]

    def _compile(self, job: dict[str, Any]) -> dict[str, Any]:
        name, text, snaplen = job.get("interface"), job.get("filter"), job.get("snaplen", 0)
        if not isinstance(name, str):
            raise CaptureError("bad_command", "the interface of a job is its name")
        if not isinstance(text, str) or "\0" in text or len(text) > MAX_FILTER:
            raise CaptureError("bad_filter", f"a filter is text of at most {MAX_FILTER} characters without NUL")
        if type(snaplen) is not int or not 0 <= snaplen <= MAX_SNAPLEN:
            raise CaptureError("bad_command", f"a snap length is a whole number 0..{MAX_SNAPLEN}")
        return compile_in_child(find_interface(name), interfaces(), text, snaplen, self.can_capture, self._interrupt)


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"type": "refused", "ok": False, "code": code, "message": message}


def compile_in_child(
    wanted: Interface, known: Sequence[Interface], text: str, snaplen: int, live: bool, interrupt: int
) -> dict[str, Any]:
    """Fork, compile, answer. Raises CaptureError where the child crashed or took too long."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _compile_and_exit(wanted, known, text, snaplen, live, writer)
    os.close(writer)
    try:
        data = _read_answer(reader, interrupt)
    finally:
        os.close(reader)
        # Harmless where it has ended already: it is our child and not waited for yet.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        answer: dict[str, Any] = json.loads(data)
    except ValueError:
        raise CaptureError("bad_filter", "libpcap could not compile this filter: it crashed or took too long") from None
    return answer


def _read_answer(reader: int, interrupt: int) -> bytes:
    """Everything the child writes until it ends; what came so far where it takes too long or the broker is wanted elsewhere."""
    data = bytearray()
    deadline = time.monotonic() + COMPILE_SECONDS
    while len(data) < _MAX_ANSWER:
        readable, _, _ = select.select([reader, interrupt], [], [], max(0.0, deadline - time.monotonic()))
        if reader not in readable:
            break
        chunk = os.read(reader, 65536)
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _compile_and_exit(
    wanted: Interface, known: Sequence[Interface], text: str, snaplen: int, live: bool, writer: int
) -> None:
    """The child's whole life."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(int(COMPILE_SECONDS) + 1)  # also where the broker is gone
        resource.setrlimit(resource.RLIMIT_CPU, (int(COMPILE_SECONDS), int(COMPILE_SECONDS)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        keep = (privileges.CAP_NET_RAW,) if live else ()
        privileges.drop_to(os.geteuid(), os.getegid(), keep)
        program = compile_program(wanted, known, text, snaplen, live)
        answer: dict[str, Any] = {"type": "compiled", "ok": True, "program": program}
    except CaptureError as error:
        answer = _refusal(error.code, error.message)
    except (OSError, PrivilegeError, MemoryError) as error:
        answer = _refusal("failed", f"the filter could not be compiled: {error}")
    except BaseException:  # a fork must never return into its parent's code
        os._exit(1)
    data = json.dumps(answer).encode()
    while data:
        data = data[os.write(writer, data) :]
    os._exit(0)
