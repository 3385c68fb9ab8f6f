"""What the sensor asks and the broker answers, about the ends of a flow. Standard library only.

`{"type": "ask", "flows": [[flow_id, protocol, source, source port, target, target port, time of the first packet in ns, TCP flags], …]}` with addresses as
32 hexadecimal digits, and `{"type": "owners", "rows": […], "processes": […], "state": {…}}`. A row is `[flow_id, source end, target end]`, an end None
(nothing to say) or `[process, method, confidence, seen_after_ms, reason]`; `process` is the number of a record that came before, or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.attribution.process_records import ProcessRecord

MAX_ASKED: Final = 400  # flows in one message
MAX_FLOWS_WAITING: Final = 4_096  # of the broker; more are answered `busy`


@dataclass(frozen=True, slots=True)
class Question:
    """The ends of a flow as its first packet has them. Addresses 16 bytes, IPv4 mapped. ICMP: the ports are type and counterpart."""

    flow_id: int
    protocol: int
    source: bytes
    sport: int
    target: bytes
    dport: int
    first_ns: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Who has one end of a flow. `settled`: nothing better will come."""

    record: ProcessRecord | None
    method: str | None
    confidence: float
    reason: str | None
    settled: bool

    @property
    def rank(self) -> float:
        return self.confidence if self.record is not None else -1.0


def question_row(question: Question) -> list[Any]:
    q = question
    return [q.flow_id, q.protocol, q.source.hex(), q.sport, q.target.hex(), q.dport, q.first_ns, q.flags]


def parse_question(row: Any) -> Question:
    """Raises ValueError, TypeError."""
    flow_id, protocol, source, sport, target, dport, first_ns, flags = row
    numbers = (flow_id, protocol, sport, dport, first_ns, flags)
    ends = bytes.fromhex(source), bytes.fromhex(target)
    if not all(type(number) is int and 0 <= number < 1 << 64 for number in numbers) or {len(end) for end in ends} != {
        16
    }:
        raise ValueError("a question has a number or an address that makes no sense")
    if protocol > 255 or sport > 0xFFFF or dport > 0xFFFF:
        raise ValueError("a question has a port or protocol that makes no sense")
    return Question(flow_id, protocol, ends[0], sport, ends[1], dport, first_ns, flags)


def process_row(number: int, record: ProcessRecord) -> dict[str, Any]:
    """A record as it crosses the links."""
    return {
        "process": number,
        "pid": record.pid,
        "name": record.name,
        "path": record.path,
        "command_line": record.command_line,
        "user": record.user,
        "start_ns": record.start_ns,
        "parents": [[ancestor.pid, ancestor.name] for ancestor in record.parents],
        "container": record.container,
        "unit": record.unit,
        "complete": record.complete,
    }
