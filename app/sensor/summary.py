"""The text summary that `analyze` prints for a person."""

from __future__ import annotations

from collections import Counter
from typing import Any

from app.detect.engine import Engine
from app.model.alert import weight
from app.model.layers import REASONS
from app.sensor.cards import Cards
from app.sensor.fact_documents import masked_text
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from app.wire.addresses import V4_PREFIX, format_address


def size_text(octets: float) -> str:
    """Bytes with a unit of 1000, as network equipment counts."""
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} TB"


def table(title: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    """Lines of an aligned table; numbers to the right. Nothing for no rows."""
    if not rows:
        return []
    cells = [tuple(f"{c:,}" if isinstance(c, int) else str(c) for c in row) for row in rows]
    widths = [max(len(header[i]), *(len(row[i]) for row in cells)) for i in range(len(header))]
    right = [isinstance(c, int) for c in rows[0]]

    def line(parts: tuple[str, ...]) -> str:
        return (
            "  "
            + "  ".join(p.rjust(w) if r else p.ljust(w) for p, w, r in zip(parts, widths, right, strict=True)).rstrip()
        )

    return ["", title, line(header), *(line(row) for row in cells)]


def host_text(hi: int, lo: int) -> str:
    """Roll-ups keep signed halves and no version: the mapped prefix tells IPv4."""
    hi, lo = hi & (1 << 64) - 1, lo & (1 << 64) - 1
    mapped = hi == 0 and lo & ~0xFFFFFFFF == V4_PREFIX
    return format_address(hi, lo, 4 if mapped else 6) or ""


def insight_lines(insight: Insight, top: int) -> list[str]:
    """Applications, names, DNS: what the traffic is."""
    found = insight.findings
    names = Counter(hello.server_name for hello in found.client_hellos if hello.server_name)
    hosts = Counter(request.host for request in found.http if request.host)
    queries = Counter(query.query for query in found.dns if query.kind == "dns")
    rcodes = Counter(query.rcode or "unanswered" for query in found.dns if query.kind == "dns")
    lines = table("Applications", ("application", "bytes"), insight.applications.most_common(top))
    lines += table("TLS and QUIC server names", ("name", "hellos"), names.most_common(top))
    lines += table("HTTP hosts", ("host", "requests"), hosts.most_common(top))
    lines += table("DNS queries", ("name", "queries"), queries.most_common(top))
    lines += table("DNS answers", ("code", "queries"), rcodes.most_common(top))
    lines += table(
        "Logins in clear text",
        ("protocol", "user", "count"),
        [
            (*key, count)
            for key, count in Counter((x.protocol, x.username or "?") for x in found.logins).most_common(top)
        ],
    )
    return lines


def alert_lines(detection: Engine, top: int) -> list[str]:
    """The weightiest alerts, with their reasons."""
    alerts = sorted(detection.folding.alerts(), key=lambda alert: weight(alert.detection), reverse=True)
    if not alerts:
        return ["", "Alerts: none"]
    lines = ["", f"Alerts: {len(alerts):,}"]
    for alert in alerts[:top]:
        one = alert.detection
        repeats = f" ({alert.count:,} times)" if alert.count > 1 else ""
        lines.append(f"  {one.severity:8}  {one.title}{repeats}: {masked_text(one.reason)}")
    if len(alerts) > top:
        lines.append(f"  … and {len(alerts) - top:,} more")
    return lines


def card_lines(cards: Cards, top: int) -> list[str]:
    """Card numbers that were seen in the clear, masked."""
    found = sorted(cards.findings.values(), key=lambda one: -one.confidence)
    if not found:
        return ["", "Card numbers in the clear: none"]
    lines = ["", f"Card numbers in the clear: {len(found):,}"]
    for one in found[:top]:
        lines.append(
            f"  {one.brand:10}  {one.masked}  {one.source} → {one.destination}  {one.where} ({100 * one.confidence:.0f} % sure)"
        )
    if len(found) > top:
        lines.append(f"  … and {len(found) - top:,} more")
    return lines


def coverage_lines(coverage: dict[str, Any], pipeline: Pipeline) -> list[str]:
    """What the conclusions rest on."""
    lines = ["", f"Coverage: {coverage['packets_decoded']:,} of {coverage['packets_seen']:,} packets decoded"]
    if pipeline.cards is not None:
        lines.append(
            f"  searched for card numbers: {size_text(coverage['payload_bytes_scanned'])} of payload;"
            f" not searched: {size_text(coverage['payload_bytes_encrypted'] or 0)} encrypted, {size_text(coverage['payload_bytes_undecoded'] or 0)} of unknown coding"
        )
    if pipeline.insight is not None:
        lines.append(
            f"  read by inspectors: {size_text(coverage['payload_bytes_inspected'])}; passed over: {size_text(coverage['payload_bytes_not_inspected'])},"
            f" {coverage['flows_not_inspected']:,} flows"
        )
    if coverage["flows_evicted"]:
        lines.append(f"  {coverage['flows_evicted']:,} flows were ended early: there was no room for them")
    return lines


def summary_lines(capture: dict[str, Any], coverage: dict[str, Any], pipeline: Pipeline, top: int = 10) -> list[str]:
    """The report of one capture."""
    counts, table_, rolls = pipeline.counts, pipeline.table, pipeline.roll_ups
    duration = capture["duration"] or 0.0
    lines = [
        f"{capture['file']}: {counts.packets:,} packets, {size_text(counts.bytes)} on the wire"
        + (", TRUNCATED: the file ends inside a record or is damaged" if capture["truncated"] else ""),
        f"  link types  {', '.join(capture['linktypes']) or 'none'}",
    ]
    if capture["first"]:
        lines.append(f"  from        {capture['first']} to {capture['last']} ({duration:.3f} s)")
    if duration > 0:
        lines.append(
            f"  rate        {counts.packets / duration:,.0f} packets/s, {counts.bytes * 8 / duration / 1e6:,.3f} Mbit/s"
        )
    lines.append(f"  flows       {table_.created:,}, evicted {table_.evicted:,}")
    if table_.tcp_packets:
        share = 100 * table_.tcp_retransmissions / table_.tcp_packets
        lines.append(
            f"  TCP         {table_.tcp_packets:,} segments, {table_.tcp_retransmissions:,} retransmitted ({share:.2f} %)"
        )
    rtts = sorted(table_.handshake_rtts().tolist())
    if rtts:
        lines.append(
            f"  RTT         median {rtts[len(rtts) // 2] / 1e6:.3f} ms, 95 % below {rtts[len(rtts) * 95 // 100] / 1e6:.3f} ms"
            f" (last {len(rtts):,} handshakes)"
        )
    if pipeline.detection is not None:
        lines += alert_lines(pipeline.detection, top)
    if pipeline.cards is not None:
        lines += card_lines(pipeline.cards, top)
    lines += table("Layers", ("layer", "frames", "bytes"), [(n, p, b) for n, p, b in counts.layers()])
    lines += table(
        "Hosts",
        ("address", "packets sent", "received", "bytes sent", "received"),
        [(host_text(r[0], r[1]), *r[3:7]) for r in rolls.top_hosts(top).tolist()],
    )
    lines += table(
        "Conversations",
        ("a", "b", "packets", "bytes"),
        [(host_text(r[0], r[1]), host_text(r[2], r[3]), r[5], r[6]) for r in rolls.top_conversations(top).tolist()],
    )
    lines += table(
        "Ports of the responders",
        ("protocol", "port", "packets", "bytes"),
        [(p, str(n), a, b) for p, n, a, b in rolls.top_ports(top)],
    )
    if pipeline.insight is not None:
        lines += insight_lines(pipeline.insight, top)
    undecoded = [(reason, counts.undecoded().get(reason, 0)) for reason in REASONS[1:]]
    lines += table("Not decoded to the innermost header", ("reason", "frames"), [r for r in undecoded if r[1]])
    return lines + coverage_lines(coverage, pipeline)
