"""The sensor's life: started, watched, started again a little later each time, given up when it dies too often."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from app.broker.isolated import PROJECT, command, environment
from app.link.handover import Receiver, send

RESTARTS: Final = 5  # in RESTART_WINDOW seconds; one more and it is given up
RESTART_WINDOW: Final = 60.0
_DELAYS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_JOB_SECONDS: Final = 2.0  # a sensor that does not take its answer in this time is not well
_OWNERS_SECONDS: Final = 0.5
_END_SECONDS: Final = 1.0


@dataclass(slots=True)
class Running:
    """A sensor that runs and the socket its jobs come over."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    jobs: Receiver
    owners: Receiver  # questions about programs, beside the jobs so that neither waits for the other

    def close(self) -> None:
        for receiver in (self.jobs, self.owners):
            receiver.close_descriptors()
            receiver.socket.close()


class Supervisor:
    """Starts sensors and hands the web end of each one's link to the web process."""

    def __init__(self, web: socket.socket, sensor_environment: dict[str, str]) -> None:
        self._web = web
        self._environment = sensor_environment
        self._deaths: deque[float] = deque(maxlen=RESTARTS)
        self.running: Running | None = None
        self.starts = 0
        self.start_at: float | None = 0.0  # monotonic time of the next start; None: none is planned

    def start(self) -> None:
        """Start a sensor and tell the web process. Raises OSError."""
        link_web, link_sensor = socket.socketpair()
        jobs_here, jobs_sensor = socket.socketpair()
        owners_here, owners_sensor = socket.socketpair()
        with link_web, link_sensor, jobs_sensor, owners_sensor:
            numbers = (link_sensor.fileno(), jobs_sensor.fileno(), owners_sensor.fileno())
            names = ("--link", "--broker", "--owners")
            places = (text for name, number in zip(names, numbers, strict=True) for text in (name, str(number)))
            arguments = (*places, "--parent", str(os.getpid()))
            try:
                process = subprocess.Popen(
                    command("app.sensor", *arguments),
                    pass_fds=numbers,
                    env=environment(self._environment),
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                )
            except OSError:
                jobs_here.close()
                owners_here.close()
                raise
            jobs_here.settimeout(_JOB_SECONDS)
            owners_here.settimeout(_OWNERS_SECONDS)
            self.running = Running(process, jobs_here, Receiver(jobs_here), Receiver(owners_here))
            self.start_at = None
            send(self._web, {"type": "sensor", "pid": process.pid, "restart": self.starts}, [link_web.fileno()])
        self.starts += 1

    def collect(self, now: float) -> None:
        """Where the sensor has ended: plan the next start, or give up, and tell the web process. Raises OSError."""
        if self.running is None:
            return
        status = self.running.process.poll()
        if status is None:
            return
        self._forget()
        why = describe(status)
        if len(self._deaths) == RESTARTS and now - self._deaths[0] < RESTART_WINDOW:
            send(
                self._web,
                {"type": "given_up", "why": f"it ended {RESTARTS + 1} times within a minute, the last time by {why}"},
            )
            return
        recent = sum(1 for death in self._deaths if now - death < RESTART_WINDOW)
        self._deaths.append(now)
        self.start_at = now + _DELAYS[min(recent, len(_DELAYS) - 1)]
        send(self._web, {"type": "sensor_died", "why": why})

    def _forget(self) -> None:
        if self.running is not None:
            self.running.close()
            self.running = None

    def kill(self) -> None:
        """End a sensor that does not keep to the protocol; `collect` finds it."""
        if self.running is not None:
            self.running.process.kill()

    def end(self) -> None:
        """End the sensor: asked first, then by force. It is gone afterwards."""
        self.start_at = None
        if self.running is None:
            return
        process = self.running.process
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget()

    def wait_seconds(self) -> float | None:
        """Until the next planned start; None: nothing is planned."""
        return None if self.start_at is None else max(0.0, self.start_at - time.monotonic())


def describe(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
