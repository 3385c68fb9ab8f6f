"""What the probing process does: questions come as JSON lines on one socket, answers go back.

It has real threads, which the web process has not, and may be killed at any time. The first line is what it may do:
`{"token", "cache", "resolve", "ping", …}`; then `{"ipinfo": […]}`, `{"hostname": ip}`, `{"domain": name}`, `{"ping": ip}`.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from app.probe.ipinfo import BASE_URL, Ipinfo, IpinfoClient
from app.probe.ping import NotPermitted, Pinger
from app.probe.resolve import Resolver

WAITING: Final = 4_096  # questions of a kind
THREADS: Final = {"ipinfo": 1, "hostname": 8, "domain": 2, "ping": 16}
LONGEST_LINE: Final = 1 << 20

Answer = dict[str, Any]


class Prober:
    """Takes questions, answers them from threads of its own. What does not fit into a queue is answered with `busy`."""

    def __init__(self, options: dict[str, Any], send: Callable[[Answer], None]) -> None:
        token = options.get("token")
        client = IpinfoClient(token, options.get("url") or BASE_URL) if token else None
        self._send = send
        self.ipinfo = Ipinfo(client, Path(options.get("cache") or "ipinfo.jsonl"))
        self.resolver = (
            Resolver(options.get("nameservers") or (), options.get("port") or 53) if options.get("resolve") else None
        )
        self.pinger = Pinger() if options.get("ping") else None
        self._queues: dict[str, queue.Queue[Any]] = {kind: queue.Queue(WAITING) for kind in THREADS}
        work: dict[str, Callable[[Any], Answer]] = {
            "ipinfo": self._ask_ipinfo,
            "hostname": self._ask_hostname,
            "domain": self._ask_domain,
            "ping": self._ask_ping,
        }
        for kind, count in THREADS.items():
            for _ in range(count):
                threading.Thread(target=self._run, args=(kind, work[kind]), daemon=True).start()

    def take(self, question: dict[str, Any]) -> None:
        for kind, waiting in self._queues.items():
            if kind in question:
                try:
                    waiting.put_nowait(question[kind])
                except queue.Full:
                    self._send({"kind": kind, "of": question[kind], "busy": True})

    def _run(self, kind: str, work: Callable[[Any], Answer]) -> None:
        while True:
            of = self._queues[kind].get()
            try:
                answer = work(of)
            except Exception as error:  # a library's surprise must not end the thread; the page says which it was
                answer = {"error": f"{type(error).__name__} in the probe"}
            self._send({"kind": kind, "of": of, **answer})

    def _ask_ipinfo(self, addresses: list[str]) -> Answer:
        known = self.ipinfo.ask(addresses)
        places = {address: list(place) for address, place in known.items()}
        return {"places": places, "wait": self.ipinfo.wait_seconds(), "status": self.ipinfo.document()}

    def _ask_hostname(self, address: str) -> Answer:
        if self.resolver is None:
            return {"name": None}
        return {"name": self.resolver.get_hostname(address), "status": self.resolver.document()}

    def _ask_domain(self, domain: str) -> Answer:
        if self.resolver is None:
            return {"addresses": []}
        return {"addresses": self.resolver.resolve_domain(domain), "status": self.resolver.document()}

    def _ask_ping(self, address: str) -> Answer:
        if self.pinger is None:
            return {"ms": None}
        try:
            ms = self.pinger.ping(address)
        except (NotPermitted, ValueError):
            ms = None
        return {"ms": ms, "status": self.pinger.document()}


def serve(sock: socket.socket) -> None:
    """Until the other end closes."""
    sock.setblocking(True)  # the parent's end is green, and its way of not waiting comes with the descriptor
    lock = threading.Lock()

    def send(answer: Answer) -> None:
        with lock:
            try:
                sock.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                os._exit(0)  # nobody listens any more

    prober: Prober | None = None
    with sock.makefile("rb") as lines:
        while line := lines.readline(LONGEST_LINE):
            question = json.loads(line)
            if prober is None:
                prober = Prober(question, send)
            else:
                prober.take(question)
