"""Slow denial of service: many connections to one web server that are kept open by a few bytes now and then (slowloris, slow POST).

A server waits for the end of a request, and its places are used up. Nobody else sends a request in several small pieces, tens of times at once, and gets no answer to any.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.detect.service_names import SOUGHT, WEB
from app.stats.bounded import BoundedMap

SECOND: Final = 1_000_000_000
SYN: Final = 2
LATELY_NS: Final = 120 * SECOND  # since the last piece: tools send one each 5 to 30 s
WEB_PORTS: Final = np.array(
    sorted(WEB | {port for port, name in SOUGHT.items() if name == "web"} | {3000, 5000, 8443, 8008}), np.uint16
)
MOST_PIECES: Final = 16_384  # bytes of an unfinished request; a file that is sent up is more
HANDSHAKE: Final = 3  # SYN, ACK and the first piece


class Unfinished(NamedTuple):
    """A request that has not ended."""

    server: tuple[tuple[int, int], int]
    client: tuple[int, int]
    last: int
    payload: int


class SlowHttp(Detector):
    name = "slow_http"
    rules = (
        Rule(
            "slow_http_flood",
            "Slow HTTP (denial of service): many unfinished requests are held open",
            "high",
            "Many connections to one web server carry a request in small pieces with long pauses and never end it (slowloris, slow POST): they take all of the server's places.",
            "A server that has died in the middle of its work leaves requests without an answer, but those came in one piece.",
            "Limit connections per client and the time for a whole request at the server or in front of it; block the sources.",
            "T1499.002",
        ),
    )
    knobs = (
        Knob("connections", 30, "connections", "Open at once without any answer; browsers open six to a server."),
        Knob("age", 8, "s", "Since the first packet of each: servers answer, or refuse, within a few."),
    )
    wants_flows = True

    def begin(self) -> None:
        # by flow, None once it was answered: the flow table shows only rows that changed
        self._open: BoundedMap[int, Unfinished | None] = self.bounded(16_384)
        self._told = self.bounded(1024, int)

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        for rows, over in ((changed, False), (ended, True)):
            web = rows[(rows["protocol"] == 6) & np.isin(rows["dst_port"], WEB_PORTS)]
            if len(web):
                self._note(web, over)

    def _note(self, rows: NDArray[np.void], over: bool) -> None:
        slow = (rows["dst_payload"] == 0) & (rows["src_payload"] > 0) & (rows["src_payload"] <= MOST_PIECES)
        slow &= (rows["src_packets"] > HANDSHAKE) & (rows["dst_flags"] & SYN != 0) & (rows["src_retransmissions"] <= 1)
        slow &= rows["end"] - rows["start"] >= int(self.knob("age") * SECOND)
        for flow in rows["flow_id"][~slow].tolist() if len(self._open) else ():
            if flow in self._open:
                self._open[flow] = None
        touched = set()
        for row in rows[slow]:
            server = (int(row["dst_hi"]), int(row["dst_lo"])), int(row["dst_port"])
            client = int(row["src_hi"]), int(row["src_lo"])
            self._open[int(row["flow_id"])] = Unfinished(server, client, int(row["end"]), int(row["src_payload"]))
            touched.add(server)
        self._judge(touched)

    def _judge(self, touched: set[tuple[tuple[int, int], int]]) -> None:
        """One pass over what is open, for all services of which something changed."""
        lately, limit = self.context.now_ns - LATELY_NS, int(self.knob("connections"))
        by_server: dict[tuple[tuple[int, int], int], dict[int, Unfinished]] = {}
        for flow, one in self._open.items() if touched else ():
            if one is not None and one.server in touched and one.last >= lately:
                by_server.setdefault(one.server, {})[flow] = one
        for server, held in by_server.items():
            if len(held) >= max(limit, 2 * self._told[server]):
                self._tell(server, held, limit)

    def _tell(self, server: tuple[tuple[int, int], int], held: dict[int, Unfinished], limit: int) -> None:
        count = len(held)
        self._told[server] = count
        clients = {one.client for one in held.values()}
        target, port = networks.text(*server[0]), server[1]
        source = networks.text(*clients.copy().pop()) if len(clients) == 1 else None
        mean = sum(one.payload for one in held.values()) / count
        self.alert(
            "slow_http_flood",
            f"{count} connections to port {port} of {target} from {source or f'{len(clients)} clients'} have been open for {self.knob('age'):.0f} s and more with "
            f"{mean:.0f} bytes of a request in pieces and no answer; the limit is {limit} connections.",
            max(one.last for one in held.values()),
            source,
            target,
            confidence=0.85,
            fold=(server,),
            measured=count,
            threshold=limit,
            unit="connections",
            protocol="http",
            flow_ids=list(held)[:20],
            details={"port": port, "clients": len(clients), "mean_payload": round(mean)},
        )
