"""Slow denial of service: many connections to one web server that are kept open by a few bytes now and then (slowloris, slow POST), or by not taking the answer (slow read).

A server waits for the end of a request, or until the answer is fetched, and its places are used up. Nobody else sends a request in several small pieces, tens of times at once,
and gets no answer to any. Players that are halted let nothing be sent either, but they have been sent much before.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.batch import Batch
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
MOST_NARROW: Final = 1000  # packets with a narrow window that are looked at in one second

Server = tuple[tuple[int, int], int]


class Unfinished(NamedTuple):
    """A request that has not ended, or an answer that is not fetched."""

    server: Server
    client: tuple[int, int]
    last: int
    payload: int  # bytes of the request, or of the answer
    answer: bool


class SlowHttp(Detector):
    name = "slow_http"
    rules = (
        Rule(
            "slow_http_flood",
            "Slow HTTP (denial of service): many unfinished requests are held open",
            "high",
            "Many connections to one web server carry a request in small pieces with long pauses and never end it (slowloris, slow POST), or let the server send next to nothing of its answer for long (slow read): they take all of the server's places.",
            "A server that has died in the middle of its work leaves requests without an answer, but those came in one piece. Players that are halted have been sent much before.",
            "Limit connections per client and the time for a whole request at the server or in front of it; block the sources.",
            "T1499.002",
        ),
    )
    knobs = (
        Knob("connections", 30, "connections", "Open at once without any answer; browsers open six to a server."),
        Knob("age", 8, "s", "Since the first packet of each: servers answer, or refuse, within a few."),
        Knob("narrow", 5, "s", "From the first to the last time that a client lets next to nothing be sent: servers ask at intervals that double, so that after 3 s the next word comes at 6."),
        Knob("fetched", 65_536, "bytes", "Of an answer at most, before the client takes no more: players that are halted have some hundred thousand in stock."),
    )  # fmt: skip
    selections = ("tcp_narrow",)
    wants_flows = True

    def begin(self) -> None:
        # by flow, None once it was answered: the flow table shows only rows that changed
        self._open: BoundedMap[int, Unfinished | None] = self.bounded(16_384)
        # flow → when its client's window was narrow first, last
        self._narrow: BoundedMap[int, tuple[int, int]] = self.bounded(16_384)
        self._told = self.bounded(1024, int)

    def on_packets(self, batch: Batch) -> None:
        narrow = batch.select("tcp_narrow")
        narrow = narrow[np.isin(batch.column("dst_port", narrow), WEB_PORTS)]
        picked = batch.pick(self.ration("narrow", batch, narrow, MOST_NARROW))
        for flow, ts in zip(picked.flow_ids.tolist(), picked.rows["ts"].tolist(), strict=True):
            first, _ = self._narrow.get(flow) or (ts, ts)
            self._narrow[flow] = first, ts

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        for rows, over in ((changed, False), (ended, True)):
            web = rows[(rows["protocol"] == 6) & np.isin(rows["dst_port"], WEB_PORTS)]
            if len(web):
                self._note(web, over)

    def _note(self, rows: NDArray[np.void], over: bool) -> None:
        slow = (rows["dst_payload"] == 0) & (rows["src_payload"] > 0) & (rows["src_payload"] <= MOST_PIECES)
        slow &= (rows["src_packets"] > HANDSHAKE) & (rows["src_retransmissions"] <= 1)
        slow &= rows["end"] - rows["start"] >= int(self.knob("age") * SECOND)
        stuck = self._stuck(rows)
        held = (slow | stuck) & (rows["dst_flags"] & SYN != 0)
        for flow in rows["flow_id"][~held].tolist() if len(self._open) else ():
            if flow in self._open:
                self._open[flow] = None
        touched = set()
        for row, answer in zip(rows[held], stuck[held].tolist(), strict=True):
            server = (int(row["dst_hi"]), int(row["dst_lo"])), int(row["dst_port"])
            client = int(row["src_hi"]), int(row["src_lo"])
            payload = int(row["dst_payload" if answer else "src_payload"])
            self._open[int(row["flow_id"])] = Unfinished(server, client, int(row["end"]), payload, answer)
            touched.add((server, answer))
        self._judge(touched)

    def _stuck(self, rows: NDArray[np.void]) -> NDArray[np.bool_]:
        """Connections whose client has let next to nothing be sent for long, and has been sent little."""
        stuck = np.zeros(len(rows), np.bool_)
        if not len(self._narrow):
            return stuck
        few = np.flatnonzero(rows["dst_payload"] <= self.knob("fetched"))
        for place, flow in zip(few.tolist(), rows["flow_id"][few].tolist(), strict=True):
            first, last = self._narrow.get(flow) or (0, 0)
            stuck[place] = last - first >= self.knob("narrow") * SECOND
        return stuck

    def _judge(self, touched: set[tuple[Server, bool]]) -> None:
        """One pass over what is open, for all services of which something changed."""
        lately, limit = self.context.now_ns - LATELY_NS, int(self.knob("connections"))
        by_server: dict[tuple[Server, bool], dict[int, Unfinished]] = {}
        for flow, one in self._open.items() if touched else ():
            if one is not None and (one.server, one.answer) in touched and one.last >= lately:
                by_server.setdefault((one.server, one.answer), {})[flow] = one
        for key, held in by_server.items():
            if len(held) >= max(limit, 2 * self._told[key]):
                self._tell(*key, held, limit)

    def _tell(self, server: Server, answer: bool, held: dict[int, Unfinished], limit: int) -> None:
        count = len(held)
        self._told[server, answer] = count
        clients = {one.client for one in held.values()}
        target, port = networks.text(*server[0]), server[1]
        source = networks.text(*clients.copy().pop()) if len(clients) == 1 else None
        mean = sum(one.payload for one in held.values()) / count
        age = f"{self.knob('narrow' if answer else 'age'):.0f} s and more"
        how = (
            f"have let next to nothing be sent for {age}, after {mean:.0f} bytes of an answer"
            if answer
            else f"have been open for {age} with {mean:.0f} bytes of a request in pieces and no answer"
        )
        self.alert(
            "slow_http_flood",
            f"{count} connections to port {port} of {target} from {source or f'{len(clients)} clients'} {how}; the limit is {limit} connections.",
            max(one.last for one in held.values()),
            source,
            target,
            title="Slow HTTP (denial of service): many answers that nobody fetches" if answer else None,
            confidence=0.85,
            fold=(server, answer),
            measured=count,
            threshold=limit,
            unit="connections",
            protocol="http",
            flow_ids=list(held)[:20],
            details={"port": port, "clients": len(clients), "mean_payload": round(mean)},
        )
