"""The arithmetic of results: medians of rounds, ratios taken within a round, goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from bench.peers import NO_OP

_LEAST_WORK: Final = 0.02  # a slice too small for its start-up must not give an infinite speed


@dataclass(frozen=True)
class Run:
    """One run of one program. `packets`: how many its file has.

    A program that gets only a slice has its start-up, measured on its own, taken off: over the whole file it would
    hardly count.
    """

    wall_s: float
    cpu_s: float
    rss_kb: int
    packets: int
    error: str | None = None  # why this run does not count
    start_wall_s: float = 0.0
    start_cpu_s: float = 0.0

    @property
    def speed(self) -> float:
        """Packets per second of the whole process."""
        return self.packets / max(self.wall_s - self.start_wall_s, self.wall_s * _LEAST_WORK)

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a packet."""
        return max(self.cpu_s - self.start_cpu_s, self.cpu_s * _LEAST_WORK) * 1e6 / self.packets


@dataclass(frozen=True)
class Spread:
    """A median with the least and the greatest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Goal:
    """Our speed must be at least `times` that of the rival on this kind of traffic."""

    workload: str
    rival: str
    times: float


GOALS: Final = (
    Goal("imix", NO_OP, 0.5),
    Goal("imix", "softflowd", 4.5),
    Goal("imix", "argus", 6),
    Goal("imix", "ndpiReader", 8),
    Goal("imix", "nfstream n_dissections=0", 30),
    Goal("imix", "nfstream n_dissections=20", 30),
    Goal("imix", "tshark -z conv,ip", 50),
    Goal("imix", "scapy PcapReader", 700),
    Goal("imix", "scapy sniff(offline=)", 700),
    Goal("churn", "softflowd", 10),
)


def goal_for(workload: str, rival: str) -> float | None:
    """The goal, or None."""
    return next((goal.times for goal in GOALS if (goal.workload, goal.rival) == (workload, rival)), None)


def compare(ours: Sequence[Run], rival: Sequence[Run]) -> tuple[Spread, Spread] | None:
    """How many times as fast we are, by wall clock and by CPU time, one value a round; None without a good round.

    A round is one run of each program close together in time, so what slows the machine slows both.
    """
    pairs = [(a, b) for a, b in zip(ours, rival, strict=False) if a.error is None and b.error is None]
    if not pairs:
        return None
    return Spread.of([a.speed / b.speed for a, b in pairs]), Spread.of([b.cpu_us / a.cpu_us for a, b in pairs])


def good(runs: Sequence[Run]) -> list[Run]:
    """The runs that count."""
    return [run for run in runs if run.error is None]


def summary(runs: Sequence[Run]) -> dict[str, Any] | None:
    """Medians of the runs that count; None without one."""
    counting = good(runs)
    if not counting:
        return None
    return {
        "packets": counting[0].packets,
        "wall_s": median(run.wall_s for run in counting),
        "speed": asdict(Spread.of([run.speed for run in counting])),
        "cpu_us": median(run.cpu_us for run in counting),
        "start_s": median(run.start_wall_s for run in counting),
        "rss_mb": median(run.rss_kb for run in counting) / 1024,
    }


def verdict(goal: float | None, measured: float) -> str:
    """ "pass", "fail", or nothing where there is no goal."""
    if goal is None:
        return ""
    return "pass" if measured >= goal else "fail"
