"""Packets of the sensor's ring as a capture file: the parts go to a nameless temporary file, so that a slow browser holds no memory
and the answer to "is there anything?" is known before the first byte is sent.
"""

from __future__ import annotations

import tempfile
import threading
from typing import IO, Any, Final, NamedTuple

import numpy as np

from app.concurrency import run_blocking
from app.model.errors import CommandError
from app.services.captures import GONE_CODES
from app.services.connections import Rows, columns
from app.services.flow_mirror import FlowView
from app.services.house import House
from app.services.query_errors import BadRequest, NotThere, Unavailable
from app.services.query_times import timed
from app.wire.filter import Query, QueryError, parse
from app.wire.filter_columns import packet_fields

LIMIT_BYTES: Final = 1 << 30
PART_SECONDS: Final = 10.0
AT_ONCE: Final = 2
PART_FLOWS: Final = 5_000
COMMENTED: Final = ("flow_id", "community_id", "app_name", "pid")
EMPTY_BYTES: Final = {"pcap": 24}  # a file header and nothing more


class PacketFile(NamedTuple):
    """`manifest`: what was changed in a file that can be shared."""

    file: IO[bytes]
    size: int
    manifest: dict[str, Any]


_running = threading.BoundedSemaphore(AT_ONCE)


def pcap_export(
    house: House,
    kind: str,
    q: str,
    flow_id: int | None,
    first_ns: int | None = None,
    last_ns: int | None = None,
    alert: dict[str, Any] | None = None,
    shareable: bool = False,
) -> PacketFile:
    """A file positioned at its start, and its size; `alert`: of its flows alone, or of its evidence where it names no flow; `shareable`: with pseudonyms and without payload. `NotThere` says why there is nothing; `Unavailable` when the sensor is gone or
    too many exports run."""
    try:
        query = parse(q, packet_fields(tuple(house.interface_names())))
    except QueryError as error:
        raise BadRequest(error.message, "q", error.allowed, error.position) from None
    if not _running.acquire(blocking=False):
        raise Unavailable(f"{AT_ONCE} exports are being made already; try again in a moment.", "busy")
    try:
        text = timed(Query(query.condition), "time", "time", first_ns, last_ns)
        text = text if alert is None else f"({text}) {_of_alert(alert)}" if text else _of_alert(alert)
        return _spooled(house, kind, text, flow_id, shareable)
    finally:
        _running.release()


def _of_alert(alert: dict[str, Any]) -> str:
    """A query for what an alert is about: the flows that it names, else the packets that speak for it."""
    flows = [str(number) for number in alert.get("flow_ids") or []]
    packets = [str(one["packet"]) for one in alert.get("evidence_packets") or [] if one.get("packet")]
    if not flows and not packets:
        raise NotThere(f"Alert {alert['id']} names neither connections nor packets.")
    return f"flow_id:{','.join(flows)}" if flows else f"id:{','.join(packets)}"


def _spooled(house: House, kind: str, q: str, flow_id: int | None, shareable: bool) -> PacketFile:
    house.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=house.settings.data_dir)  # noqa: SIM115 - the response closes it
    size = 0
    try:
        told = kind == "pcapng" and not shareable
        comments = run_blocking(flow_comments, house.mirror.flow_view(), flow_id) if told else None
        manifest: dict[str, Any] = {}
        parts = house.link.stream(
            "export",
            PART_SECONDS,
            format=kind,
            q=q,
            flow_id=flow_id,
            limit_bytes=LIMIT_BYTES,
            comments=comments,
            shareable=shareable,
        )
        for part in parts:
            data = part.get("data", b"")
            manifest = part.get("manifest") or manifest
            size += len(data)
            run_blocking(file.write, data)
        if size <= EMPTY_BYTES.get(kind, 0) or _only_headers(file, kind, size):
            raise NotThere(why_empty(house, q, flow_id))
        file.seek(0)
        return PacketFile(file, size, manifest)
    except CommandError as error:
        file.close()
        if error.code in GONE_CODES:
            raise Unavailable(error.message, error.code) from None
        raise
    except BaseException:
        file.close()  # nobody else knows of it
        raise


def flow_comments(view: FlowView, flow_id: int | None) -> list[list[Any]]:
    """[flow, `community_id=1:…; program=curl; pid=123`] of the flows held: the comment of their packets in a pcapng file."""
    places = np.arange(len(view.flows))
    if flow_id is not None:
        places = np.flatnonzero(view.flows["flow_id"] == np.uint64(flow_id))
    found: list[list[Any]] = []
    for at in range(0, len(places), PART_FLOWS):
        rows = Rows.of(view, places[at : at + PART_FLOWS])
        for number, community, program, pid in zip(*columns(rows, COMMENTED), strict=True):
            said = (("community_id", community), ("program", program), ("pid", pid))
            text = "; ".join(f"{name}={value}" for name, value in said if value is not None)
            if text:
                found.append([number, text])
    return found


def _only_headers(file: IO[bytes], kind: str, size: int) -> bool:
    """Whether a pcapng has no packet block: its blocks are a section header and interface descriptions only."""
    if kind != "pcapng":
        return False
    file.seek(0)
    at = 0
    while at + 12 <= size:
        head = file.read(8)
        if head[:4] not in (b"\n\r\r\n", b"\x01\0\0\0"):
            return False
        length = int.from_bytes(head[4:8], "little")
        if length < 12:
            return False
        at += length
        file.seek(at)
    return True


def why_empty(house: House, q: str, flow_id: int | None) -> str:
    """One sentence: why an export holds no packet."""
    seen = house.mirror.part("totals").get("packets", 0)
    if not seen:
        return "There is nothing to export: no packet has been captured yet."
    if flow_id is not None:
        return f"No packet of flow {flow_id} is held any more: the ring keeps only the newest packets."
    if q:
        return f"None of the packets that are still held matches {q[:200]!r}."
    return "There is nothing to export: no packet is held any more."
