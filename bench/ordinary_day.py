"""`python -m bench.ordinary_day CAPTURES LABELS`: alerts of a day of ordinary traffic.

LABELS: a JSON object, file name → {verdict, …}. The harmless Ethernet captures (verdict `benign`, or named `benign-…`) are spread over 24 hours, one beginning after the other,
as one file that `analyze` reads; the days that hosts of private networks were there are counted.
"""

from __future__ import annotations

import ipaddress
import json
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from app.capture.pcap_file import open_file
from app.model.errors import CaptureError

DAY_NS: Final = 86_400 * 10**9
START_NS: Final = 1_780_000_000 * 10**9
ETHERNET: Final = 1
LOUD: Final = frozenset({"medium", "high", "critical"})
PROJECT: Final = Path(__file__).resolve().parents[1]


def frames(path: Path) -> list[tuple[int, int, bytes]]:
    """(time, length on the wire, bytes) of the Ethernet frames; nothing where the file cannot be read."""
    found = []
    try:
        source = open_file(path)
    except CaptureError:
        return []
    while (block := source.read()) is not None or not source.finished:
        if block is None:
            continue
        for one in block.frames:
            if one["link_type"] == ETHERNET:
                start = int(one["offset"])
                data = block.data[start : start + int(one["cap_len"])].tobytes()
                found.append((int(one["ts"]), int(one["wire_len"]), data))
        source.release(block)
    source.close()
    return found


def write_day(captures: list[Path], out: Path) -> int:
    """The captures over one day, in a pcap file; how many packets."""
    day: list[tuple[int, int, bytes]] = []
    for number, path in enumerate(captures):
        held = frames(path)
        first = min((ts for ts, _, _ in held), default=0)
        begin = START_NS + number * DAY_NS // len(captures)
        day += [(begin + ts - first, wire, data) for ts, wire, data in held if ts - first < DAY_NS]
    day.sort(key=lambda one: one[0])
    with out.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, ETHERNET))
        for ts, wire, data in day:
            file.write(struct.pack("<IIII", *divmod(ts, 10**9), len(data), wire) + data)
    return len(day)


def main(arguments: list[str]) -> int:
    folder, labels = Path(arguments[0]), json.loads(Path(arguments[1]).read_text())
    chosen = sorted(
        folder / name
        for name, label in labels.items()
        if not label.get("attacks") and (label["verdict"] == "benign" or name.startswith("benign-"))
    )
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "day.pcap"
        packets = write_day(chosen, out)
        command = [sys.executable, "-m", "app", "analyze", "--json", str(out)]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    document = json.loads(said)
    ends = {flow[end] for flow in document["flows"] for end in ("src_ip", "dst_ip") if flow.get(end)}
    hosts = [one for one in ends if ipaddress.ip_address(one).is_private and not ipaddress.ip_address(one).is_multicast]
    loud = [one for one in document["alerts"] if one["severity"] in LOUD]
    rules = Counter(one["rule"] for one in document["alerts"])
    print(
        f"{len(chosen)} captures, {packets} packets, {len(hosts)} hosts of private networks, {len(document['alerts'])} alerts"
    )
    print(f"medium or more: {len(loud)}, {len(loud) / max(1, len(hosts)):.2f} per host and day; {dict(rules)}")
    for one in loud:
        print(f"{one['rule']}: {one['reason']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
