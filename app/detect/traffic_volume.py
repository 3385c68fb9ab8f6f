"""How much a host moves, against its own past: unusual traffic, and uploads that do not fit it.

Bytes are summed per host in windows of five minutes from the growth of its flows. A host's past is an exponentially weighted mean and deviation of its
windows (as in Roberts' EWMA charts); a new host has none, and is told of only beyond the absolute limit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.stats.bounded import BoundedMap

SECOND: Final = 1_000_000_000
WINDOW_NS: Final = 300 * SECOND
WEIGHT: Final = 0.1  # of the newest window in the past
MAX_HOSTS: Final = 4096
MAX_FLOWS: Final = 65_536
MEGABYTE: Final = 1_000_000


class Volume:
    """One host: bytes in the window that is open, and what was usual before."""

    __slots__ = ("down", "flows", "mean", "targets", "up", "variance", "windows")

    def __init__(self) -> None:
        self.up = self.down = 0
        self.targets: dict[tuple[int, int], int] = {}  # bytes sent to, the biggest
        self.flows: dict[tuple[int, int], int] = {}  # one flow to each
        self.mean, self.variance, self.windows = [0.0, 0.0], [0.0, 0.0], 0

    def close(self) -> None:
        for i, value in enumerate((float(self.up), float(self.up + self.down))):
            step = value - self.mean[i]
            self.mean[i] += (WEIGHT if self.windows else 1.0) * step
            self.variance[i] = (1 - WEIGHT) * (self.variance[i] + WEIGHT * step * step)
        self.windows += 1
        self.up = self.down = 0
        self.targets.clear()
        self.flows.clear()


class TrafficVolume(Detector):
    name = "traffic_volume"
    rules = (
        Rule(
            "data_exfil_volume",
            "Exfiltration by volume: a host sends far more out than it ever did",
            "medium",
            "A host of the own network sent much more to an address outside within five minutes than its own past explains.",
            "A first back-up, an upload of films or pictures, a video call from a machine that never made one.",
            "Look at what the target is and which program sends. Data that has left does not come back: stop it first if nobody can say what it is.",
            "T1048",
        ),
        Rule(
            "high_traffic",
            "High traffic: a host moves far more than it ever did",
            "low",
            "A host moved much more within five minutes than its own past explains.",
            "Updates, downloads, back-ups.",
            "Look at the program behind the biggest connections.",
        ),
    )
    knobs = (
        Knob("upload_mb", 100, "MB", "Within five minutes: less is in any photograph collection that synchronises itself."),
        Knob("traffic_mb", 500, "MB", "Within five minutes, both directions."),
        Knob("times", 8, "times the mean", "And more than four deviations above it."),
        Knob("windows", 6, "windows", "Half an hour of past, before there is something to compare with."),
        Knob("first_upload_mb", 1000, "MB", "Of a host without a past."),
    )  # fmt: skip
    wants_flows = True

    def begin(self) -> None:
        self._hosts = self.bounded(MAX_HOSTS, Volume, lambda host: host.windows > 2)
        self._seen: BoundedMap[int, Any] = self.bounded(MAX_FLOWS)  # flow → (bytes sent, received) counted already
        self._window = 0

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        for rows, over in ((changed, False), (ended, True)):
            if not len(rows):
                continue
            inside = networks.private_rows(rows["src_hi"], rows["src_lo"])
            outside = ~networks.private_rows(rows["dst_hi"], rows["dst_lo"])
            crossing = (inside == outside) & ~networks.group_rows(rows["dst_hi"], rows["dst_lo"])
            big = crossing & (rows["src_bytes"] + rows["dst_bytes"] >= 100_000) & (rows["kind"] & 2 == 0)
            names = ("flow_id", "src_bytes", "dst_bytes", "src_hi", "src_lo", "dst_hi", "dst_lo")
            for flow_id, sent, received, *ends in zip(*(rows[name][big].tolist() for name in names), strict=True):
                self._add(flow_id, sent, received, (ends[0], ends[1]), (ends[2], ends[3]), over)

    def _add(
        self, flow_id: int, sent: int, received: int, source: tuple[int, int], target: tuple[int, int], over: bool
    ) -> None:
        before = self._seen.pop(flow_id) if over else self._seen.get(flow_id)
        if not over:
            self._seen[flow_id] = (sent, received)
        up, down = sent - (before[0] if before else 0), received - (before[1] if before else 0)
        if not networks.is_private(*source):
            source, target, up, down = target, source, down, up
        host = self._hosts[source]
        host.up += up
        host.down += down
        if up > 0 and (target in host.targets or len(host.targets) < 64):
            host.targets[target] = host.targets.get(target, 0) + up
            host.flows[target] = flow_id

    def on_tick(self, now_ns: int) -> None:
        window = now_ns // WINDOW_NS
        if window == self._window:
            return
        if self._window:
            self._close(now_ns)
        self._window = window

    def on_end(self, now_ns: int) -> None:
        self._close(now_ns)

    def _close(self, now_ns: int) -> None:
        for address, host in self._hosts.items():
            if host.up or host.down:
                self._judge(address, host, now_ns)
            host.close()

    def _judge(self, address: tuple[int, int], host: Volume, now_ns: int) -> None:
        past = host.windows >= self.knob("windows")
        upload = self.knob("upload_mb" if past else "first_upload_mb") * MEGABYTE
        if host.up >= upload and host.up > 2 * host.down and host.targets and (not past or self._unusual(host, 0)):
            target = max(host.targets, key=host.targets.__getitem__)
            self._tell("data_exfil_volume", address, target, host, host.up, upload, 0, now_ns, past)
        traffic = self.knob("traffic_mb") * MEGABYTE
        if past and host.up + host.down >= traffic and self._unusual(host, 1):
            self._tell("high_traffic", address, None, host, host.up + host.down, traffic, 1, now_ns, past)

    def _unusual(self, host: Volume, which: int) -> bool:
        value = host.up if which == 0 else host.up + host.down
        mean, deviation = host.mean[which], host.variance[which] ** 0.5
        return value > self.knob("times") * mean and value > mean + 4 * deviation

    def _tell(
        self,
        rule: str,
        address: tuple[int, int],
        target: tuple[int, int] | None,
        host: Volume,
        value: float,
        limit: float,
        which: int,
        now_ns: int,
        past: bool,
    ) -> None:
        name = networks.text(*address)
        what = "sent" if which == 0 else "moved"
        usual = f"usual are {host.mean[which] / MEGABYTE:.1f} MB" if past else "there is no past of it to compare with"
        where = f", most of it to {networks.text(*target)}" if target else ""
        self.alert(
            rule,
            f"{name} {what} {value / MEGABYTE:.0f} MB within five minutes{where}; {usual}, and the limit is {limit / MEGABYTE:.0f} MB.",
            now_ns,
            name,
            networks.text(*target) if target else None,
            confidence=0.6 if past else 0.4,
            severity=None if past or rule == "high_traffic" else "low",
            fold=(address,),
            measured=round(value / MEGABYTE, 1),
            threshold=round(limit / MEGABYTE, 1),
            unit="MB",
            flow_ids=[flow for one, flow in host.flows.items() if target is None or one == target],
            details={"usual_mb": round(host.mean[which] / MEGABYTE, 2), "windows": host.windows},
        )
