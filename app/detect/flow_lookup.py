"""What the flow table holds of one service: asked when a limit is near, not for each packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.flow import layout as at
from app.flow.table import FlowTable


@dataclass(frozen=True, slots=True)
class Answered:
    """Flows of a service that began lately, and those of them in which both ends spoke (TCP: the opener went on after the SYN)."""

    flows: int
    spoken: int

    @property
    def share(self) -> float:
        return self.spoken / self.flows if self.flows else 0.0


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Payload bytes of flows from one host: what it asked, what it was answered."""

    flows: int
    asked: int
    answered: int


class OneWay(NamedTuple):
    """A flow in which one end speaks, as it stands in the table."""

    flow: int
    slot: int
    protocol: int
    src: tuple[int, int]
    dst: tuple[int, int]
    src_port: int
    dst_port: int
    packets: int


def of_row(row: np.void) -> OneWay:
    """The same of a FLOW row, whatever the other end says."""
    src, dst = ((int(row[f"{end}_hi"]), int(row[f"{end}_lo"])) for end in ("src", "dst"))
    number, ports = int(row["flow_id"]), (int(row["src_port"]), int(row["dst_port"]))
    return OneWay(number, int(row["slot"]), int(row["protocol"]), src, dst, *ports, int(row["src_packets"]))


HARDLY: Final = 50  # packets for one answer: not answered


def one_way(table: FlowTable, slot: int) -> OneWay | None:
    """The flow of a row where its originator speaks and the other end hardly does; TCP: without a SYN, and answered by nothing or empty segments."""
    row = table.rows[slot].tolist()
    state, key = row[at.STATE], row[at.KEY]
    by_b = state & at.ORIGINATOR_B != 0
    sent, answers = row[at.PACKETS + by_b], row[at.PACKETS + 1 - by_b]
    tcp = key & 0xFF == 6
    opened = tcp and state >> (at.SEEN_SHIFT if by_b else 0) & at.SEEN_SYN
    if not row[at.FLOW_ID] or opened or (answers * HARDLY > sent and (not tcp or row[at.PAYLOAD + 1 - by_b])):
        return None
    mask = (1 << 64) - 1
    ends = [(row[hi] & mask, row[lo] & mask) for hi, lo in ((at.A_HI, at.A_LO), (at.B_HI, at.B_LO))]
    ports = (key >> 48 & 0xFFFF, key >> 32 & 0xFFFF)
    return OneWay(row[at.FLOW_ID], slot, key & 0xFF, ends[by_b], ends[1 - by_b], ports[by_b], ports[1 - by_b], sent)


def _recent(table: FlowTable, protocol: int, since_ns: int) -> NDArray[np.int64]:
    """Rows of flows that began after `since_ns`. A pass over the table: some milliseconds when it is full."""
    rows = table.rows[: int(table.meta[at.HIGH_WATER])]
    recent = np.flatnonzero((rows[:, at.FIRST] >= since_ns) & (rows[:, at.FLOW_ID] != 0))
    found: NDArray[np.int64] = rows[recent[rows[recent, at.KEY] & 0xFF == protocol]]
    return found


def exchanged(
    table: FlowTable | None, source: tuple[int, int], target: tuple[int, int] | None, port: int, protocol: int, since_ns: int
) -> Exchanged:  # fmt: skip
    """Flows from `source` to (target; None = any, port) that began after `since_ns`."""
    if table is None:
        return Exchanged(0, 0, 0)
    mine = _recent(table, protocol, since_ns)
    by_b = mine[:, at.STATE] & at.ORIGINATOR_B != 0
    chosen = np.where(by_b, mine[:, at.KEY] >> 48 & 0xFFFF, mine[:, at.KEY] >> 32 & 0xFFFF) == port
    ends = [(source, (at.B_HI, at.B_LO), (at.A_HI, at.A_LO))]
    if target is not None:
        ends.append((target, (at.A_HI, at.A_LO), (at.B_HI, at.B_LO)))
    for address, if_b, if_a in ends:
        for half, of_b, of_a in zip(np.array(address, np.uint64).view(np.int64), if_b, if_a, strict=True):
            chosen &= np.where(by_b, mine[:, of_b], mine[:, of_a]) == half
    mine, by_b = mine[chosen], by_b[chosen]
    asked = np.where(by_b, mine[:, at.PAYLOAD + 1], mine[:, at.PAYLOAD])
    said = np.where(by_b, mine[:, at.PAYLOAD], mine[:, at.PAYLOAD + 1])
    return Exchanged(len(mine), int(asked.sum()), int(said.sum()))


def answered(table: FlowTable | None, address: tuple[int, int], port: int, protocol: int, since_ns: int) -> Answered:
    """Flows to (address, port; 0 = any port) that began after `since_ns`."""
    if table is None:
        return Answered(0, 0)
    hi, lo = np.array(address, np.uint64).view(np.int64)
    mine = _recent(table, protocol, since_ns)
    by_b = mine[:, at.STATE] & at.ORIGINATOR_B != 0  # the originator is endpoint b, so the responder is a
    responder_hi = np.where(by_b, mine[:, at.A_HI], mine[:, at.B_HI])
    responder_lo = np.where(by_b, mine[:, at.A_LO], mine[:, at.B_LO])
    responder_port = np.where(by_b, mine[:, at.KEY] >> 48 & 0xFFFF, mine[:, at.KEY] >> 32 & 0xFFFF)
    chosen = (responder_hi == hi) & (responder_lo == lo)
    if port:
        chosen &= responder_port == port
    mine, by_b = mine[chosen], by_b[chosen]
    if protocol == 6:
        shift = np.where(by_b, at.SEEN_SHIFT, 0)
        seen = mine[:, at.STATE] >> shift
        sent = np.where(by_b, mine[:, at.PACKETS + 1], mine[:, at.PACKETS])
        went_on = (seen & at.SEEN_ACK != 0) | ((seen & at.SEEN_DATA != 0) & (sent > 1))  # a SYN may carry data
        replied = np.where(by_b, mine[:, at.PACKETS], mine[:, at.PACKETS + 1])
        spoken = np.where(seen & at.SEEN_SYN != 0, went_on, replied > 0)  # an ACK out of nothing opens nothing
    else:
        spoken = (mine[:, at.PACKETS] > 0) & (mine[:, at.PACKETS + 1] > 0)
    return Answered(len(mine), int(spoken.sum()))
