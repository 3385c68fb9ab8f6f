"""A client that opens the same connection again and again: a service that is broken or down, a loop, or a bot that is kept out."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.layers import CONN_STATES

SECOND: Final = 1_000_000_000
FAILED: Final = np.array([state in ("S0", "REJ", "RSTOS0", "SH", "RSTRH") for state in CONN_STATES])
MOST_A_TICK: Final = 2000


class Tries:
    """Failed connections from one host to one service."""

    __slots__ = ("flows", "times", "told")

    def __init__(self) -> None:
        self.times: deque[int] = deque(maxlen=512)
        self.flows: deque[int] = deque(maxlen=20)
        self.told = 0


class Reconnects(Detector):
    name = "reconnects"
    rules = (
        Rule(
            "high_reconnects",
            "High reconnects: the same connection fails again and again",
            "low",
            "A host opens a connection to the same service again and again, and it is refused or not answered.",
            "A service that is down while its clients wait for it.",
            "See whether the service should be there. A program that calls an address that does not answer may be malware whose server is gone.",
            "T1571",
        ),
    )
    knobs = (
        Knob("failures", 30, "connections", "Within the window: clients wait longer after each failure, so a few minutes bring ten."),
        Knob("window_s", 300, "s", "Long enough to tell a loop from a page that is loaded again."),
    )  # fmt: skip
    wants_flows = True

    def begin(self) -> None:
        self._window = int(self.knob("window_s")) * SECOND
        self._tries = self.bounded(4096, Tries, lambda tries: len(tries.times) > 3)

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        tcp = np.flatnonzero((ended["protocol"] == 6) & FAILED[np.minimum(ended["conn_state"], len(FAILED) - 1)])
        rows = ended[tcp[:MOST_A_TICK]]
        names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "dst_port", "start", "flow_id", "src_flags")
        for s_hi, s_lo, d_hi, d_lo, port, start, flow_id, flags in zip(
            *(rows[name].tolist() for name in names), strict=True
        ):
            if not flags & 2:
                continue
            key = ((s_hi, s_lo), (d_hi, d_lo), port)
            tries = self._tries[key]
            tries.times.append(start)
            tries.flows.append(flow_id)
            self._judge(key, tries)

    def _judge(self, key: Any, tries: Tries) -> None:
        limit = int(self.knob("failures"))
        if len(tries.times) < max(limit, 2 * tries.told):
            return
        newest = max(tries.times)
        recent = sum(newest - when <= self._window for when in tries.times)
        if recent < max(limit, 2 * tries.told):
            return
        tries.told = recent
        source, target, port = networks.text(*key[0]), networks.text(*key[1]), key[2]
        self.alert(
            "high_reconnects",
            f"{source} tried {recent} times within {self._window // SECOND} s to reach port {port} of {target} in vain; the limit is {limit}.",
            newest,
            source,
            target,
            confidence=0.6,
            fold=key,
            measured=recent,
            threshold=limit,
            unit="connections",
            protocol="tcp",
            flow_ids=list(tries.flows),
            details={"port": port},
        )
