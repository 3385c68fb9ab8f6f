"""The history with many flows: bytes of each on disk, rows taken a second, and how long each page's questions take.

`python -m bench.history [--flows 10000000] [--directory /tmp/x] [--kills 0]`. The store's own process does the work, asked over its socket as the web process does.
Traffic of 30 days is made up: addresses, names and sizes are drawn from long-tailed distributions, so that columns compress as they would. `--kills`: ends the
store's process that many times at random points of writing, and checks that everything it had answered is there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.services.history import History
from app.services.history_pages import Span, connection_page, fact_page
from app.services.history_summary import curve, summary, top
from app.services.mirror import Mirror
from app.store.client import StoreClient, StoreRefused
from app.store.layout import FLOW_DTYPE, MINUTE_COUNTERS
from config import Settings

NS: Final = 1_000_000_000
DAYS: Final = 30
BEGIN: Final = 1_760_000_040 * NS
BATCH: Final = 20_000
ROUNDS: Final = 5
APPLICATIONS: Final = 60
NAMES: Final = 5_000
HOSTS: Final = 30_000


def _long_tail(random_: np.random.Generator, count: int, size: int) -> np.ndarray[Any, Any]:
    """Numbers below `count`, small ones often."""
    return np.minimum(random_.zipf(1.3, size), count) - 1


def made_up(random_: np.random.Generator, first: int, size: int, total: int) -> dict[str, Any]:
    """One batch of ended flows, `first` of `total` in 30 days."""
    rows = np.zeros(size, FLOW_DTYPE)
    number = np.arange(first, first + size)
    rows["flow_id"] = number + 1
    rows["start"] = rows["since"] = BEGIN + number * (DAYS * 86_400 * NS // total) + random_.integers(0, NS, size)
    rows["end"] = rows["start"] + (random_.lognormal(0, 2, size) * NS).astype(np.int64).clip(0, 300 * NS)
    rows["ip_version"], rows["ended"], rows["local_is_src"], rows["direction"] = 4, 1, True, 0
    rows["src_lo"] = np.uint64(0xFFFF_0A00_0000) + _long_tail(random_, 40, size).astype(np.uint64)
    host = _long_tail(random_, HOSTS, size)
    rows["dst_lo"] = np.uint64(0xFFFF_0000_0000) + (
        host.astype(np.uint64) * np.uint64(2_654_435_761) & np.uint64(0xFFFF_FFFF)
    )
    is_udp = random_.random(size) < 0.35
    rows["protocol"] = np.where(is_udp, 17, 6)
    rows["src_port"] = random_.integers(32_768, 61_000, size)
    rows["dst_port"] = np.where(
        is_udp, random_.choice([53, 443, 123], size), random_.choice([443, 443, 443, 80, 22], size)
    )
    for side in ("src", "dst"):
        packets = random_.lognormal(2, 1.4, size).astype(np.uint64) + np.uint64(1)
        rows[f"{side}_packets"] = packets
        rows[f"{side}_bytes"] = packets * random_.integers(60, 1_400, size).astype(np.uint64)
        rows[f"{side}_payload"] = rows[f"{side}_bytes"] - packets * np.uint64(40)
        rows[f"{side}_flags"] = np.where(is_udp, 0, 0x1B)
        rows[f"{side}_entropy"] = random_.normal(7, 0.8, size).clip(0, 8).astype(np.float32)
    rows["rtt_ns"] = np.where(is_udp, -1, (random_.lognormal(3, 1, size) * 1e6).astype(np.int64))
    rows["conn_state"] = random_.integers(0, 4, size)
    application, name = (host % APPLICATIONS).tolist(), (host % NAMES).tolist()
    texts = {
        "application": [f"Application{n}" for n in application],
        "category": [f"Category{n % 12}" for n in application],
        "application_source": ["ndpi"] * size,
        "detailed_protocol": [f"TLS.Application{n}" for n in application],
        "server_name": [None if udp else f"host-{n}.service{n % 97}.example.com" for n, udp in zip(name, is_udp.tolist(), strict=True)],
        "hostname": [f"host-{n}.service{n % 97}.example.com" for n in name],
        "hostname_source": ["dns"] * size,
        "ja4": [None if udp else f"t13d1516h2_{n % 40:012x}_{n % 40:012x}" for n, udp in zip(name, is_udp.tolist(), strict=True)],
        "interface": ["eth0"] * size,
        "app_name": [f"program{n % 25}" for n in application],
        "app_path": [f"/usr/bin/program{n % 25}" for n in application],
        "country": [f"{chr(65 + n % 20)}{chr(65 + n % 7)}" for n in name],
        "organization": [f"Organisation {n % 400}" for n in name],
        "history": ["Dd" if udp else "ShADadFf" for udp in is_udp.tolist()],
        "pid": (random_.integers(300, 60_000, size)).tolist(),
        "asn": [n % 400 + 1 for n in name],
    }  # fmt: skip
    queries = [
        {
            "ns": int(ns), "flow_id": int(flow_id), "client": f"10.0.0.{flow_id % 40}", "server": "10.0.0.1", "query": f"host-{n}.service{n % 97}.example.com",
            "type": "A", "rcode": "NOERROR", "answers": ["A 192.0.2.1"], "ttl": 60, "latency_ms": 8.5, "transport": "udp", "kind": "query",
        }
        for ns, flow_id, n in zip(rows["start"][::10].tolist(), rows["flow_id"][::10].tolist(), name[::10], strict=True)
    ]  # fmt: skip
    return {
        "run": {"boot": "b", "started_ns": BEGIN},
        "flows": rows.tobytes(),
        "texts": texts,
        "facts": {"dns": queries},
    }


def processor_seconds(pid: int | None) -> float:
    """What a process has used of a processor: on a busy machine the figure that says what the work costs."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


def fill(client: StoreClient, flows: int) -> float:
    """Writes `flows` in batches; rows a second, the making of them not counted."""
    random_, spent = np.random.default_rng(8), 0.0
    minutes = [[BEGIN // NS // 60 * 60 + 60 * n, *range(1, 1 + len(MINUTE_COUNTERS))] for n in range(DAYS * 1_440)]
    client.ask("write", run={"boot": "b", "started_ns": BEGIN}, minutes=minutes)
    for first in range(0, flows, BATCH):
        batch = made_up(random_, first, min(BATCH, flows - first), flows)
        begun = time.perf_counter()
        client.ask("write", **batch)
        spent += time.perf_counter() - begun
        if first % 1_000_000 == 0:
            print(f"{first:>12,} flows, {(first + BATCH) / spent:,.0f} a second", flush=True)
    return flows / spent


def questions(history: History) -> dict[str, Any]:
    """What pages ask, by name."""
    last = BEGIN + DAYS * 86_400 * NS
    everything, day = Span(0, last, "", last), Span(last - 86_400 * NS, last, "", last)
    names = ("app", "process", "host", "local", "country", "port")
    found = {
        "connections, newest 200, with their number": lambda: connection_page(history, everything, 200, None, 0),
        "connections of a day": lambda: connection_page(history, day, 200, None, 0),
        "connections by network and port": lambda: connection_page(history, Span(0, last, "ip:10.0.0.3 port:443", last), 200, None, 0),
        "connections by part of a name": lambda: connection_page(history, Span(0, last, "server_name:service13", last), 200, None, 0),
        "connections by program, most bytes first": lambda: connection_page(history, Span(0, last, "app_name:program7 sort:-bytes", last), 200, None, 0),
        "DNS queries, newest 200": lambda: fact_page(history, "dns", everything, 200, None, 0),
        "DNS queries by part of a name": lambda: fact_page(history, "dns", Span(0, last, "query:service13", last), 200, None, 0),
        "totals": lambda: history.ask("totals", **everything.fields()),
        "curve of all minutes": lambda: curve(history, everything, None),
        "History page, a day, beside the day before": lambda: summary(history, day, compare=True),
        "History page, everything": lambda: summary(history, everything, compare=False),
    }  # fmt: skip
    return found | {f"top list by {name}": lambda name=name: top(history, name, everything, 10) for name in names}  # type: ignore[misc]


def kills(path: Path, rounds: int) -> tuple[int, int]:
    """Ends the store `rounds` times in the middle of writing; batches that were answered, and rounds in which one of them was gone."""
    client, random_, acknowledged, broken = StoreClient(path), np.random.default_rng(9), 0, 0
    for _ in range(rounds):
        client.start()
        client.ask("state")
        pid = client.pid or 0
        threading.Timer(random.uniform(0.0, 0.6), os.kill, (pid, signal.SIGKILL)).start()
        try:
            while True:
                batch = made_up(random_, acknowledged * 2_000, 2_000, 1_000_000)
                client.ask("write", **batch)
                acknowledged += 1
        except StoreRefused:
            client.close()
        client.start()
        found = client.ask("state")
        kept = found["counts"]["flows"]
        if found["moved_aside"] or kept not in (acknowledged * 2_000, (acknowledged + 1) * 2_000):
            broken += 1
        acknowledged = kept // 2_000
    client.close()
    return acknowledged, broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=10_000_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--directory", type=Path, default=None)
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="netglass-history-"))
    try:
        if arguments.kills:
            batches, broken = kills(directory / "killed.duckdb", arguments.kills)
            print(
                f"{arguments.kills} kills, {batches} batches of 2,000 flows answered, {broken} rounds with something lost or damaged",
                flush=True,
            )
        else:
            _measure(directory, arguments.flows)
    finally:
        if arguments.directory is None:
            shutil.rmtree(directory)


def _measure(directory: Path, flows: int) -> None:
    history = History(Settings(data_dir=directory), Mirror())
    history_file = directory / "history.duckdb"
    client = StoreClient(history_file)
    client.start()
    flows = int(client.ask("state")["counts"].get("flows") or 0) or flows
    if not history_file.exists() or not client.ask("state")["counts"].get("flows"):
        rate = fill(client, flows)
        print(f"{rate:,.0f} rows a second, {flows / processor_seconds(client.pid):,.0f} a second of processor time")
    client.ask("checkpoint")
    used = client.ask("state")["used_bytes"]
    client.close()
    print(f"{flows:,} flows: {used / flows:.1f} bytes each, with a tenth as many DNS queries")
    for name, ask in questions(history).items():
        ask()
        times, before = [], processor_seconds(history.pid)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            ask()
            times.append(time.perf_counter() - begun)
        spent = (processor_seconds(history.pid) - before) / ROUNDS
        print(f"{statistics.median(times) * 1000:9.0f} ms, {spent * 1000:6.0f} of the processor  {name}", flush=True)
    history.last_words()


if __name__ == "__main__":
    main()
