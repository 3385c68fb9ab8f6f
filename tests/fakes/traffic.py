"""Synthetic flows and packets that change over time, as columns; deterministic for a seed."""

from __future__ import annotations

import math
import time

import numpy as np

from app.model.columns import RINGS
from app.model.layers import LAYER_BIT
from app.wire.records import BUCKET_DTYPE, FLOW_DTYPE, PACKET_ROW_DTYPE

V4 = 0xFFFF00000000
LOCAL = V4 | (192 << 24 | 168 << 16 | 1 << 8 | 23)
LOCAL6_HI, LOCAL6_LO = 0x20010DB800010000, 0x23
# (protocol, port, weight, mean frame, who talks)
KINDS = (
    (6, 443, 46, 900),
    (17, 443, 14, 1000),
    (17, 53, 16, 120),
    (6, 80, 6, 700),
    (6, 22, 3, 200),
    (6, 993, 2, 400),
    (17, 123, 2, 90),
    (17, 5353, 3, 150),
    (6, 5432, 2, 500),
    (6, 8080, 3, 600),
    (1, 8, 2, 98),
    (6, 445, 1, 300),
)


class Traffic:
    """`flows` FLOW rows, of which `advance()` changes a share and returns them, with packets and buckets of the tick."""

    def __init__(self, flows: int, seed: int = 7) -> None:
        self.random = np.random.default_rng(seed)
        self.target = flows
        self.flows = np.zeros(0, FLOW_DTYPE)
        self.next_flow = 1
        self.next_packet = 1
        self.packets = self.bytes = self.new = 0
        self.tcp_packets = self.retransmissions = 0
        self.layers: dict[str, list[int]] = {}
        self.ring_history = True
        self.totals_of_port: dict[tuple[int, int], list[int]] = {}

    def _begin(self, count: int, now: int, spread: int) -> np.ndarray:
        r = self.random
        rows = np.zeros(count, FLOW_DTYPE)
        weights = np.array([kind[2] for kind in KINDS], float)
        kinds = r.choice(len(KINDS), count, p=weights / weights.sum())
        protocol = np.array([kind[0] for kind in KINDS])[kinds]
        port = np.array([kind[1] for kind in KINDS])[kinds]
        rows["flow_id"] = np.arange(self.next_flow, self.next_flow + count)
        self.next_flow += count
        six = (r.random(count) < 0.12) & (protocol != 1)
        inbound = r.random(count) < 0.12
        remote = V4 | (
            r.integers(11, 223, count) << 24
            | r.integers(0, 40, count) << 16
            | r.integers(0, 4, count) << 8
            | r.integers(1, 254, count)
        )
        rows["src_lo"], rows["dst_lo"] = LOCAL, remote
        rows["src_hi"][six], rows["src_lo"][six] = LOCAL6_HI, LOCAL6_LO
        rows["dst_hi"][six] = 0x2A00145040000000 + r.integers(0, 60, six.sum())
        rows["dst_lo"][six] = r.integers(1, 1 << 40, six.sum())
        for name in ("hi", "lo"):
            source = rows[f"src_{name}"][inbound].copy()
            rows[f"src_{name}"][inbound] = rows[f"dst_{name}"][inbound]
            rows[f"dst_{name}"][inbound] = source
        rows["ip_version"] = np.where(six, 6, 4)
        rows["protocol"], rows["dst_port"] = protocol, port
        rows["src_port"] = np.where(protocol == 1, 0, r.integers(32768, 60999, count))
        rows["start"] = now - r.integers(0, max(spread, 1), count)
        rows["end"] = rows["start"]
        tcp = protocol == 6
        rows["rtt_ns"] = np.where(tcp, (r.lognormal(3, 0.8, count) * 1e6).astype(np.int64), -1)
        rows["conn_state"] = np.where(tcp, r.choice([1, 2, 2, 2, 2, 0], count), 0)
        rows["src_flags"], rows["dst_flags"] = np.where(tcp, 0x1A, 0), np.where(tcp, 0x1A, 0)
        rows["history"] = np.where(tcp, b"ShADad", b"Dd")
        rows["kind"] = np.where(tcp, 1, 0)
        rows["src_entropy"] = np.where(r.random(count) < 0.3, np.nan, r.uniform(3, 8, count))
        rows["dst_entropy"] = np.where(r.random(count) < 0.3, np.nan, r.uniform(3, 8, count))
        return rows

    def _grow(self, rows: np.ndarray, now: int) -> None:
        r, count = self.random, len(rows)
        sent, received = r.geometric(0.2, count), r.geometric(0.1, count)
        rows["src_packets"] += sent.astype(np.uint64)
        rows["dst_packets"] += received.astype(np.uint64)
        rows["src_bytes"] += (sent * r.integers(60, 400, count)).astype(np.uint64)
        rows["dst_bytes"] += (received * r.integers(80, 1500, count)).astype(np.uint64)
        again = ((r.random(count) < 0.05) & (rows["protocol"] == 6)).astype(np.uint32)
        rows["dst_retransmissions"] += again
        rows["end"] = now - r.integers(0, 900_000_000, count)
        rows["end"] = np.maximum(rows["end"], rows["start"])

    def first(self, now: int) -> np.ndarray:
        """The table at the beginning."""
        self.flows = self._begin(self.target, now, 600_000_000_000)
        self._grow(self.flows, now)
        self._count(np.zeros(0, FLOW_DTYPE), self.flows)
        return self.flows.copy()

    def advance(self, now: int) -> np.ndarray:
        """One second: some flows go on, some end, as many begin. Returns the rows that changed."""
        r = self.random
        active = np.flatnonzero(self.flows["ended"] == 0)
        moving = r.choice(active, max(1, len(active) // 12), replace=False)
        before = self.flows[moving].copy()
        rows = self.flows[moving]
        self._grow(rows, now)
        ending = r.random(len(rows)) < 0.08
        rows["ended"][ending] = r.choice([1, 2], int(ending.sum()))
        rows["conn_state"][ending & (rows["protocol"] == 6)] = 3
        self.flows[moving] = rows
        self._count(before, rows)
        fresh = self._begin(int(ending.sum()) + 1, now, 900_000_000)
        self._grow(fresh, now)
        self._count(np.zeros(0, FLOW_DTYPE), fresh)
        self.new = len(fresh)
        keep = self.flows[(self.flows["ended"] == 0) | (self.flows["end"] > now - 30_000_000_000)]
        self.flows = np.concatenate([keep, fresh])
        return np.concatenate([rows, fresh])

    def _count(self, before: np.ndarray, after: np.ndarray) -> None:
        packets = (after["src_packets"] + after["dst_packets"]).astype(np.int64)
        size = (after["src_bytes"] + after["dst_bytes"]).astype(np.int64)
        again = (after["src_retransmissions"] + after["dst_retransmissions"]).astype(np.int64)
        if len(before):
            packets -= (before["src_packets"] + before["dst_packets"]).astype(np.int64)
            size -= (before["src_bytes"] + before["dst_bytes"]).astype(np.int64)
            again -= (before["src_retransmissions"] + before["dst_retransmissions"]).astype(np.int64)
        self.delta_packets, self.delta_bytes = int(packets.sum()), int(size.sum())
        self.packets += self.delta_packets
        self.bytes += self.delta_bytes
        tcp = after["protocol"] == 6
        self.tcp_packets += int(packets[tcp].sum())
        self.retransmissions += int(again.sum())
        self.delta = {
            name: int(size[after["protocol"] == number].sum())
            for name, number in (("tcp", 6), ("udp", 17), ("icmp", 1))
        }
        self.delta_tcp, self.delta_again = int(packets[tcp].sum()), int(again.sum())
        for name, chosen in (
            ("eth", np.ones(len(after), bool)),
            ("ip", after["ip_version"] == 4),
            ("ipv6", after["ip_version"] == 6),
            ("tcp", tcp),
            ("udp", after["protocol"] == 17),
            ("icmp", after["protocol"] == 1),
            ("dns", after["dst_port"] == 53),
        ):
            entry = self.layers.setdefault(name, [0, 0])
            entry[0] += int(packets[chosen].sum())
            entry[1] += int(size[chosen].sum())

    def series(self, now: int) -> dict[str, bytes]:
        """Changed buckets; the first time a whole history, so that charts have something to show."""
        second = now // 1_000_000_000
        found = {}
        for step, length in RINGS:
            start = second // step * step
            if self.ring_history:
                times = start - np.arange(length)[::-1] * step
                rows = np.zeros(length, BUCKET_DTYPE)
                wave = 1.2 + np.sin(times / 97) + 0.5 * np.sin(times / 1300) + self.random.random(length) * 0.4
                rows["start"] = times
                rows["bytes"] = np.maximum(wave, 0.05) * 400_000 * step
                rows["packets"] = rows["bytes"] // 640
                rows["tcp_bytes"], rows["udp_bytes"] = rows["bytes"] * 7 // 10, rows["bytes"] * 27 // 100
                rows["icmp_bytes"] = rows["bytes"] // 100
                rows["other_bytes"] = rows["bytes"] - rows["tcp_bytes"] - rows["udp_bytes"] - rows["icmp_bytes"]
                rows["flows"] = np.maximum(wave, 0) * 20 * step
                rows["tcp_packets"] = rows["packets"] * 7 // 10
                rows["retransmissions"] = rows["tcp_packets"] // 80
                self.current = {**getattr(self, "current", {}), step: rows[-1:].copy()}
            else:
                row = self.current[step]
                if int(row["start"][0]) != start:
                    row = np.zeros(1, BUCKET_DTYPE)
                    row["start"] = start
                row["packets"] += np.uint64(self.delta_packets)
                row["bytes"] += np.uint64(self.delta_bytes)
                for name in ("tcp", "udp", "icmp"):
                    row[f"{name}_bytes"] += np.uint64(self.delta[name])
                row["flows"] += np.uint64(self.new)
                row["tcp_packets"] += np.uint64(self.delta_tcp)
                row["retransmissions"] += np.uint64(self.delta_again)
                self.current[step] = rows = row
            found[str(step)] = rows.tobytes()
        self.ring_history = False
        return found

    def packet_rows(self, now: int, count: int) -> np.ndarray:
        """The newest packets, of flows picked at random."""
        r = self.random
        flows = self.flows[r.integers(0, len(self.flows), count)]
        rows = np.zeros(count, PACKET_ROW_DTYPE)
        rows["packet_id"] = np.arange(self.next_packet, self.next_packet + count)
        self.next_packet += count
        rows["flow_id"] = flows["flow_id"]
        rows["ts"] = np.sort(now - r.integers(0, 1_000_000_000, count))
        back = r.random(count) < 0.5
        for name in ("hi", "lo", "port"):
            rows[f"src_{name}"] = np.where(back, flows[f"dst_{name}"], flows[f"src_{name}"])
            rows[f"dst_{name}"] = np.where(back, flows[f"src_{name}"], flows[f"dst_{name}"])
        rows["protocol"], rows["ip_version"] = flows["protocol"], flows["ip_version"]
        tcp, udp = flows["protocol"] == 6, flows["protocol"] == 17
        rows["tcp_flags"] = np.where(tcp, r.choice([0x10, 0x18, 0x18, 0x02, 0x12, 0x11], count), 0)
        rows["payload_len"] = np.where(rows["tcp_flags"] & 3, 0, r.integers(0, 1448, count))
        rows["wire_len"] = rows["cap_len"] = rows["payload_len"] + 66
        rows["seq"], rows["ack"] = r.integers(0, 1 << 32, count), r.integers(0, 1 << 32, count)
        rows["window"] = np.where(tcp, 64240, 0)
        rows["layers"] = (
            LAYER_BIT["eth"]
            | np.where(flows["ip_version"] == 4, LAYER_BIT["ip"], LAYER_BIT["ipv6"])
            | np.where(tcp, LAYER_BIT["tcp"], np.where(udp, LAYER_BIT["udp"], LAYER_BIT["icmp"]))
        )
        rows["payload_kept"] = np.minimum(rows["payload_len"], 64)
        rows["payload"] = np.frombuffer(r.bytes(64 * count), "V64")
        text = np.frombuffer(
            b"<script>alert(1)</script> GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n..".ljust(64)[:64], "V64"
        )
        rows["payload"][r.random(count) < 0.1] = text
        return rows

    def top(self) -> dict[str, list[list[object]]]:
        """Hosts, ports and conversations, summed from the flows that are held."""
        from app.wire.addresses import format_address

        hosts: dict[str, list[int]] = {}
        ports: dict[tuple[int, int], list[int]] = {}
        pairs: dict[tuple[str, str], list[int]] = {}
        sample = self.flows[-4000:]
        names = (
            "src_hi",
            "src_lo",
            "dst_hi",
            "dst_lo",
            "ip_version",
            "protocol",
            "dst_port",
            "src_packets",
            "dst_packets",
            "src_bytes",
            "dst_bytes",
        )
        for sh, sl, dh, dl, v, protocol, port, sp, dp, sb, db in zip(
            *(sample[name].tolist() for name in names), strict=True
        ):
            a, b = format_address(sh, sl, v) or "", format_address(dh, dl, v) or ""
            for ip, values in ((a, (sp, dp, sb, db)), (b, (dp, sp, db, sb))):
                entry = hosts.setdefault(ip, [0, 0, 0, 0])
                for i, value in enumerate(values):
                    entry[i] += value
            if protocol != 1:
                entry = ports.setdefault((protocol, port), [0, 0])
                entry[0] += sp + dp
                entry[1] += sb + db
            entry = pairs.setdefault((min(a, b), max(a, b)), [0, 0])
            entry[0] += sp + dp
            entry[1] += sb + db
        return {
            "hosts": [[ip, *v] for ip, v in sorted(hosts.items(), key=lambda e: -(e[1][2] + e[1][3]))[:50]],
            "ports": [[*key, *v] for key, v in sorted(ports.items(), key=lambda e: -e[1][1])[:50]],
            "conversations": [[*key, *v] for key, v in sorted(pairs.items(), key=lambda e: -e[1][1])[:50]],
        }


def clock() -> int:
    return time.time_ns()


def wobble(t: float) -> float:
    """A load that goes up and down, 0..1."""
    return 0.5 + 0.5 * math.sin(t / 11)
