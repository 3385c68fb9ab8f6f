"""Anomalies of connections as a list shows them: long-living ones, packet anomalies, suspicious activity, high use of the processor.

The sensor's detectors judge packets and flows as they pass. These functions look at connections as documents (the keys of a connection), and so know what only such a
list knows: what the program behind a connection uses of the machine. Live, `app.detect.connection_anomalies` asks them. Unknown values (null) are never an anomaly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

FAILED: Final = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SYN_SENT", "CLOSED", "REFUSED"})

Connection = Mapping[str, Any]
Anomaly = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an anomaly begins. What the sensor has a detector for has that detector's limit."""

    long_s: float = 8 * 3600  # a working day
    cpu_percent: float = 80.0  # of one processor, with traffic: a loop, or a miner
    memory_percent: float = 50.0  # of the machine's
    loss_percent: float = 10.0  # retransmitted; ordinary networks stay below 2
    least_packets: int = 50  # for a share to mean something
    reconnects: int = 30
    ports: int = 10  # tried by one host on another
    failed_share: float = 0.6  # of those ports


LIMITS: Final = Limits()


def detect_anomalies(connections: Iterable[Connection], limits: Limits = LIMITS) -> list[Anomaly]:
    """`{type, severity, reason, measured, threshold, connection…}` for each anomaly of each connection, the most severe first."""
    held = list(connections)
    found = [anomaly for connection in held for anomaly in _of_connection(connection, limits)]
    found += detect_port_scanning(held, limits)
    order = {"high": 0, "medium": 1, "low": 2}
    return sorted(found, key=lambda anomaly: order[anomaly["severity"]])


def detect_port_scanning(connections: Iterable[Connection], limits: Limits = LIMITS) -> list[Anomaly]:
    """Repeated requests over many ports: one anomaly for each pair of hosts of which one tried many different ports of the other, most in vain."""
    tried: dict[tuple[str, str], dict[int, bool]] = {}
    for connection in connections:
        source, _ = _end(connection.get("local_address"))
        target, port = _end(connection.get("remote_address"))
        if connection.get("direction") in ("inbound", "in"):
            (source, target), port = (target, source), _end(connection.get("local_address"))[1]
        if source and target and port:
            answered = bool(_number(connection.get("bytes_recv"))) and connection.get("status") not in FAILED
            known = tried.setdefault((source, target), {})
            known[port] = known.get(port, False) or answered
    found = []
    for (source, target), answers in tried.items():
        failed = sum(not answered for answered in answers.values())
        if failed >= limits.ports and failed >= limits.failed_share * len(answers):
            text = f"{source} tried {len(answers)} ports of {target} and {failed} did not answer; the limit is {limits.ports}."
            found.append(
                {
                    "type": "port_scan",
                    "severity": "high",
                    "reason": text,
                    "measured": len(answers),
                    "threshold": limits.ports,
                    "source": source,
                    "target": target,
                    "ports": sorted(answers)[:50],
                }
            )
    return found


def _of_connection(connection: Connection, limits: Limits) -> list[Anomaly]:
    found: list[Anomaly] = []

    def say(kind: str, severity: str, reason: str, measured: float, threshold: float) -> None:
        named = {key: connection.get(key) for key in ("flow_id", "app_name", "pid", "local_address", "remote_address")}
        text = f"{reason}; the limit is {threshold:g}."
        found.append(
            {"type": kind, "severity": severity, "reason": text, "measured": measured, "threshold": threshold, **named}
        )

    program = connection.get("app_name") or "The program"
    packets = _number(connection.get("packets_sent")) + _number(connection.get("packets_recv"))
    duration = _number(connection.get("duration"))
    if duration >= limits.long_s:
        say("long_connection", "low", f"The connection has been open for {duration:.0f} s", duration, limits.long_s)
    loss = _number(connection.get("packet_loss_percent"))
    if packets >= limits.least_packets and loss >= limits.loss_percent:
        say("packet_anomaly", "low", f"{loss:.1f} % of the segments were sent again", loss, limits.loss_percent)
    reconnects = _number(connection.get("reconnect_count"))
    if reconnects >= limits.reconnects:
        text = f"The connection was opened {reconnects:.0f} times again"
        say("high_reconnects", "low", text, reconnects, limits.reconnects)
    if packets:
        cpu, memory = _number(connection.get("cpu_percent")), _number(connection.get("memory_percent"))
        if cpu >= limits.cpu_percent:
            text = f"{program} uses {cpu:.0f} % of a processor while it has traffic"
            say("high_cpu", "medium", text, cpu, limits.cpu_percent)
        if memory >= limits.memory_percent:
            text = f"{program} uses {memory:.0f} % of the memory while it has traffic"
            say("high_memory", "low", text, memory, limits.memory_percent)
    return found


def _number(value: Any) -> float:
    """0 for what is not known."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value else 0.0


def _end(text: Any) -> tuple[str, int]:
    """`10.0.0.1:443` or `[fe80::1]:443` as address and port; ("", 0) for anything else."""
    if not isinstance(text, str):
        return "", 0
    address, _, port = text.rpartition(":")
    return (address.strip("[]"), int(port)) if port.isascii() and port.isdigit() and len(port) <= 5 else ("", 0)


def ends(connection: Connection) -> tuple[str | None, str | None]:
    """(local, remote) address of a connection, without ports."""
    named = (_end(connection.get(key))[0] or connection.get(key) for key in ("local_address", "remote_address"))
    local, remote = named
    return local, remote
