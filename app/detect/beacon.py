"""Somebody reports at regular intervals: connections, or bursts within one connection, that come like a clock, jitter allowed.

What looks at the clock is the intervals between the beginnings of activity from one host to one service: their spread about the median and the symmetry of
the spread, as in RITA (activecm/rita: Bowley skewness and median absolute deviation). Much harmless software reports as regularly, so regularity
alone is told as low, and only with more that is odd as more: no name, a bare address, a new connection each time, a port that is no service's.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import ICMP, ICMPV6, Batch, Picked
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.detect.service_names import WEB, is_sought
from app.dpi.facts import DnsTransaction, Fact
from app.model.alert import Evidence, Severity
from app.model.layers import KIND_FIRST_OF_FLOW
from app.stats.bounded import BoundedMap, Last
from app.wire.row_copies import chosen

SECOND: Final = 1_000_000_000
KEPT: Final = 128  # beginnings of activity per service
MAX_SERIES: Final = 8192
MAX_FLOWS: Final = 16_384
MAX_NAMES: Final = 4096
MOST_A_SECOND: Final = 4096  # bursts that are read
# Services that are regular by nature: time, names, discovery, routing, monitoring, tunnels' and phones' signs of life
REGULAR_PORTS: Final = frozenset(
    {37, 53, 67, 68, 123, 137, 138, 161, 162, 319, 320, 500, 514, 520, 546, 547, 1900, 1985, 2029, 3478, 3479, 3702, 4500, 5060, 5061, 5222, 5223, 5228, 5353, 5355}
    | {1194, 1883, 8883, 6666, 6667, 6697, 9993, 19302, 21027, 22000, 22067, 41641, 51820, 57621, 17500}
)  # fmt: skip

# Who turns to which service, as one text of bytes: source, target (halves), port, protocol. A tuple of their numbers takes four times the memory.
_SERVICE: Final = Struct("<4QHB")


class Series:
    """Beginnings of activity from one host to one service."""

    __slots__ = ("count", "evidence", "flows", "judged", "new", "times", "told")

    def __init__(self) -> None:
        self.times: Last[int] = Last(KEPT)
        self.evidence: Last[tuple[int, int]] = Last(12)  # packet and time
        self.flows: Last[int] = Last(12)
        self.count = self.new = self.judged = self.told = 0


class Rhythm:
    """How regular some times are."""

    __slots__ = ("deviation", "intervals", "median", "regular", "skew", "span")

    def __init__(self, times: list[int]) -> None:
        gaps = sorted((later - sooner) / SECOND for sooner, later in pairwise(times))
        self.intervals = len(gaps)
        self.span = (times[-1] - times[0]) / SECOND
        low, median, high = (quantile(gaps, share) for share in (0.25, 0.5, 0.75))
        self.median = median
        away = sorted(abs(gap - median) for gap in gaps)
        self.deviation = quantile(away, 0.5) / median if median > 0 else 9.0
        self.skew = (high + low - 2 * median) / (high - low) if high > low else 0.0
        self.regular = bisect_right(away, 0.5 * median) / len(away) if median > 0 else 0.0


def quantile(ordered: list[float], share: float) -> float:
    """Of values in rising order, between neighbours in proportion. For a hundred values a tenth of what NumPy takes."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _asks_outside(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Echo requests (their type stands in place of a source port) to other networks: inside, monitoring pings like a clock."""
    pings = ((rows["protocol"] == ICMP) & (rows["src_port"] == 8)) | (
        (rows["protocol"] == ICMPV6) & (rows["src_port"] == 128)
    )
    asks: NDArray[np.bool_] = pings & ~networks.private_rows(rows["dst_hi"], rows["dst_lo"])
    return asks


class Beacon(Detector):
    name = "beacon"
    rules = (
        Rule(
            "beacon",
            "Beacon: a host reports at regular intervals",
            "low",
            "One host opens connections to another, or speaks within one, at regular intervals over a longer time, as malware does that asks for orders.",
            "Updates, push services, home devices, pages that refresh themselves, monitoring: most regular traffic is one of these, which is why regularity alone is told as low.",
            "Find the program and the owner of the address. A program you do not know that talks to an address without a name is worth a look.",
            "T1071",
        ),
    )
    knobs = (
        Knob("intervals", 12, "intervals", "Fewer may look regular by chance."),
        Knob("deviation", 0.25, "of the median", "Median deviation of the intervals: malware varies its intervals by up to half (Cobalt Strike's jitter), which gives 0.2."),
        Knob("few_intervals", 7, "intervals", "Enough where they are as regular as `few_deviation` says."),
        Knob("few_deviation", 0.05, "of the median", "A clock."),
        Knob("skew", 0.5, "of the quartiles", "Bowley skewness: people click in bunches with long pauses, which is far from symmetric."),
        Knob("regular_share", 0.8, "of the intervals", "Within half of the median, so that lost reports do not hide the rest."),
        Knob("shortest_s", 1.5, "s", "Shorter intervals are one conversation."),
        Knob("span_s", 60, "s", "Over which the rhythm has to be kept."),
        Knob("new_connections", 20, "connections", "Software keeps its connection for requests seconds apart; opening one anew each time is odd."),
    )  # fmt: skip
    selections = ("bursts",)
    facts = (DnsTransaction,)

    def begin(self) -> None:
        self._series = self.bounded(MAX_SERIES, Series, lambda series: series.count > 4)
        self._keys: BoundedMap[int, bytes] = self.bounded(MAX_FLOWS)
        self._names: BoundedMap[str, str] = self.bounded(MAX_NAMES)  # address → name that was asked for
        self._waiting: list[Picked] = []
        self._fresh: dict[bytes, Series] = {}

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, DnsTransaction)
        if fact.kind == "dns":
            for one in fact.answers[:8]:
                if one.type in ("A", "AAAA"):
                    self._names[one.value] = fact.query[:100]

    def on_packets(self, batch: Batch) -> None:
        bursts = self.ration("bursts", batch, batch.select("bursts"), MOST_A_SECOND)
        if len(bursts):
            self._waiting.append(batch.pick(bursts))

    def _take(self, picked: Picked) -> None:
        rows, few = picked.rows, self.knob("few_intervals")
        usual = (rows["protocol"] == 6) | (rows["protocol"] == 17) | _asks_outside(rows)
        rows, flows, numbers = chosen(rows, usual), picked.flow_ids[usual].tolist(), picked.packet_ids[usual].tolist()
        names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol", "ts")
        first = (rows["kind"] & KIND_FIRST_OF_FLOW != 0).tolist()
        columns = zip(numbers, first, flows, *(rows[name].tolist() for name in names), strict=True)
        key: bytes | None
        for number, new, flow_id, s_hi, s_lo, d_hi, d_lo, s_port, d_port, proto, ts in columns:
            if new:
                if s_port < d_port and s_port < 1024:  # begun in the middle: the responder spoke first
                    s_hi, s_lo, d_hi, d_lo, d_port = d_hi, d_lo, s_hi, s_lo, s_port
                if d_port in REGULAR_PORTS or s_port in REGULAR_PORTS:
                    continue
                key = _SERVICE.pack(s_hi, s_lo, d_hi, d_lo, d_port, proto)
                if networks.is_group(d_hi, d_lo) or networks.maybe_broadcast(d_hi, d_lo):
                    continue
                self._keys[flow_id] = key
            else:
                key = self._keys.get(flow_id)
                if key is None:
                    continue
            series = self._series[key]
            if series.times and ts - series.times[-1] < 500_000_000:  # a second connection of the same report
                continue
            series.times.append(ts)
            series.count += 1
            series.new += new
            series.evidence.append((number, ts))
            if not series.flows or series.flows[-1] != flow_id:
                series.flows.append(flow_id)
            if series.count >= few and series.count >= 1.25 * series.judged:
                self._fresh[key] = series

    def on_tick(self, now_ns: int) -> None:
        for picked in self._waiting:
            self._take(picked)
        self._waiting = []
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        for key, series in list(fresh.items())[:256]:
            series.judged = series.count
            self._judge(key, series)

    def on_end(self, now_ns: int) -> None:
        for key, series in self._series.items():
            if series.count > self.knob("few_intervals") and series.count > series.judged:
                self._judge(key, series)

    def _judge(self, key: bytes, series: Series) -> None:
        limit = int(self.knob("intervals"))
        if len(series.times) <= int(self.knob("few_intervals")) or series.count < 2 * series.told:
            return
        if series.times[-1] - series.times[0] < self.knob("span_s") * SECOND:
            return
        rhythm = Rhythm(series.times)
        few = rhythm.intervals < limit
        if (
            rhythm.median < self.knob("shortest_s")
            or rhythm.deviation > self.knob("few_deviation" if few else "deviation")
            or (abs(rhythm.skew) > self.knob("skew") and rhythm.deviation > 0.05)
            or rhythm.regular < self.knob("regular_share")
        ):
            return
        self._weigh(key, series, rhythm)

    def _weigh(self, key: bytes, series: Series, rhythm: Rhythm) -> None:
        """Regular it is; what else is odd?"""
        source_high, source_low, high, low, port, protocol = _SERVICE.unpack(key)
        source, target = (source_high, source_low), (high, low)
        known = self._known(series)
        name, app = (known.server_name, known.app) if known is not None else (None, None)
        name = name or self._names.get(networks.text(*target))
        odd: list[str] = []
        if series.new >= self.knob("new_connections") and series.new >= 0.8 * series.count and rhythm.median < 60:
            odd.append("a new connection each time")
        if not name and not networks.is_private(*target):
            odd.append("an address without a name")
        ping = protocol in (ICMP, ICMPV6)
        if not ping and not is_sought(port) and port not in WEB:
            odd.append(f"port {port}, which is no well-known service's")
        inside = networks.is_private(*target) and networks.is_private(*source)
        severity: Severity = (
            "medium" if len(odd) >= 3 and not inside and not ping else "low"
        )  # two of them has many a device
        series.told = series.count
        one, two = networks.text(*source), networks.text(*target)
        self.alert(
            "beacon",
            f"{one} turned to {name or two} ({'ping' if ping else f'port {port}'}) {series.count} times, every {rhythm.median:.1f} s with a median deviation of {rhythm.deviation:.0%}; the limit is {self.knob('deviation'):.0%}."
            + (f" Odd: {', '.join(odd)}." if odd else ""),
            series.times[-1],
            one,
            two,
            severity=severity,
            confidence=min(0.9, 0.3 + 0.15 * len(odd) + 0.2 * (1 - rhythm.deviation / self.knob("deviation"))),
            fold=(source, target, port),
            measured=round(rhythm.deviation, 4),
            threshold=self.knob("deviation"),
            unit="of the median",
            protocol="tcp" if protocol == 6 else "icmp" if ping else "udp",
            flow_ids=[flow for flow in series.flows if flow],
            evidence=[Evidence(number, ts) for number, ts in series.evidence],
            details={
                "interval_s": round(rhythm.median, 3),
                "deviation": round(rhythm.deviation, 4),
                "skew": round(rhythm.skew, 3),
                "times": series.count,
                "new_connections": series.new,
                "span_s": round(rhythm.span, 1),
                "server_name": name,
                "app": app,
                "odd": odd,
            },
        )

    def _known(self, series: Series) -> Any:
        for flow in reversed(series.flows):
            known = self.context.known(flow)
            if known is not None:
                return known
        return None
