"""A detector with a conversation around it: facts go in, alerts come out."""

from __future__ import annotations

from app.detect.context import Context
from app.detect.detector import Detector
from app.dpi.facts import Fact, HttpMessage, HttpTransaction
from app.dpi.inspector import FlowContext
from app.model.alert import Detection

START = 1_700_000_000 * 10**9
SECOND = 10**9


class Scene:
    """One detector. `flow` says whose facts come next."""

    def __init__(self, detector: type[Detector], **knobs: float) -> None:
        self.said: list[Detection] = []
        self.current: FlowContext | None = None
        self.context = Context(flow=lambda: self.current)
        self.detector = detector(self.context, self.said.append, knobs)
        self.ts = START
        self.flow_id = 0
        self.flow()

    def flow(self, client: str = "10.0.0.5", server: str = "198.51.100.7", port: int = 80, protocol: int = 6) -> Scene:
        self.flow_id += 1
        self.current = FlowContext(self.flow_id, protocol, client, 40000, server, port, lambda fact: None)
        return self

    def tell(self, *facts: Fact, after: float = 0.1) -> Scene:
        """Each fact so many seconds after the one before, of the current flow."""
        for fact in facts:
            self.ts += int(after * SECOND)
            fact.ts, fact.flow_id = self.ts, self.flow_id
            self.detector.on_fact(fact)
        return self

    @property
    def rules(self) -> list[str]:
        return [one.rule for one in self.said]


def request(
    target: str = "/", method: str = "GET", body: bytes = b"", host: str | None = "www.example.com", **fields: str
) -> HttpMessage:
    """A request as the HTTP inspector tells it. fields: header fields, with _ for -."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"Host: {host}"] if host else []
    lines += [f"{name}: {value}" for name, value in named.items()]
    told = HttpTransaction(
        1, START, method, host, target, "1.1", user_agent=named.get("User-Agent"), referrer=named.get("Referer")
    )
    return HttpMessage(1, START, 0, told, "\r\n".join(lines).encode("latin-1"), body)


def response(
    asked: HttpMessage, body: bytes, content_type: str = "application/octet-stream", status: int = 200
) -> HttpMessage:
    told = asked.request
    assert told is not None
    told.status, told.content_type = status, content_type
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: {content_type}".encode()
    return HttpMessage(1, START, 1, told, head, body)
