"""The JSON document of `analyze --json` (one capture), made from a pipeline that has seen the whole file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.capture.source import Source
from app.detect.alert_documents import alert_document
from app.flow.community_id import community_id
from app.model.layers import CONN_STATES, protocol_name
from app.model.timestamps import rfc3339
from app.sensor.cards import card_document
from app.sensor.entropy_documents import entropy_details
from app.sensor.fact_documents import dns_document, http_document, tls_document
from app.sensor.findings import Findings, FlowFindings
from app.sensor.pipeline import Pipeline
from app.stats.payload_entropy import PayloadEntropy
from app.wire.addresses import format_address
from app.wire.records import FLOW_DTYPE

_TCP_FLAG_LETTERS: Final = "FSRPAUEC"  # FIN SYN RST PSH ACK URG ECE CWR, from the lowest bit
_COLUMN: Final = {name: i for i, name in enumerate(FLOW_DTYPE.names or ())}
LINK_TYPE_NAMES: Final = {
    0: "NULL",
    1: "EN10MB",
    6: "IEEE802_5",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    50: "PPP_SERIAL",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    109: "ENC",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    123: "SUNATM",
    127: "IEEE802_11_RADIO",
    129: "ARCNET_LINUX",
    138: "APPLE_IP_OVER_IEEE1394",
    163: "IEEE802_11_AVS",
    192: "PPI",
    226: "IPNET",
    228: "IPV4",
    229: "IPV6",
    239: "NFLOG",
    242: "IPOIB",
    258: "PKTAP",
    276: "LINUX_SLL2",
}


def link_type_name(number: int) -> str:
    """libpcap's name of a link type, without DLT_; the number where it has none that we know."""
    return LINK_TYPE_NAMES.get(number, str(number))


def packed(hi: int, lo: int, ip_version: int) -> bytes:
    """The address as 4 or 16 bytes."""
    if ip_version == 4:
        return (lo & 0xFFFFFFFF).to_bytes(4, "big")
    return (hi << 64 | lo).to_bytes(16, "big")


@lru_cache(256)
def flag_letters(flags: int) -> str:
    return "".join(letter for bit, letter in enumerate(_TCP_FLAG_LETTERS) if flags >> bit & 1)


def rounded(value: float | None) -> float | None:
    """Four places; None: nothing to measure."""
    return None if value is None else round(value, 4)


def by_originator(row: tuple[Any, ...], entropy: PayloadEntropy | None) -> tuple[float | None, float | None]:
    """(originator's, responder's) entropy; the counter knows the endpoints by their order."""
    low, high = (None, None) if entropy is None else entropy.values.get(row[_COLUMN["flow_id"]], (None, None))
    src = tuple(row[_COLUMN[name]] for name in ("src_hi", "src_lo", "src_port"))
    dst = tuple(row[_COLUMN[name]] for name in ("dst_hi", "dst_lo", "dst_port"))
    return (high, low) if src > dst else (low, high)


def flow_document(
    row: tuple[Any, ...],
    known: FlowFindings,
    entropy: tuple[float | None, float | None],
    measured: np.void | None = None,
) -> dict[str, Any]:
    """One flow of the document from one FLOW record (as a tuple) and what inspectors know. src = originator; bytes are frame bytes on the wire."""

    flow = dict(zip(_COLUMN, row, strict=True))
    version, protocol = flow["ip_version"], flow["protocol"]
    src, dst = (flow["src_hi"], flow["src_lo"], version), (flow["dst_hi"], flow["dst_lo"], version)
    one_way, tcp = bool(flow["kind"] & 4), protocol == 6
    ported = protocol in (6, 17, 132)
    return {
        "flow_id": str(flow["flow_id"]),
        "community_id": community_id(
            packed(*src), packed(*dst), protocol, flow["src_port"], flow["dst_port"], one_way=one_way
        ),
        "protocol": protocol_name(protocol),
        "src_ip": format_address(*src),
        "src_port": flow["src_port"] if ported else None,
        "dst_ip": format_address(*dst),
        "dst_port": flow["dst_port"] if ported else None,
        "icmp_type": flow["src_port"] if protocol in (1, 58) else None,
        "vlan": flow["vlan"] or None,
        "tunnel_depth": flow["depth"],
        "carries_tunnel": bool(flow["kind"] & 2),
        "start": rfc3339(flow["start"]),
        "end": rfc3339(flow["end"]),
        "src_packets": flow["src_packets"],
        "dst_packets": flow["dst_packets"],
        "src_bytes": flow["src_bytes"],
        "dst_bytes": flow["dst_bytes"],
        "src_payload_bytes": flow["src_payload"],
        "dst_payload_bytes": flow["dst_payload"],
        "tcp_flags": flag_letters(flow["src_flags"] | flow["dst_flags"]) if tcp else None,
        "state": CONN_STATES[flow["conn_state"]],
        "history": flow["history"].decode("ascii", "replace"),
        "app": known.app,
        "category": known.category,
        "server_name": known.server_name,
        "ja4": known.ja4,
        "entropy_src": rounded(entropy[0]),
        "entropy_dst": rounded(entropy[1]),
        "entropy_details": entropy_details(measured),
        "rtt_ms": flow["rtt_ns"] / 1e6 if flow["rtt_ns"] >= 0 else None,
        "retransmissions": flow["src_retransmissions"] + flow["dst_retransmissions"] if tcp else None,
        "out_of_order": flow["src_out_of_order"] + flow["dst_out_of_order"] if tcp else None,
    }


def capture_document(name: str, pipeline: Pipeline, source: Source) -> dict[str, Any]:
    """The `capture` part: what the file is, and what could not be decoded, by reason."""
    counts = pipeline.counts
    first, last = counts.first_ns or 0, counts.last_ns or 0
    timed = first > 0
    return {
        "file": name,
        "packets": counts.packets,
        "bytes": counts.bytes,
        "first": rfc3339(first) if timed else None,
        "last": rfc3339(last) if timed else None,
        "duration": (last - first) / 1e9 if timed else None,
        "linktypes": sorted({link_type_name(i.link_type) for i in source.interfaces}),
        "truncated": source.truncated,
        "undecoded": counts.undecoded(),
    }


def coverage_document(pipeline: Pipeline, source: Source) -> dict[str, Any]:
    """What a conclusion rests on: seen, decoded, lost."""
    undecoded = sum(pipeline.counts.undecoded().values())
    inspection = pipeline.insight.inspection if pipeline.insight else None
    cards = pipeline.cards.coverage() if pipeline.cards else {}
    return {
        "packets_seen": pipeline.counts.packets,
        "packets_decoded": pipeline.counts.packets - undecoded,
        "kernel_drops": source.statistics().kernel_drops,
        "queue_drops": 0,
        "payload_bytes_scanned": cards.get("bytes_scanned", 0),
        "payload_bytes_skipped": cards.get("bytes_encrypted", 0) + cards.get("bytes_undecoded", 0),
        "payload_bytes_encrypted": cards.get("bytes_encrypted"),
        "payload_bytes_undecoded": cards.get("bytes_undecoded"),
        "card_scan_failures": cards.get("failures"),
        "payload_bytes_inspected": inspection.bytes_read if inspection else 0,
        "payload_bytes_not_inspected": inspection.bytes_skipped if inspection else 0,
        "flows_not_inspected": inspection.flows_passed_over if inspection else None,
        "flows_let_go": inspection.flows_let_go if inspection else None,
        "inspection_failures": inspection.failures if inspection else None,
        "flows_evicted": pipeline.table.evicted,
    }


def alert_documents(pipeline: Pipeline, records: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Alerts, oldest first, with what their flows carried. records: all flows (FLOW as tuples)."""
    if pipeline.detection is None:
        return []
    by_id = {row[_COLUMN["flow_id"]]: row for row in records}

    def sums(flow_ids: list[int]) -> dict[str, Any]:
        rows = [by_id[flow_id] for flow_id in flow_ids if flow_id in by_id]
        if not rows:
            return {}
        return {
            "bytes_sent": sum(row[_COLUMN["src_bytes"]] for row in rows),
            "bytes_recv": sum(row[_COLUMN["dst_bytes"]] for row in rows),
            "protocol": protocol_name(rows[0][_COLUMN["protocol"]]),
        }

    return [alert_document(alert, sums) for alert in pipeline.detection.folding.alerts()]


def capture_report(name: str, pipeline: Pipeline, source: Source, flows: Iterable[NDArray[np.void]]) -> dict[str, Any]:
    """The whole document."""
    records = [row for part in flows for row in part.tolist()]
    records.sort(key=lambda row: row[_COLUMN["flow_id"]])
    findings = pipeline.insight.findings if pipeline.insight else Findings(None)
    nothing = FlowFindings()
    answers = {hello.flow_id: hello for hello in findings.server_hellos}
    measured = pipeline.watch.last if pipeline.watch is not None and pipeline.watch.last is not None else {}
    return {
        "capture": capture_document(name, pipeline, source),
        "protocols": {layer: packets for layer, packets, _ in pipeline.counts.layers()},
        "flows": [
            flow_document(
                row,
                findings.flows.get(row[_COLUMN["flow_id"]], nothing),
                by_originator(row, pipeline.entropy),
                measured.get(row[_COLUMN["flow_id"]]),
            )
            for row in records
        ],
        "dns": [dns_document(fact) for fact in sorted(findings.dns, key=lambda fact: fact.ts) if fact.kind == "dns"],
        "tls": [tls_document(hello, answers.get(hello.flow_id)) for hello in findings.client_hellos],
        "http": [http_document(fact) for fact in sorted(findings.http, key=lambda fact: fact.ts)],
        "alerts": alert_documents(pipeline, records),
        "cards": [card_document(card) for card in pipeline.cards.findings.values()] if pipeline.cards else [],
        "coverage": coverage_document(pipeline, source),
    }
