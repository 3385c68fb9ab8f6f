"""Generated capture files: from a profile to a pcap on disk, always the same bytes for the same profile.

`python -m bench.traffic imix 1000000 out.pcap` makes one by hand.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.draws import Draws
from bench.flows import EPOCH_NS, Flows, make_flows
from bench.frames import (
    PREFIX_DNS,
    PREFIX_TLS,
    RECORD_BYTES,
    REST,
    ROW_BYTES,
    TCP_SYN,
    Wanted,
    make_rows,
    network_of,
    transport_of,
)
from bench.payload import LONGEST, pool
from bench.profiles import PROFILES, TCP_KINDS, UDP_KINDS, Kind, Profile
from bench.script import SYN, Packets, make_packets, second_fragment_bytes

DATA_DIR: Final = Path(__file__).parent / "data"
CHUNK: Final = 1 << 16  # packets written at a time
FORMAT: Final = 4  # raise it when the generator changes: cached files are made again

_FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)  # microseconds, Ethernet


class Writer:
    """Turns packets into pcap records, a chunk at a time."""

    def __init__(self, flows: Flows, packets: Packets) -> None:
        self.flows, self.packets = flows, packets
        self.network, self.transport = network_of(flows), transport_of(flows)

    def _columns(self, at: NDArray[np.int64]) -> Wanted:
        """The packets at flow-major positions `at`, with what their flow adds."""
        flows, packets = self.flows, self.packets
        flow = packets.flow[at].astype(np.int64)
        payload = packets.payload[at].astype(np.int64)
        cut = packets.cut_length[at].astype(np.int64)
        prefix = packets.prefix[at].astype(np.int64)
        prefix_bytes = np.zeros((len(at), PREFIX_TLS + 1), np.uint8)
        tls, dns = prefix == PREFIX_TLS, prefix == PREFIX_DNS
        prefix_bytes[tls, :3] = (0x17, 0x03, 0x03)
        prefix_bytes[tls, 3], prefix_bytes[tls, 4] = cut[tls] >> 8, cut[tls] & 255
        prefix_bytes[dns, 0], prefix_bytes[dns, 1] = (flow[dns] * 40503 >> 8) & 255, (flow[dns] * 40503) & 255
        return Wanted(
            flow=flow,
            client=flows.client[flow],
            server=flows.server[flow],
            forward=packets.forward[at],
            flags=packets.flags[at].astype(np.int64),
            payload=payload,
            prefix=prefix,
            padding=np.where(payload > 0, 0, cut),
            cut_sum=pool().word_sum(packets.cut_offset[at].astype(np.int64), cut),
            fragment=packets.fragment[at].astype(np.int64),
            rest=second_fragment_bytes(flows)[flow],
            seq=packets.seq[at].astype(np.int64),
            ack=packets.ack[at].astype(np.int64),
            time=EPOCH_NS + packets.time[at],
            number=packets.number[at].astype(np.int64),
            vlan=flows.vlan[flow],
            client_port=flows.client_port[flow],
            server_port=flows.server_port[flow],
            prefix_bytes=prefix_bytes,
        )

    def chunk(self, at: NDArray[np.int64]) -> bytes:
        """The pcap records of the packets at positions `at`, in that order."""
        want = self._columns(at)
        transport = self.transport[want.flow]
        transport[(transport == TCP_SYN - 1) & ((want.flags & SYN) > 0)] = TCP_SYN
        transport[want.fragment == 2] = REST
        shape = (self.flows.tags[want.flow] * 5 + self.network[want.flow]) * 6 + transport
        rows = np.zeros((len(at), ROW_BYTES), np.uint8)
        head = np.zeros(len(at), np.int64)
        for code in np.unique(shape).tolist():
            mine = np.flatnonzero(shape == code)
            some = Wanted(**{name: column[mine] for name, column in vars(want).items()})
            made = make_rows(some, code // 30, code // 6 % 5, code % 6)
            rows[mine, : made.shape[1]] = made
            head[mine] = made.shape[1]
        for size in (PREFIX_DNS, PREFIX_TLS):
            mine = np.flatnonzero(want.prefix == size)
            where = head[mine, None] + np.arange(size)
            rows[mine[:, None], where] = want.prefix_bytes[mine, :size]
        head += want.prefix
        return self._joined(rows, head, at)

    def _joined(self, rows: NDArray[np.uint8], head: NDArray[np.int64], at: NDArray[np.int64]) -> bytes:
        """Each packet's row and its cut of the pool, one behind the other."""
        flat, data = memoryview(rows.data).cast("B"), memoryview(pool().data)
        begin = np.arange(len(at)) * ROW_BYTES
        cut = self.packets.cut_offset[at]
        ends = (begin + head).tolist(), (cut + self.packets.cut_length[at]).tolist()
        pieces: list[memoryview] = []
        for row, row_end, start, end in zip(begin.tolist(), ends[0], cut.tolist(), ends[1], strict=True):
            pieces.append(flat[row:row_end])
            pieces.append(data[start:end])
        return b"".join(pieces)

    def chunks(self) -> Iterator[bytes]:
        """All records in the order of time."""
        order = self.packets.order
        for start in range(0, len(order), CHUNK):
            yield self.chunk(order[start : start + CHUNK])


@dataclass(frozen=True)
class Facts:
    """What is in a file, known from making it. Flows are those of IP: ARP has none."""

    packets: int
    frame_bytes: int
    flows: int
    retransmissions: int
    protocols: dict[str, int]  # packets that carry it
    payload_bytes: dict[str, int]  # of each kind of flow


def facts_of(flows: Flows, packets: Packets, file_bytes: int) -> Facts:
    """Counts of a file from the columns it was made from."""
    kind, version = flows.kind[packets.flow], flows.version[packets.flow]
    later = packets.fragment == 2
    protocols = {
        "vlan": flows.tags[packets.flow] > 0,
        "qinq": flows.tags[packets.flow] == 2,
        "arp": kind == Kind.ARP,
        "ip": version == 4,
        "ipv6": version == 6,
        "tcp": np.isin(kind, TCP_KINDS),
        "udp": np.isin(kind, UDP_KINDS) & ~later,
        "icmp": (kind == Kind.ICMP) & (version == 4),
        "icmpv6": (kind == Kind.ICMP) & (version == 6),
        "dns": kind == Kind.DNS,
    }
    payload = np.bincount(kind, packets.payload, len(Kind))
    return Facts(
        packets=len(kind),
        frame_bytes=file_bytes - len(_FILE_HEADER) - RECORD_BYTES * len(kind),
        flows=int(((flows.kind != Kind.ARP) & (flows.packets > 0)).sum()),
        retransmissions=int(packets.again.sum()),
        protocols={name: int(mask.sum()) for name, mask in protocols.items()},
        payload_bytes={kind.name: int(payload[kind]) for kind in Kind if payload[kind]},
    )


def write(profile: Profile, path: Path) -> Facts:
    """Makes the file of `profile` at `path`; it appears there when it is complete."""
    draws = Draws(profile.seed)
    flows = make_flows(profile, draws)
    packets = make_packets(flows, profile, draws)
    writer = Writer(flows, packets)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as out:
        out.write(_FILE_HEADER)
        for records in writer.chunks():
            out.write(records)
    os.replace(partial, path)
    return facts_of(flows, packets, path.stat().st_size)


def cached(profile: Profile) -> tuple[Path, Facts]:
    """The file of `profile`, made now if it is not there yet, and what is in it."""
    DATA_DIR.mkdir(exist_ok=True)
    path = DATA_DIR / f"{profile.key()}-v{FORMAT}.pcap"
    beside = path.with_suffix(".json")
    if not (path.exists() and beside.exists()):
        for old in DATA_DIR.glob(f"{profile.key()}-v*"):  # of an earlier generator, with its slices
            old.unlink()
        beside.write_text(json.dumps(asdict(write(profile, path)), indent=1))
    return path, Facts(**json.loads(beside.read_text()))


def first_packets(path: Path, count: int) -> Path:
    """The first `count` packets of a file of ours as a file of their own, for programs too slow for the whole.

    Flows of these files live long: the slice has most of the whole file's flows, so a flow table is about as large.
    """
    target = path.with_name(f"{path.stem}-first{count}.pcap")
    if target.exists():
        return target
    with open(path, "rb") as source:
        data = source.read(len(_FILE_HEADER) + count * (RECORD_BYTES + LONGEST))
    end = len(_FILE_HEADER)
    for _ in range(count):
        end += RECORD_BYTES + int.from_bytes(data[end + 8 : end + 12], "little")
    target.write_bytes(data[:end])
    return target


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in PROFILES or not arguments[1].isdecimal():
        print(f"usage: python -m bench.traffic {'|'.join(PROFILES)} PACKETS FILE", file=sys.stderr)
        return 2
    print(json.dumps(asdict(write(PROFILES[arguments[0]](int(arguments[1])), Path(arguments[2])))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
