"""`python -m bench.attribution`: does every connection get the program that made it? Right, unknown and wrong per kind, in namespaces of our own.

The program itself runs (broker, sensor, web process) and captures on a veth pair and on loopback; connections are made in and out of a second network
namespace by processes that say who they are (`attribution_traffic`), and looked up in `/api/connections`. `--write` renews docs/attribution.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
TRAFFIC: Final = Path(__file__).with_name("attribution_traffic.py")
DOCUMENT: Final = ROOT / "docs" / "attribution.md"
HERE, THERE = {"4": "10.91.0.1", "6": "fd91::1"}, {"4": "10.91.0.2", "6": "fd91::2"}
ELSEWHERE: Final = "10.91.0.77"  # nobody
LOOPBACK: Final = {"4": "127.0.0.1", "6": "::1"}
HOLDS_MS: Final = (0, 5, 50, 300, 1200)
READY_SECONDS: Final = 400.0  # compiling the kernels, where nobody has yet
SETTLE_SECONDS: Final = 4.0
TOKEN: Final = "bench-" + "0" * 32
# Frame bytes around a payload on Ethernet: the IP header by version; UDP's; TCP's with time stamps, and what the two SYNs have more.
IP_HEADERS: Final = {"4": 14 + 20, "6": 14 + 40}
UDP_HEADER, TCP_HEADER, SYNS_MORE = 8, 32, 16


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of connection."""

    name: str
    proto: str
    version: str
    direction: str  # out: made here; in: made in the other namespace, served here; there: made there, looked for there; loopback
    kind: str
    hold_ms: int


@dataclass(slots=True)
class Score:
    right: int = 0
    unknown: int = 0
    wrong: int = 0
    missing: int = 0  # not among the connections at all
    bytes_seen: int = 0  # of the right ones, both directions
    bytes_sent: int = 0  # as their processes counted them, with headers
    methods: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.right + self.unknown + self.wrong + self.missing


def cells(holds: Sequence[int] = HOLDS_MS, extras: bool = True) -> list[Cell]:
    """The matrix."""
    found = [
        Cell(f"{proto} IPv{version} {direction}, {hold} ms", proto, version, direction, "plain", hold)
        for proto in ("tcp", "udp")
        for version in ("4", "6")
        for direction in ("out", "in")
        for hold in holds
    ]
    if not extras:
        return found
    for proto in ("tcp", "udp"):
        for version in ("4", "6"):
            found.append(Cell(f"{proto} IPv{version} forked, gone at once", proto, version, "out", "forked", 0))
        found.append(Cell(f"{proto} threads", proto, "4", "out", "threads", 0))
        found.append(Cell(f"{proto} exec after connect", proto, "4", "out", "executed", 50))
        found.append(Cell(f"{proto} from another namespace", proto, "4", "there", "plain", 50))
        found.append(Cell(f"{proto} from another namespace, gone at once", proto, "6", "there", "forked", 0))
        found.append(Cell(f"{proto} loopback, the end that began", proto, "4", "loopback", "plain", 5))
        found.append(Cell(f"{proto} loopback, the other end", proto, "6", "loopback-peer", "plain", 5))
    found.append(Cell("udp IPv4 sendmmsg", "udp", "4", "out", "many", 0))
    found.append(Cell("udp IPv6 sendmmsg", "udp", "6", "out", "many", 0))
    found.append(Cell("udp raw socket", "udp", "4", "out", "raw", 5))
    return found


class Server:
    """An echo server in a namespace ("" = ours)."""

    def __init__(self, namespace: str, host: str) -> None:
        self.process = subprocess.Popen(
            [*_inside(namespace), sys.executable, str(TRAFFIC), "server", host],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ports = json.loads(self.process.stdout.readline())
        self.ports: dict[str, int] = {"tcp": ports["tcp"], "udp": ports["udp"]}
        self.pid: int = ports["pid"]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _inside(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace] if namespace else []


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def place(prefix: str = "ng-bench") -> Iterator[tuple[str, str]]:
    """(namespace, our end of the veth pair)."""
    namespace, near = f"{prefix}-{os.getpid()}", f"ngb{os.getpid() % 100_000}"
    _ip("netns", "add", namespace)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", namespace)
        for family, length in (("4", "24"), ("6", "64")):
            extra = ["nodad"] if family == "6" else []
            _ip("address", "add", f"{HERE[family]}/{length}", "dev", near, *extra)
            _ip("-n", namespace, "address", "add", f"{THERE[family]}/{length}", "dev", "far", *extra)
        _ip("link", "set", near, "up")
        _ip("-n", namespace, "link", "set", "far", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        time.sleep(0.3)
        yield namespace, near
    finally:
        subprocess.run(["ip", "link", "del", near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)


class Program:
    """Netglass itself, started like a user does."""

    def __init__(self, interfaces: str, port: int, data: Path, attribution: str) -> None:
        environment = {
            **os.environ,
            "PORT": str(port),
            "INTERFACE": interfaces,
            "DATA_DIR": str(data),
            "EXPORT_DIR": str(data / "exports"),
            "AUTH_TOKEN": TOKEN,
            "ATTRIBUTION": attribution,
            "LOG_LEVEL": "WARNING",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "wsgi.py")],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"Netglass is at (\S+)", line)
            if found:
                self.url = found[1].split("?")[0].rstrip("/")
                break

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self) -> None:
        """Until it captures."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.get("/api/capture").get("state") == "running":
                    return
            time.sleep(0.5)
        raise RuntimeError("the capture did not start")

    def descendants(self) -> dict[str, int]:
        """Our processes by name: web, broker, sensor."""
        found = {"web": self.process.pid}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if b"app.broker" in command and parent == self.process.pid:
                    found["broker"] = int(entry.name)
                if b"app.sensor" in command and b"--link" in command and parent == found.get("broker", parent):
                    found["sensor"] = int(entry.name)
        return found

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Servers:
    """Echo servers by (place, IP version); place: here, there, loopback."""

    all: dict[tuple[str, str], Server]

    def target(self, cell: Cell) -> tuple[str, str, Server]:
        """(namespace side of the client, host, server) of a cell."""
        if cell.direction == "out":
            return "here", THERE[cell.version], self.all["there", cell.version]
        if cell.direction.startswith("loopback"):
            return "here", LOOPBACK[cell.version], self.all["loopback", cell.version]
        return "there", HERE[cell.version], self.all["here", cell.version]


def run_cell(cell: Cell, servers: Servers, namespace: str, count: int) -> list[dict[str, Any]]:
    """Makes the connections of a cell; what the processes said of them, `pid` being the one that is asked for."""
    side, host, server = servers.target(cell)
    command = [sys.executable, str(TRAFFIC), "client", cell.kind, cell.proto, host, str(server.ports[cell.proto]), str(count), str(cell.hold_ms)]  # fmt: skip
    done = subprocess.run(
        [*_inside(namespace if side == "there" else ""), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    if cell.direction in ("in", "loopback-peer"):
        said = [{**one, "pid": server.pid} for one in said]
    return said


def _endpoint(pair: Sequence[Any]) -> str:
    return f"[{pair[0]}]:{pair[1]}" if ":" in str(pair[0]) else f"{pair[0]}:{pair[1]}"


def judge(cell: Cell, said: list[dict[str, Any]], known: dict[tuple[str, str, str], dict[str, Any]]) -> Score:
    """Holds what the processes said against /api/connections."""
    score = Score()
    peer = cell.direction in ("there", "loopback-peer")
    for one in said:
        local, remote = _endpoint(one["local"]), _endpoint(one["remote"])
        row = known.get((one["proto"], local, remote)) or known.get((one["proto"], remote, local))
        if row is None:
            score.missing += 1
            continue
        pid = row["peer_pid"] if peer else row["pid"]
        attribution = row["attribution"] or {}
        if pid is None:
            score.unknown += 1
            reason = str(attribution.get("reason"))
            score.reasons[reason] = score.reasons.get(reason, 0) + 1
        elif pid == one["pid"]:
            score.right += 1
            if cell.kind != "raw":  # its answers reach no socket, so nobody counted them
                score.bytes_seen += row["bytes_sent"] + row["bytes_recv"]
                score.bytes_sent += one["sent"] + one["recv"] + headers(cell, row["packets_sent"] + row["packets_recv"])
            method = str(attribution.get("method"))
            score.methods[method] = score.methods.get(method, 0) + 1
        else:
            score.wrong += 1
    return score


def headers(cell: Cell, packets: int) -> int:
    """Frame bytes that are not payload."""
    each = IP_HEADERS[cell.version] + (TCP_HEADER if cell.proto == "tcp" else UDP_HEADER)
    return packets * each + (SYNS_MORE if cell.proto == "tcp" else 0)


def connections(program: Program) -> dict[tuple[str, str, str], dict[str, Any]]:
    rows: list[dict[str, Any]] = program.get("/api/connections?limit=10000")
    return {(row["protocol"], row["local_address"], row["remote_address"]): row for row in rows}


def matrix(chosen: Sequence[Cell], count: int, attribution: str, data: Path, port: int = 8190) -> dict[str, Any]:
    """Runs all cells under one mode; `{scores: {cell: Score}, …}` with CPU use and byte sums."""
    with place() as (namespace, near), contextlib.ExitStack() as stack:
        program = Program(f"{near},lo", port, data, attribution)
        stack.callback(program.close)
        program.wait()
        servers = Servers({})
        for version in ("4", "6"):
            servers.all["here", version] = Server("", HERE[version])
            servers.all["there", version] = Server(namespace, THERE[version])
            servers.all["loopback", version] = Server("", LOOPBACK[version])
        for server in servers.all.values():
            stack.callback(server.close)
        said = {cell: run_cell(cell, servers, namespace, count) for cell in chosen}
        said = distinct(said)
        time.sleep(SETTLE_SECONDS)
        known = connections(program)
        scores = {cell.name: judge(cell, said[cell], known) for cell in chosen}
        state = program.get("/api/programs?limit=1")["attribution"]
        return {"scores": scores, "state": state, "connections": sum(len(one) for one in said.values())}


def distinct(said: dict[Cell, list[dict[str, Any]]]) -> dict[Cell, list[dict[str, Any]]]:
    """Without datagrams whose ports another process used again within the run: to everybody but the two they are one flow."""
    ends = Counter((one["proto"], *one["local"], *one["remote"]) for lines in said.values() for one in lines)
    return {
        cell: [one for one in lines if ends[(one["proto"], *one["local"], *one["remote"])] == 1]
        for cell, lines in said.items()
    }


def load(rate: int, seconds: float, attribution: str, data: Path, port: int = 8190) -> dict[str, float]:
    """CPU of broker and sensor in percent of a core, idle and while `rate` new flows a second begin: datagrams to a neighbour that is not on this
    machine, each from a socket of its own that is closed at once."""
    with place() as (_, near), contextlib.ExitStack() as stack:
        program = Program(near, port, data, attribution)
        stack.callback(program.close)
        program.wait()
        _ip("neighbour", "add", ELSEWHERE, "lladdr", "02:00:00:00:00:77", "dev", near, "nud", "permanent")
        time.sleep(3)
        ours = program.descendants()

        def measure(pause: float) -> dict[str, float]:
            before = {name: cpu_seconds(pid) for name, pid in ours.items()}
            begun = time.monotonic()
            time.sleep(pause)
            spent = time.monotonic() - begun
            return {name: 100 * (cpu_seconds(pid) - before[name]) / spent for name, pid in ours.items()}

        idle = measure(seconds)
        code = (
            "import socket,time\n"
            f"due=time.monotonic()\nfor n in range({int(rate * (seconds + 2))}):\n"
            f"  s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.connect(('{ELSEWHERE}',1000+n%60000));s.send(b'x'*200)\n"
            f"  s.close();due+=1/{rate};time.sleep(max(0,due-time.monotonic()))\n"
        )
        client = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(1)
        busy = measure(seconds)
        client.wait()
        return {
            f"{name}_{what}": round(value, 2)
            for what, values in (("idle", idle), ("busy", busy))
            for name, value in values.items()
        }


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """Markdown rows: cell, then right / unknown / wrong for each mode."""
    modes = list(results)
    lines = ["| connections | " + " | ".join(f"{mode}: right / unknown / wrong" for mode in modes) + " |"]
    lines.append("|---|" + "---|" * len(modes))
    for name in results[modes[0]]["scores"]:
        columns = []
        for mode in modes:
            one: Score = results[mode]["scores"][name]
            note = f" ({one.missing} not seen)" if one.missing else ""
            columns.append(f"{one.right} / {one.unknown} / {one.wrong}{note}")
        lines.append(f"| {name} | " + " | ".join(columns) + " |")
    totals = []
    for mode in modes:
        scores = results[mode]["scores"].values()
        right, total = sum(one.right for one in scores), sum(one.total for one in scores)
        totals.append(
            f"**{100 * right / max(total, 1):.1f} % of {total} right, {sum(one.wrong for one in scores)} wrong**"
        )
    lines.append("| **all** | " + " | ".join(totals) + " |")
    for mode in modes:
        off = [
            abs(one.bytes_seen - one.bytes_sent) / one.bytes_sent
            for one in results[mode]["scores"].values()
            if one.bytes_sent
        ]
        if off:
            worst = f"{100 * max(off):.2f} %"
            lines += [
                "",
                f"Bytes of the programs, {mode}, against what they counted and headers: at most {worst} off in any kind.",
            ]
    return lines


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.attribution", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="connections of each kind")
    parser.add_argument("--modes", default="1,sockets", help="values of ATTRIBUTION, separated by commas")
    parser.add_argument("--rate", type=int, default=0, help="also measure CPU at so many new flows a second")
    parser.add_argument("--data", type=Path, help="data directory, to find compiled kernels again")
    parser.add_argument("--write", action="store_true", help="put the table into docs/attribution.md")
    arguments = parser.parse_args(argv)
    names = {"1": "with tracing", "sockets": "sockets only", "0": "off"}
    with tempfile.TemporaryDirectory(prefix="netglass-bench-") as temporary:
        data = arguments.data or Path(temporary)
        results = {}
        for mode in filter(None, arguments.modes.split(",") if arguments.count else []):
            results[names[mode]] = matrix(cells(), arguments.count, mode, data)
            print(json.dumps(results[names[mode]]["state"]), file=sys.stderr)
            for name, one in results[names[mode]]["scores"].items():
                if one.right < one.total:
                    print(f"{mode}: {name}: {one}", file=sys.stderr)
        lines = table(results) if results else []
        for mode in [*arguments.modes.split(","), "0"] if arguments.rate else []:
            used = load(arguments.rate, 8.0, mode, data)
            words = ", ".join(f"{name} {value} %" for name, value in used.items())
            lines += ["", f"CPU at {arguments.rate} new flows a second, {names[mode]}: {words} of a core."]
    print("\n".join(lines))
    if arguments.write:
        text = DOCUMENT.read_text()
        begin, end = "<!-- matrix -->\n", "<!-- /matrix -->"
        head, _, rest = text.partition(begin)
        DOCUMENT.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
