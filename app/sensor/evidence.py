"""The packets that made an alert and those just before, cut from the store before they age out, as a small pcapng file.

A file holds the packets that the detector named, those of the alert's flows, and those between (or of) its source and target, in the order they
came, so that the same pipeline raises the same alert over it. It is cut again while the alert grows and the store still holds how it began: a flood
pushes its own beginning out, and the file that shows the limit being passed stays. Bounded in packets, bytes and work per tick.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect.alert_documents import alert_document
from app.export.pcap import export_parts
from app.model.alert import Alert, Evidence
from app.sensor.packet_store import HeldFrame, PacketStore
from app.wire.addresses import parse_address

LEAD_NS: Final = 30 * 10**9  # before the limit was passed, of all that an end did
REACH_NS: Final = (
    3600 * 10**9
)  # … and of what is between both ends, of its flows, or like the named packets where there are no ends
KIND: Final = ("protocol", "layers", "src_port", "dst_port")  # in which packets are alike
NO_IP: Final = 255  # as protocol
MAX_KINDS: Final = 8
MAX_PACKETS: Final = 3_000
MAX_BYTES: Final = 512 * 1024  # of one file
SCANNED: Final = 131_072  # newest packets that are looked through for one alert
PER_TICK: Final = 4  # files
MAX_WAITING: Final = 500  # alerts whose file is still to be cut
GROWTH: Final = 2  # cut again when the alert's count has grown so many times …
AGAIN_NS: Final = 5 * 10**9  # … or its last packet is so much newer, …
SPEAKING: Final = 10  # packets named where the detector names none
MAX_CUTS: Final = 6  # … but not more often than this
NONE: Final = 2**64  # above all packet numbers
COMMENT_ALERT: Final = (
    "id",
    "rule",
    "title",
    "severity",
    "source",
    "target",
    "reason",
    "measured",
    "threshold",
    "count",
    "first_seen",
    "last_seen",
)


@dataclass(slots=True)
class _Cut:
    """The file that an alert has."""

    count: int
    last_seen: int
    times: int
    oldest: int  # packet_id, NONE where there was nothing to put in


class EvidenceCutter:
    """`want` alerts as they change, `cut` after each block, `take` once a tick."""

    def __init__(self, store: PacketStore, unmasked: bool = False) -> None:
        self.interfaces: Callable[[], Sequence[str]] = list  # names of the capture's interfaces
        self.on_filed: Callable[[Alert], None] = lambda alert: None  # an alert has a new file, or gets none
        self._store = store
        self._unmasked = unmasked
        self.lost = 0  # alerts whose packets nobody had time for
        self.clear()

    def clear(self) -> None:
        """A new capture."""
        self._waiting: OrderedDict[str, Alert] = OrderedDict()
        self._cuts: dict[str, _Cut] = {}
        self._ready: list[dict[str, Any]] = []
        self._budget = PER_TICK

    def want(self, alert: Alert) -> None:
        """An alert that is new or has a repeat."""
        done = self._cuts.get(alert.id)
        if done is not None:
            grown = alert.count >= done.count * GROWTH or alert.last_seen - done.last_seen >= AGAIN_NS
            if not grown or done.times >= MAX_CUTS:
                return
        if alert.id not in self._waiting and len(self._waiting) >= MAX_WAITING:
            self.lost += 1
            return
        self._waiting[alert.id] = alert
        if alert.filed is None:
            alert.filed = 0  # names its packets when it is known which of them can be shown

    def cut(self) -> None:
        """Make the files that are wanted, as far as this tick's budget goes."""
        while self._waiting and self._budget > 0:
            self._budget -= 1
            alert_id, alert = self._waiting.popitem(last=False)
            frames, complete = self._frames(alert)
            held = {frame.packet_id for frame in frames}
            if self._loses(alert, frames, held):
                continue
            before = self._cuts.get(alert_id)
            times = before.times + 1 if before else 1
            oldest = frames[0].packet_id if frames else NONE
            self._cuts[alert_id] = _Cut(alert.count, alert.last_seen, times, oldest)
            if frames:
                alert.evidence = [one for one in alert.evidence if one.packet_id in held] or _speaking(alert, frames)
                alert.filed = len(alert.evidence)
                file = self._file(alert, frames)
                self._ready.append({"id": alert_id, "packets": len(frames), "complete": complete, "file": file})
            else:
                alert.filed = None
            self.on_filed(alert)
        while len(self._cuts) > 4 * MAX_WAITING:
            self._cuts.pop(next(iter(self._cuts)))

    def take(self) -> list[dict[str, Any]]:
        """`[{id, packets, complete, file}]` made since the last call, once a tick. complete: all packets that the detector named are in it."""
        self._budget = PER_TICK
        self.cut()
        ready, self._ready = self._ready, []
        return ready

    def _loses(self, alert: Alert, frames: list[HeldFrame], held: set[int]) -> bool:
        """Whether the alert has a file that shows more of its beginning; then there is no use in trying again."""
        before = self._cuts.get(alert.id)
        if before is None or before.oldest == NONE:
            return False
        if frames and frames[0].packet_id <= before.oldest and all(one.packet_id in held for one in alert.backed):
            return False
        before.times = MAX_CUTS
        return True

    def _file(self, alert: Alert, frames: list[HeldFrame]) -> bytes:
        said = alert_document(alert)
        comment = json.dumps({"netglass_alert": {key: said[key] for key in COMMENT_ALERT}}, ensure_ascii=False)
        links = {frame.link_type for frame in frames}
        return b"".join(export_parts(frames, "pcapng", self.interfaces(), links, self._unmasked, comment=comment))

    def _frames(self, alert: Alert) -> tuple[list[HeldFrame], bool]:
        named = {one.packet_id for one in alert.evidence}
        choose = _Chooser(alert, named)
        ids: list[int] = []
        sizes: list[int] = []
        for records in self._windows(alert):
            chosen = records[choose(records)][::-1]
            ids += chosen["packet_id"].tolist()
            sizes += chosen["cap_len"].tolist()
            if len(ids) >= MAX_PACKETS:
                break
        kept = _within_bounds(ids, sizes, named)
        frames = list(self._store.frames_of(sorted(kept), not self._unmasked))
        held = {frame.packet_id for frame in frames}
        return frames, named <= held

    def _windows(self, alert: Alert) -> Iterator[NDArray[np.void]]:
        """Records of the store, the newest window first, back to a while before the alert."""
        since = _begun(alert) - REACH_NS
        scanned = 0
        for records in self._store.windows_back():
            yield records[records["ts"] >= since]
            scanned += len(records)
            if scanned >= SCANNED or (len(records) and int(records["ts"].max()) < since):
                return


def _within_bounds(ids: list[int], sizes: list[int], named: set[int]) -> set[int]:
    """The named packets first, then the newest of the others."""
    kept: set[int] = set()
    room = MAX_BYTES
    for wanted in (True, False):
        for packet_id, size in zip(ids, sizes, strict=True):
            if (packet_id in named) is wanted and len(kept) < MAX_PACKETS and size + 32 <= room:
                kept.add(packet_id)
                room -= size + 32
    return kept


def _speaking(alert: Alert, frames: list[HeldFrame]) -> list[Evidence]:
    """For a detector that names flows and no packets, or only such as are gone: the newest of its flows."""
    flows = set(alert.flow_ids)
    mine = [frame for frame in frames if frame.flow_id in flows and frame.ts <= alert.last_seen]
    return [Evidence(frame.packet_id, frame.ts) for frame in (mine or frames)[-SPEAKING:]]


def _begun(alert: Alert) -> int:
    return min([alert.first_seen, *(one.ts for one in alert.evidence)])


class _Chooser:
    """Which records belong to an alert: those named, of its flows, and between its two ends; where one end alone is an address, what it did
    just before; ARP like the named ARP, and where no end is an address what is between the ports of the named packets."""

    def __init__(self, alert: Alert, named: set[int]) -> None:
        self._packet_ids = np.array(sorted(named), np.uint64)
        self._flow_ids = np.array(alert.flow_ids, np.uint64)
        self._ends = [e for e in map(_address, (alert.detection.source, alert.detection.target)) if e is not None]
        self._since = _begun(alert) - LEAD_NS
        self._alike: set[tuple[int, ...]] = set()  # what was seen of the named packets so far

    def __call__(self, records: NDArray[np.void]) -> NDArray[np.bool_]:
        is_named = np.isin(records["packet_id"], self._packet_ids)
        mask = is_named | np.isin(records["flow_id"], self._flow_ids) | self._like(records, records[is_named])
        if self._ends:
            between = np.ones(len(records), np.bool_) if len(self._ends) > 1 else records["ts"] >= self._since
            for hi, lo in self._ends:
                is_src = (records["src_hi"] == hi) & (records["src_lo"] == lo)
                between &= is_src | ((records["dst_hi"] == hi) & (records["dst_lo"] == lo))
            mask |= between
        return np.asarray(mask)

    def _like(self, records: NDArray[np.void], named: NDArray[np.void]) -> NDArray[np.bool_]:
        """Those that are like the named packets, where addresses do not tell which belong to the alert."""
        if self._ends:
            named = named[named["protocol"] == NO_IP]
        for kind in zip(*(named[name].tolist() for name in KIND), strict=True):
            if len(self._alike) < MAX_KINDS:
                self._alike.add(kind)
        mask = np.zeros(len(records), np.bool_)
        for kind in self._alike:
            same = [records[name] == value for name, value in zip(KIND, kind, strict=True)]
            mask |= np.logical_and.reduce(same)
        return mask


def _address(text: str | None) -> tuple[np.uint64, np.uint64] | None:
    try:
        _, hi, lo = parse_address(text or "")
    except ValueError:
        return None  # a network, a name, a hardware address
    return np.uint64(hi), np.uint64(lo)
