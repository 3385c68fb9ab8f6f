"""Connections that stay open for hours: tunnels, remote control, forgotten sessions."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.detect import networks
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.layers import protocol_name

HOUR_NS: Final = 3_600_000_000_000
MOST_A_TICK: Final = 50


class LongConnection(Detector):
    name = "long_connection"
    rules = (
        Rule(
            "long_connection",
            "Long connection: open for hours",
            "low",
            "A connection to an address outside stays open and in use for hours.",
            "VPNs, remote desktops, push services, chat, radio and monitoring.",
            "Look at the program and the owner of the address. A tunnel that nobody set up is a back door.",
            "T1571",
        ),
    )
    knobs = (Knob("hours", 8, "h", "A working day; RITA's steps are 1, 4, 8 and 12 hours."),)
    wants_flows = True

    def begin(self) -> None:
        self._limit = int(self.knob("hours") * HOUR_NS)
        self._told = self.bounded(16_384, lambda: [0])

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        for rows in (changed, ended):
            long = np.flatnonzero(rows["end"] - rows["start"] >= self._limit)
            for row in rows[long[:MOST_A_TICK]]:
                self._look(row)

    def _look(self, row: np.void) -> None:
        target = (int(row["dst_hi"]), int(row["dst_lo"]))
        if int(row["protocol"]) not in (6, 17) or networks.is_private(*target) or networks.is_group(*target):
            return
        flow_id, length = int(row["flow_id"]), int(row["end"]) - int(row["start"])
        told = self._told[flow_id]
        if length < max(self._limit, 2 * told[0]) or not int(row["dst_packets"]):
            return
        told[0] = length
        source = networks.text(int(row["src_hi"]), int(row["src_lo"]))
        known = self.context.known(flow_id)
        name = (known.server_name or known.app) if known is not None else None
        hours = length / HOUR_NS
        self.alert(
            "long_connection",
            f"The connection from {source} to {networks.text(*target)} port {row['dst_port']}{f' ({name})' if name else ''} has been open for {hours:.1f} h; the limit is {self.knob('hours'):g} h.",
            int(row["end"]),
            source,
            networks.text(*target),
            confidence=0.6,
            fold=(flow_id,),
            measured=round(hours, 2),
            threshold=self.knob("hours"),
            unit="h",
            protocol=protocol_name(int(row["protocol"])),
            flow_ids=(flow_id,),
            details={"port": int(row["dst_port"]), "name": name},
        )
