"""A sensor that captures nothing: speaks the link over a socketpair with synthetic traffic, and can be made to die or to lie.

`FakeBroker` is a `LinkSource`: it starts such sensors, one after the other, as the broker does.
"""

from __future__ import annotations

import gzip
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from app.link.channel import Channel, LinkClosed
from app.link.messages import COMMANDS, hello
from app.model.errors import ProtocolError
from app.wire.filter import QueryError, parse
from app.wire.filter_columns import packet_fields
from app.wire.records import PACKET_ROW_DTYPE
from tests.fakes import entropy
from tests.fakes.alerts import FakeAlerts
from tests.fakes.cards import SCAN, card_rows
from tests.fakes.dissection import dissected
from tests.fakes.facts import Facts
from tests.fakes.traffic import Traffic

MAGICS = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
    b"\x1f\x8b",
)


class FakeSensor:
    """One run. `run()` serves commands until the link ends; a ticker beside it sends a snapshot each `interval` seconds."""

    new_traffic = Traffic

    def __init__(self, channel: Channel, flows: int = 200, interval: float = 1.0, boot: str | None = None) -> None:
        self.channel = channel
        self.traffic = self.new_traffic(flows)
        self.facts = Facts()
        self.alerts = FakeAlerts()
        self.told_until = 0  # number of the last flow that facts were told of
        self.interval = interval
        self.boot = boot or os.urandom(6).hex()
        self.capture: dict[str, Any] = {
            "state": "stopped",
            "source": None,
            "interfaces": [],
            "bpf_filter": "",
            "snaplen": 0,
            "started_ns": 0,
            "file": None,
            "progress": None,
            "message": None,
            "can_capture": True,
            "why_not": None,
            "backend": "fake",
        }
        self.seq = 0
        self.commands: list[dict[str, Any]] = []
        self.packets = np.zeros(0, PACKET_ROW_DTYPE)
        self.silent = False
        self.compiling = False
        self.dead = False
        self.pending_flows = np.zeros(0, self.traffic.flows.dtype)
        self.started = time.monotonic()

    def run(self) -> None:
        self.channel.send(hello(os.getpid(), self.boot))
        threading.Thread(target=self._tick, daemon=True).start()
        try:
            for message in self.channel.messages():
                self.commands.append(message)
                if not self.silent:
                    self._answer(message)
        except (LinkClosed, ProtocolError):
            pass
        finally:
            self.dead = True
            self.channel.close()

    def die(self) -> None:
        """As with kill -9: the link just ends. The reader closes the socket; another green thread that did would leave it asleep."""
        self.dead = True
        try:
            self.channel._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is dead already

    def send(self, message: dict[str, Any]) -> None:
        try:
            self.channel.send(message)
        except LinkClosed:
            self.dead = True

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        while not self.dead:
            if self.compiling:
                self.send({"type": "progress", "task": "kernels", "done": 2, "total": 8, "text": "decoding"})
            elif not self.silent:
                self.send(self.snapshot())
            time.sleep(self.interval)

    def snapshot(self) -> dict[str, Any]:
        now = time.time_ns()
        self.seq += 1
        message: dict[str, Any] = {
            "type": "snapshot",
            "seq": self.seq,
            "wall_ns": now,
            "now_ns": now,
            "capture": dict(self.capture),
        }
        if self.capture["state"] == "replaying":
            self._advance_replay()
        if self.capture["state"] not in ("running", "replaying", "finished"):
            return message
        traffic = self.traffic
        changed = traffic.first(now) if not len(traffic.flows) else traffic.advance(now)
        changed = np.concatenate([self.pending_flows, changed])
        changed, self.pending_flows = changed[:20_000], changed[20_000:]
        fresh = traffic.flows[traffic.flows["flow_id"] > self.told_until]
        self.told_until = traffic.next_flow - 1
        packets = traffic.packet_rows(now, 120)
        self.packets = np.concatenate([self.packets, packets])[-20_000:]
        sizes = [
            ["0–79", 4],
            ["80–159", 3],
            ["160–319", 1],
            ["320–639", 1],
            ["640–1279", 2],
            ["1280–1518", 5],
            ["1519–", 0],
        ]
        message.update(
            totals={
                "packets": traffic.packets,
                "bytes": traffic.bytes,
                "captured_bytes": traffic.bytes,
                "flows": traffic.next_flow - 1,
                "tcp_packets": traffic.tcp_packets,
                "tcp_retransmissions": traffic.retransmissions,
                "first_ns": self.capture["started_ns"],
                "last_ns": now,
            },
            rates={
                "interval_s": self.interval,
                "pps": traffic.delta_packets,
                "bps": traffic.delta_bytes * 8,
                "new_flows": traffic.new,
            },
            layers=[[name, *counts] for name, counts in traffic.layers.items()],
            sizes=[[label, traffic.packets * share // 16, traffic.bytes * share // 16] for label, share in sizes],
            flows=changed.tobytes(),
            flows_deferred=len(self.pending_flows),
            flows_active=int((traffic.flows["ended"] == 0).sum()),
            packets=packets.tobytes(),
            packets_skipped=max(traffic.delta_packets - len(packets), 0),
            series=traffic.series(now),
            losses={
                "kernel_drops": 3,
                "ring_freezes": 0,
                "undecoded": {"truncated_ip": 2},
                "flows_evicted": 0,
                "hosts_evicted": 0,
                "conversations_evicted": 0,
                "packets_overwritten": 0,
                "snapshots_replaced": 0,
            },
            latency={"rtt_ms_median": 21.4, "rtt_ms_p95": 88.0, "samples": 340},
            store={
                "packets": len(self.packets),
                "bytes": len(self.packets) * 700,
                "capacity_bytes": 64 << 20,
                "oldest_ns": self.capture["started_ns"],
            },
            health={"rss_bytes": 180 << 20, "tick_ms": 6.5, "lag_ms": 0.4, "uptime_s": time.monotonic() - self.started},
            **self.facts.about(fresh, now),
            **self.alerts.about(traffic.flows, now),
            cards=card_rows(self.capture["started_ns"] or now),
            card_scan=SCAN,
            **entropy.about(traffic.flows, now),
            **traffic.top(),
        )
        return message

    def _advance_replay(self) -> None:
        self.capture["progress"] = min((self.capture["progress"] or 0) + 0.34, 1.0)
        if self.capture["progress"] >= 1:
            self.capture["state"] = "finished"

    # -- commands ----------------------------------------------------------------------------------------------------

    def _answer(self, message: dict[str, Any]) -> None:
        handler = getattr(self, f"do_{message['type']}")
        result = handler(message)
        for reply in result if isinstance(result, list) else [result]:
            if isinstance(reply, tuple):
                self.send(
                    {
                        "type": "reply",
                        "id": message["id"],
                        "ok": False,
                        "error": {"code": reply[0], "message": reply[1]},
                    }
                )
            else:
                more = reply.pop("more", False)
                self.send({"type": "reply", "id": message["id"], "ok": True, "result": reply, "more": more})

    def _reset(self, **changes: Any) -> None:
        self.traffic = self.new_traffic(self.traffic.target)
        self.told_until = 0
        self.pending_flows = self.pending_flows[:0]
        self.packets = self.packets[:0]
        self.capture.update({"started_ns": time.time_ns(), "progress": None, "message": None, "file": None, **changes})

    def do_start(self, message: dict[str, Any]) -> Any:
        names = message.get("interfaces") or ["eth0"]
        if "nope0" in names:
            return ("no_such_interface", "nope0: No such device")
        if "bad" in (message.get("bpf_filter") or ""):
            return ("bad_filter", "can't parse filter expression: syntax error")
        self._reset(
            state="running",
            source="live",
            interfaces=[{"name": name, "link_type": 1, "up": True} for name in names],
            bpf_filter=message.get("bpf_filter") or "",
            snaplen=message.get("snaplen") or 0,
        )
        return {}

    def do_stop(self, message: dict[str, Any]) -> Any:
        self.capture["state"] = "stopped"
        return {}

    def do_replay(self, message: dict[str, Any]) -> Any:
        data = Path(message["path"]).read_bytes()[:8]
        if not data:
            return ("bad_file", f"{message['name']} is empty")
        if not data.startswith(MAGICS):
            return ("bad_file", f"{message['name']} is no capture file: it begins with {data[:4]!r}")
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(message["path"]) as file:
                file.read(4)
        self._reset(
            state="replaying",
            source="file",
            interfaces=[{"name": message["name"], "link_type": 1, "up": True}],
            file=message["name"],
            progress=0.0,
        )
        return {}

    def do_packets(self, message: dict[str, Any]) -> Any:
        rows = self.packets[::-1]
        if message.get("before_id"):
            rows = rows[rows["packet_id"] < message["before_id"]]
        try:
            query = parse(
                message.get("q") or "", packet_fields([entry["name"] for entry in self.capture["interfaces"]])
            )
        except QueryError as error:
            return ("bad_query", str(error))
        rows = rows[query.mask(rows, time.time_ns())]
        shown = rows[: message.get("limit", 100)]
        more = len(rows) > len(shown) > 0
        return {
            "rows": shown.tobytes(),
            "next_before_id": int(shown["packet_id"][-1]) if more else 0,
            "scanned": len(rows),
        }

    def do_packet(self, message: dict[str, Any]) -> Any:
        rows = self.packets[self.packets["packet_id"] == message["packet_id"]]
        if not len(rows):
            return ("not_held", f"Packet {message['packet_id']} is not held any more.")
        return {"row": rows.tobytes(), "frame": bytes(60), "link_type": 1, "interface": 0}

    def do_dissect(self, message: dict[str, Any]) -> Any:
        number = message["packet_id"]
        rows = self.packets[self.packets["packet_id"] == number]
        if not len(rows):
            return ("not_held", f"Packet {number} is not held any more.")
        return dissected()

    def do_export(self, message: dict[str, Any]) -> Any:
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        rows = self.packets
        if message.get("flow_id"):
            rows = rows[rows["flow_id"] == message["flow_id"]]
        query = parse(message.get("q") or "", packet_fields())
        rows = rows[query.mask(rows, time.time_ns())]
        records = [
            struct.pack("<IIII", int(ts) // 10**9, int(ts) // 1000 % 10**6, 60, 60) + bytes(60) for ts in rows["ts"]
        ]
        data = header + b"".join(records)
        pieces = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        return [{"data": piece, "more": i + 1 < len(pieces)} for i, piece in enumerate(pieces)]

    def do_quit(self, message: dict[str, Any]) -> Any:
        threading.Timer(0.05, self.die).start()
        return {}


class FakeBroker:
    """Starts a fake sensor, and another `restart_seconds` after it died."""

    def __init__(
        self,
        flows: int = 200,
        interval: float = 1.0,
        restart_seconds: float = 0.3,
        first: Callable[[FakeSensor], None] = lambda sensor: None,
    ) -> None:
        """`first` may change the first sensor before it says anything."""
        self.flows, self.interval, self.restart_seconds = flows, interval, restart_seconds
        self.ended = False
        self.may_restart = threading.Event()  # cleared: the next sensor is waited for
        self.may_restart.set()
        self.sensors: list[FakeSensor] = []
        self._links: queue.Queue[Channel] = queue.Queue()
        self._why: str | None = None
        self._prepare = first
        self.start_sensor()

    @property
    def sensor(self) -> FakeSensor:
        return self.sensors[-1]

    def start_sensor(self) -> None:
        web, far = socket.socketpair()
        sensor = FakeSensor(Channel(far, COMMANDS), self.flows, self.interval)
        self.sensors.append(sensor)
        if len(self.sensors) == 1:
            self._prepare(sensor)
        self._links.put(Channel(web))
        threading.Thread(target=self._supervise, args=(sensor,), daemon=True).start()

    def _supervise(self, sensor: FakeSensor) -> None:
        sensor.run()
        if not self.ended:
            self._why = "The sensor died (killed by signal 9); it is being started again."
            time.sleep(self.restart_seconds)
            self.may_restart.wait()
            if not self.ended:
                self.start_sensor()

    def next_link(self, timeout: float) -> Channel | None:
        try:
            return self._links.get(timeout=timeout)
        except queue.Empty:
            return None

    def why_gone(self) -> str | None:
        return self._why

    def quit(self) -> None:
        self.ended = True
        self.may_restart.set()
        for sensor in self.sensors:
            sensor.die()
