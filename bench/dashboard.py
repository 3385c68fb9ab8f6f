"""The dashboard under load: what the first load costs on the wire, how long a table of many flows takes to follow, and many clients at once.

`python -m bench.dashboard [--flows 50000] [--seconds 300] [--clients 50]` starts the real web process over a fake sensor, which changes a tenth of its
flows each second, then drives a browser and Socket.IO clients against it. The result is a table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from bench.history import processor_seconds
from bench.listeners import Listeners
from bench.web_process import Server

ROOT: Final = Path(__file__).resolve().parents[1]
CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"]
MAP: Final = "vendor/world.js"
SETTLE_S: Final = 15.0  # until all flows have reached the mirror and the page

# In the page before anything else: how long each message of the table takes, with the drawing that follows, and the time between frames.
WATCH: Final = """
window.bench = {updates: [], frames: [], taken: 0};
const raf = window.requestAnimationFrame.bind(window);
let pending = 0;
window.requestAnimationFrame = (draw) => raf((at) => {
  const begin = performance.now();
  draw(at);
  if (pending) { window.bench.updates.push(pending + performance.now() - begin); pending = 0; }
});
const add = WebSocket.prototype.addEventListener;
const heard = (listener) => function (event) {
  const begin = performance.now();
  listener.call(this, event);
  if (typeof event.data === "string" && event.data.includes('"connections"')) { pending += performance.now() - begin; window.bench.taken += 1; }
};
WebSocket.prototype.addEventListener = function (name, listener, ...rest) { return add.call(this, name, name === "message" ? heard(listener) : listener, ...rest); };
const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", { get: own.get, set(listener) { own.set.call(this, heard(listener)); } });
let last = null;
const tick = (at) => { if (last !== null) window.bench.frames.push(at - last); last = at; raf(tick); };
raf(tick);
"""


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all are not above; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def first_load(browser: Any, url: str) -> dict[str, Any]:
    """Bytes that cross the wire until the overview stands, with and without the map, and how long until it can be used."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.requestWillBeSent", lambda e: names.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    begin = time.monotonic()
    page.goto(url)
    page.locator(".tile").first.wait_for()
    usable = time.monotonic() - begin
    page.wait_for_timeout(1500)
    by_name = {names[key].removeprefix(url): size for key, size in sizes.items()}
    page.close()
    total = sum(by_name.values())
    the_map = sum(size for name, size in by_name.items() if MAP in name)
    calls = sum(size for name, size in by_name.items() if name.startswith("api/"))
    return {"kb": (total - the_map) / 1e3, "map_kb": the_map / 1e3, "calls_kb": calls / 1e3, "requests": len(by_name), "usable_s": usable}  # fmt: skip


def table(browser: Any, url: str, seconds: float) -> dict[str, Any]:
    """The page of connections for some time: updates, frames, and the heap after a collection at the start, in the middle and at the end."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCH)
    page.goto(f"{url}#/connections")
    page.locator("#connections-table tbody tr:not([hidden])").first.wait_for()
    page.wait_for_timeout(SETTLE_S * 1000)
    session = page.context.new_cdp_session(page)
    page.evaluate("window.bench.updates.length = window.bench.frames.length = 0")
    heaps = []
    for part in range(5):
        session.send("HeapProfiler.collectGarbage")
        heaps.append(page.evaluate("performance.memory.usedJSHeapSize") / 1e6)
        if part < 4:
            page.wait_for_timeout(seconds * 250)
    found = page.evaluate("window.bench")
    rows = int(page.locator("#connections-table table").get_attribute("data-rows"))
    page.close()
    updates, frames = found["updates"], found["frames"]
    return {
        "rows": rows,
        "updates": len(updates),
        "update_ms_median": statistics.median(updates) if updates else float("nan"),
        "update_ms_p95": percentile(updates, 0.95),
        "frame_ms_p95": percentile(frames, 0.95),
        "frame_ms_p99": percentile(frames, 0.99),
        "heap_mb": heaps,
    }


OVERVIEW: Final = ({"topics": ["stats", "alert", "capture_state", "sensor_state"]},)
TABLE: Final = (*OVERVIEW, {"topics": ["connections"], "limit": 1_000})


def clients(server: Server, count: int, topics: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """`count` clients at once, all of them in one thread that decodes nothing: latency and distance of the figures, processor time of the server."""
    listeners = Listeners(server.port, count, topics)
    listeners.run(10)
    listeners.forget()
    before, own, begin = processor_seconds(server.pid), time.process_time(), time.monotonic()
    listeners.run(seconds)
    lasted = time.monotonic() - begin
    latencies, gaps = listeners.latencies, listeners.gaps
    listeners.close()
    return {
        "clients": count,
        "messages": len(latencies),
        "mb_a_second": listeners.read / lasted / 1e6,
        "latency_ms_median": statistics.median(latencies) if latencies else float("nan"),
        "latency_ms_p99": percentile(latencies, 0.99),
        "gap_s_median": statistics.median(gaps) if gaps else float("nan"),
        "gap_s_p99": percentile(gaps, 0.99),
        "server_cpu_percent": 100 * (processor_seconds(server.pid) - before) / lasted,
        "clients_cpu_percent": 100 * (time.process_time() - own) / lasted,
    }


def stalled(server: Server, count: int, seconds: float) -> dict[str, Any]:
    """Memory of the server before and after clients that ask for the largest table and stop reading."""
    listeners = Listeners(server.port, 2, ({"topics": ["connections"], "limit": 10_000},))
    listeners.run(3)
    before = server.rss_mb()
    children = [_stop_reading(server.url) for _ in range(count)]
    listeners.run(seconds)
    after = server.rss_mb()
    for child in children:
        child.kill()
        child.wait()
    listeners.close()
    return {"clients": count, "seconds": seconds, "rss_mb_before": before, "rss_mb_after": after}


def _stop_reading(url: str) -> subprocess.Popen[bytes]:
    """A client in a process of its own that subscribes and is then stopped by a signal, so that its socket fills up."""
    code = (
        "import os, signal, socketio, sys, time\n"
        "c = socketio.Client(); c.connect(sys.argv[1], transports=['websocket'])\n"
        "c.emit('subscribe', {'topics': ['connections', 'stats'], 'limit': 10000}); time.sleep(2)\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, url])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=300, help="how long the table is watched")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--mode", default="eventlet", choices=("eventlet", "threading"))
    parser.add_argument("--only", default="load,table,clients,stalled")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    found: dict[str, Any] = {
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load_before": os.getloadavg(),
        "cores": os.cpu_count(),
        "flows": arguments.flows,
    }
    directory = tempfile.TemporaryDirectory(prefix="netglass-bench-")
    server = Server(arguments.mode, False, "usual", arguments.flows, 1.0, Path(directory.name))
    try:
        time.sleep(SETTLE_S)
        if "load" in parts or "table" in parts:
            from playwright.sync_api import sync_playwright

            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                if "load" in parts:
                    found["first_load"] = first_load(browser, server.url)
                if "table" in parts:
                    found["table"] = table(browser, server.url, arguments.seconds)
                browser.close()
        if "clients" in parts:
            found["clients_overview"] = clients(server, arguments.clients, OVERVIEW, 30)
            print(json.dumps(found), file=sys.stderr)
            found["clients_table"] = clients(server, arguments.clients, TABLE, 30)
        if "stalled" in parts:
            found["stalled"] = stalled(server, 10, 60)
        found["rss_mb"] = server.rss_mb()
    finally:
        server.stop()
        directory.cleanup()
    found["load_after"] = os.getloadavg()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
