"""The broker's main: give up all but three capabilities, say what is left, start the sensor, answer its jobs, end with the web process."""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import Final

from app import privileges
from app.attribution.tracefs import Instance, TraceUnavailable, open_instance
from app.broker.jobs import Jobs
from app.broker.owners import Owners
from app.broker.supervisor import Supervisor
from app.link.handover import Receiver, send
from app.model.errors import PrivilegeError, ProtocolError

# NET_RAW opens packet sockets; SYS_PTRACE and DAC_READ_SEARCH together tell which program owns a socket.
KEPT: Final = (privileges.CAP_NET_RAW, privileges.CAP_SYS_PTRACE, privileges.CAP_DAC_READ_SEARCH)


def why_not(was_root: bool) -> str | None:
    """Why no packet socket can be opened: one sentence with the way out; None where it can. `was_root`: before rights were given up."""
    if not privileges.LINUX:
        return (
            "On this system the sensor opens the capture devices itself: give your user access to /dev/bpf*, "
            "for example with Wireshark's ChmodBPF."
        )
    if privileges.holds(privileges.CAP_NET_RAW):
        return None
    if was_root:
        return "Not even root may capture here: give the container the right NET_RAW (docker run --cap-add NET_RAW)."
    return "Capturing needs rights that an ordinary user does not have: start Netglass with sudo make run."


class Broker:
    """The loop over the web process's socket, the sensor's jobs and signals."""

    def __init__(
        self, web: socket.socket, sensor_environment: dict[str, str], reason: str | None, owners: Owners
    ) -> None:
        self._web = web
        self._owners = owners
        self._receiver = Receiver(web)
        self._supervisor = Supervisor(web, sensor_environment)
        self._jobs = Jobs(reason is None, reason, web.fileno())
        self._ending = False
        self._woken, wake = socket.socketpair()
        self._woken.setblocking(False)
        wake.setblocking(False)
        self._wake = wake  # kept open; only the signal machinery writes to it
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the web process decides
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # only to be woken

    def _end(self, number: int, frame: object) -> None:
        self._ending = True

    def run(self) -> None:
        """Until the web process is gone or says quit."""
        try:
            while not self._ending:
                self._start_when_due()
                self._wait()
                self._supervisor.collect(time.monotonic())
                if self._supervisor.running is None:
                    self._owners.left()
        except OSError:
            pass  # the web process went away while it was being told something
        finally:
            self._supervisor.end()
            self._owners.close()

    def _start_when_due(self) -> None:
        if self._supervisor.wait_seconds() == 0:
            self._supervisor.start()
            if self._supervisor.running is not None:
                self._owners.serve(self._supervisor.running.owners)

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._web, selectors.EVENT_READ, self._read_web)
            selector.register(self._woken, selectors.EVENT_READ, self._drain)
            running = self._supervisor.running
            if running is not None and not running.jobs.ended:
                selector.register(running.socket, selectors.EVENT_READ, self._read_jobs)
            self._owners.register(selector)
            due = [
                seconds
                for seconds in (self._supervisor.wait_seconds(), self._owners.wait_seconds())
                if seconds is not None
            ]
            for key, _ in selector.select(min(due, default=None)):
                key.data()
        self._owners.work()

    def _drain(self) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            pass  # another wake-up took it

    def _read_web(self) -> None:
        """The web process may say quit, or end; nothing else."""
        try:
            self._receiver.fill()
        except ProtocolError:
            self._ending = True
            return
        for message, descriptors in self._receiver.take():
            for descriptor in descriptors:
                os.close(descriptor)
            self._ending |= message["type"] == "quit"
        self._ending |= self._receiver.ended

    def _read_jobs(self) -> None:
        running = self._supervisor.running
        if running is None:
            return
        try:
            running.jobs.fill()
            for job, descriptors in running.jobs.take():
                for descriptor in descriptors:
                    os.close(descriptor)
                answer, sockets = self._jobs.answer(job)
                try:
                    send(running.socket, answer, [one.fileno() for one in sockets])
                finally:
                    for one in sockets:
                        one.close()
        except (ProtocolError, OSError):
            self._supervisor.kill()


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.broker")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=int, help="inherited descriptor of the socket to the web process")
    place.add_argument("--connect", help="path of the web process's listening socket (started through sudo)")
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--gid", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of the web process")
    parser.add_argument("--environment", default="{}", help="JSON object: the sensor's environment")
    return parser.parse_args(argv)


def _connect(arguments: argparse.Namespace) -> socket.socket:
    if arguments.socket is not None:
        web = socket.socket(fileno=arguments.socket)
        web.setblocking(True)
        return web
    if os.geteuid() != 0 or os.environ.get("SUDO_UID") != str(arguments.uid):
        raise PrivilegeError("--connect is for a broker that sudo starts for the user of the web process")
    web = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    web.connect(arguments.connect)
    return web


def _trace(wanted: bool, was_root: bool) -> tuple[Instance | None, str | None]:
    """The kernel's socket events, or why not; while this process is still root."""
    if not wanted:
        return None, "switched off by ATTRIBUTION"
    if not was_root:
        return None, "the kernel's socket events need root at the start: sudo make run"
    try:
        return open_instance(), None
    except TraceUnavailable as error:
        return None, str(error)


def main(argv: list[str]) -> int:
    """Exit status 0 when the web process is gone, 1 where rights could not be given up."""
    arguments = _arguments(argv)
    was_root = os.geteuid() == 0
    values = json.loads(arguments.environment)
    attribution = str(values.get("ATTRIBUTION", "1")) if privileges.LINUX else "0"
    try:
        web = _connect(arguments)
        instance, why_not_traced = _trace(attribution == "1", was_root)
        privileges.drop_to(arguments.uid, arguments.gid, KEPT)
        if arguments.socket is not None:
            privileges.die_with_parent(arguments.parent, signal.SIGTERM)
    except (PrivilegeError, OSError) as error:
        print(f"netglass: the broker does not start: {error}", file=sys.stderr)
        return 1
    os.umask(0o077)
    os.set_inheritable(web.fileno(), False)
    reason = why_not(was_root)
    effective = privileges.report().effective if privileges.LINUX else 0
    send(
        web,
        {
            "type": "ready",
            "pid": os.getpid(),
            "uid": os.geteuid(),
            "capabilities": f"{effective:016x}",
            "can_capture": reason is None,
            "why_not": reason,
        },
    )
    owners = Owners(attribution != "0", instance, why_not_traced)
    Broker(web, {str(name): str(value) for name, value in values.items()}, reason, owners).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
