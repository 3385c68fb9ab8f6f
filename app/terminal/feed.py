"""The monitor's place in the pipeline: counts what the statistics say, and prints the packets that there is room for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.dissect.client import Dissector
from app.model.layers import LAYER_BIT, protocol_name
from app.sensor.card_masking import CardMasking
from app.sensor.packet_rows import packet_rows
from app.services.packets import packet_dicts
from app.terminal.packet_lines import compact, detailed, minimal
from app.terminal.palette import Palette
from app.terminal.plan import Plan
from app.terminal.printer import Printer
from app.wire.block import Block

_NO_IP: Final = 255
_NAMES: Final = {"tcp": "TCP", "udp": "UDP", "icmp": "ICMP", "icmpv6": "ICMPv6", "igmp": "IGMP", "sctp": "SCTP"}
_PRINTED_AT_ONCE: Final = 64  # packets; so that the queue's places are used for lines and statistics alike


class Feed:
    """A `Store` of the pipeline that keeps nothing."""

    def __init__(self, plan: Plan, printer: Printer, palette: Palette, interfaces: Callable[[], Sequence[str]]) -> None:
        self.packets = 0
        self.printed = 0
        self._plan = plan
        self._printer = printer
        self._palette = palette
        self._interfaces = interfaces
        self._by_protocol = np.zeros(256, np.int64)
        self._arp = 0
        self._dns = 0
        self._masking = CardMasking()
        self._dissector = Dissector() if plan.mode == "detailed" and not plan.json else None

    # -- the pipeline -------------------------------------------------------------------------------------------------

    def add(
        self, block: Block, packets: NDArray[np.void], heads: NDArray[np.uint8], flow_ids: NDArray[np.uint64]
    ) -> int:
        """Takes one batch; returns the number of packets so far."""
        layers = packets["layers"]
        self._by_protocol += np.bincount(packets["protocol"], minlength=256)
        no_ip = packets["protocol"] == _NO_IP
        if no_ip.any():
            self._arp += int(np.count_nonzero(no_ip & (layers & LAYER_BIT["arp"] != 0)))
        self._dns += int(np.count_nonzero(layers & LAYER_BIT["dns"]))
        self._print(block, packets, flow_ids)
        self.packets += len(packets)
        return self.packets

    def clear(self) -> None:
        """A new capture: there is one a run."""

    # -- what the statistics ask --------------------------------------------------------------------------------------

    @property
    def not_printed(self) -> int:
        return self.packets - self.printed

    def protocols(self) -> list[tuple[str, int]]:
        """(name, packets), most first; each packet once, by its innermost protocol, DNS apart from the TCP or UDP it came in."""
        found = {
            _NAMES.get(name := protocol_name(number), name.upper()): int(self._by_protocol[number])
            for number in np.flatnonzero(self._by_protocol[:_NO_IP]).tolist()
        }
        rest = int(self._by_protocol[_NO_IP])
        found.update({"ARP": self._arp, "other": rest - self._arp})
        return sorted(((name, count) for name, count in found.items() if count), key=lambda item: -item[1])

    @property
    def dns_packets(self) -> int:
        return self._dns

    def close(self) -> None:
        if self._dissector is not None:
            self._dissector.close()

    # -- printing -----------------------------------------------------------------------------------------------------

    def _print(self, block: Block, packets: NDArray[np.void], flow_ids: NDArray[np.uint64]) -> None:
        place = 0
        while place < len(packets):
            count = self._printer.room(min(len(packets) - place, _PRINTED_AT_ONCE if self._dissector is None else 1))
            if count == 0:
                return
            self._print_some(block, packets[place : place + count], flow_ids[place : place + count], place)
            place += count

    def _print_some(self, block: Block, packets: NDArray[np.void], flow_ids: NDArray[np.uint64], place: int) -> None:
        begun = time.monotonic()
        data = block.data
        starts, lengths = packets["offset"].tolist(), packets["cap_len"].tolist()
        frames = [data[start : start + length].tobytes() for start, length in zip(starts, lengths, strict=True)]
        rows = packet_rows(packets, frames, self._masking)
        rows["packet_id"] = np.arange(1, len(rows) + 1, dtype=np.uint64) + np.uint64(self.packets + place)
        rows["flow_id"] = flow_ids
        lines = self._lines(rows, frames, packets["link_type"].tolist())
        self.printed += len(rows)
        self._printer.packets(lines, len(rows), time.monotonic() - begun)

    def _lines(self, rows: NDArray[np.void], frames: list[bytes], link_types: list[int]) -> list[str]:
        if self._plan.json:
            return [json.dumps(packet, separators=(",", ":")) for packet in packet_dicts(rows, self._interfaces())]
        names = rows.dtype.names or ()
        dicts: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
        if self._plan.mode == "minimal":
            return [minimal(row, self._palette) for row in dicts]
        if self._dissector is None:
            return [compact(row, self._palette) for row in dicts]
        lines = []
        for row, frame, link_type in zip(dicts, frames, link_types, strict=True):
            lines += detailed(row, self._dissector.dissect(frame, link_type)["tree"], self._palette)
        return lines
