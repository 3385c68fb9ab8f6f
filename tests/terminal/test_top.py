"""The full-screen view: rates from counters, order, filter, and widths."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from app.capture.opening import Stop
from app.capture.pcap_file import open_file
from app.sensor.pipeline import Pipeline
from app.terminal.flow_rates import FlowRates, TopFlow
from app.terminal.keys import Keys
from app.terminal.plan import Plan
from app.terminal.top_screen import TopScreen
from app.terminal.top_table import SORTS, Named, View, chosen, flow_table, rate_text, size_text

CAPTURES = Path(__file__).parents[1] / "data" / "captures"


def flow(flow_id, **fields):
    made = {
        "protocol": "tcp", "src": "10.0.0.1:50000", "dst": f"192.0.2.{flow_id}:443", "app": "TLS", "host": None, "bps": 1000.0 * flow_id,
        "pps": 10.0 / flow_id, "sent_bytes": 10, "received_bytes": 100 - flow_id, "packets": 3, "start_ns": flow_id, "src_address": "10.0.0.1", "dst_address": f"192.0.2.{flow_id}",
    }  # fmt: skip
    return Named(TopFlow(flow_id=flow_id, **{**made, **fields}))


def test_rates_are_differences():
    pipeline = Pipeline(1024)
    rates = FlowRates(pipeline)
    source = open_file(CAPTURES / "app-ftp-ipv4.pcap")
    block = source.read()
    pipeline.feed(block)
    first = {one.flow_id: one for one in rates.tick(2.0)}
    assert sum(one.bps for one in first.values()) * 2 / 8 == pipeline.counts.bytes
    assert rates.tick(1.0) == []
    source.close()


@pytest.mark.parametrize(("sort", "first"), [("rate", 3), ("packets", 1), ("bytes", 1), ("newest", 3), ("host", 1)])
def test_orders(sort, first):
    assert chosen([flow(2), flow(3), flow(1)], View(sort))[0].flow.flow_id == first


def test_the_filter_looks_at_the_whole_line():
    flows = [flow(1, host="example.org"), Named(flow(2).flow, program="curl"), flow(3)]
    assert [named.flow.flow_id for named in chosen(flows, View(needle="EXAMPLE"))] == [1]
    assert [named.flow.flow_id for named in chosen(flows, View(needle="curl"))] == [2]
    assert chosen(flows, View(needle="nothing")) == []


@pytest.mark.parametrize("width", [80, 110, 160])
def test_it_fits(width):
    hostile = flow(1, host="\x1b[2J[bold]" + "x" * 300, src="[2001:db8:1111:2222:3333:4444:5555:6666]:50000", bps=1e15)
    out = io.StringIO()
    Console(file=out, width=width).print(flow_table([hostile, flow(2)], width, 5))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert "\x1b" not in out.getvalue()
    assert "[bold]" in out.getvalue()


def test_sizes_and_rates():
    assert [rate_text(n) for n in (0, 12_300, 999_600, 2.5e9)] == ["0 b/s", "12.3 kb/s", "1.0 Mb/s", "2.5 Gb/s"]
    assert [size_text(n) for n in (0, 999, 1_500, 12_345_678)] == ["0 B", "999 B", "1.5 kB", "12.3 MB"]


class NoKeys:
    descriptor = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"\x1bq", ["\x1b", "q"]),  # both pressed before a busy machine looked
        (b"\x1b", ["\x1b"]),
        (b"s\x1b[A\x1bOPs", ["s", "\0", "\0", "s"]),
        (b"\x1b[1;5C", ["\0"]),
        ("ä/".encode(), ["ä", "/"]),
        (b"", []),
    ],
)
def test_keys_that_wait_together(typed, keys):
    read, write = os.pipe()
    os.write(write, typed)
    os.close(write)
    assert Keys(read).read() == keys
    os.close(read)


def test_keys():
    source = open_file(CAPTURES / "app-ftp-ipv4.pcap")
    with Stop() as stop:
        screen = TopScreen(Plan(file="x", top=True), source, stop, keys=NoKeys())
        for _ in SORTS:
            screen.press(["s"])
        assert screen.view == View()
        screen.press(list("s/ab\x7fc\n p"))
        assert screen.view == View("packets", "ac", False)
        screen.press(["\x1b"])
        assert screen.view.needle == ""
        screen.press([" "])
        assert screen.view.paused
        assert not stop.asked
        screen.press(["q"])
        assert stop.asked
        screen._engine.close()
    source.close()
