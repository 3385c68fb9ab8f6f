"""`monitor --top`: connections by rate on the full screen, with keys."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import replace
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from app.capture.opening import Stop
from app.capture.source import Source
from app.dpi.ndpi_client import NdpiClient
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from app.terminal.flow_names import FlowNames
from app.terminal.flow_rates import FlowRates
from app.terminal.keys import Keys
from app.terminal.plan import Plan
from app.terminal.statistics_text import duration_text
from app.terminal.top_table import SORTS, Named, View, chosen, flow_table, rate_text, size_text, status_line

MAX_FLOWS: Final = 1 << 16
KEPT_FACTS: Final = 1_000
ENGINE_FLOWS: Final = 2_000
_TICK: Final = 1.0
_READ_SECONDS: Final = 0.1
_MAX_NEEDLE: Final = 60
HELP: Final = "q quit · space pause · s sort · / filter · esc clear"


class TopScreen:
    """Runs until q, Ctrl+C, or the plan's count or time."""

    def __init__(
        self, plan: Plan, source: Source, stop: Stop, answers: socket.socket | None = None, keys: Keys | None = None
    ) -> None:
        self._plan = plan
        self._source = source
        self._stop = stop
        self._names = FlowNames(answers)
        self._keys = keys or Keys()
        self._engine = NdpiClient(max_flows=ENGINE_FLOWS)
        insight = Insight(patient=False, engine=self._engine if self._engine.available else None, limit=KEPT_FACTS)
        self._pipeline = Pipeline(MAX_FLOWS, insight=insight, owners=self._names.asker)
        self._rates = FlowRates(self._pipeline)
        self._console = Console(no_color=not plan.color, highlight=False)
        self.view = View()
        self._typing: str | None = None  # a filter that is being typed
        self._flows: list[Named] = []
        self._began = time.monotonic()
        self._last_tick = self._began
        self._packets_then = self._bytes_then = 0
        self._pps = self._bps = 0.0

    def run(self) -> int:
        """Always 0."""
        try:
            with self._keys, Live(console=self._console, screen=True, auto_refresh=False) as live:
                self._show(live)
                while not self._stop.asked and not self._enough():
                    self._step(live)
        finally:
            self._engine.close()
        counts = self._pipeline.counts
        print(
            f"{counts.packets:,} packets, {size_text(counts.bytes)} in {duration_text(time.monotonic() - self._began)}"
        )
        return 0

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _step(self, live: Live) -> None:
        descriptor = self._source.fileno()
        due = self._last_tick + _TICK - time.monotonic()
        poll = select.poll()
        poll.register(self._keys.descriptor, select.POLLIN)
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
        names = self._names.register(poll)
        reading_file = descriptor is None and not self._source.finished
        ready = {number for number, _ in poll.poll(0 if reading_file else max(1, int(due * 1000)))}
        pressed = self._keys.descriptor in ready and self.press(self._keys.read())
        if names in ready:
            self._names.asker.serve()
        self._read()
        self._names.asker.ask()
        if time.monotonic() - self._last_tick >= _TICK:
            self._tick()
            pressed = True
        if pressed:
            self._show(live)

    def _enough(self) -> bool:
        if self._plan.count is not None and self._pipeline.counts.packets >= self._plan.count:
            return True
        return self._plan.seconds is not None and time.monotonic() - self._began >= self._plan.seconds

    def _read(self) -> None:
        until = time.monotonic() + _READ_SECONDS
        while time.monotonic() < until and not self._source.finished:
            block = self._source.read()
            if block is not None:
                self._pipeline.feed(block)
                self._source.release(block)
            elif self._source.fileno() is not None:
                return

    def _tick(self) -> None:
        now = time.monotonic()
        seconds, self._last_tick = now - self._last_tick, now
        counts = self._pipeline.counts
        self._pps = (counts.packets - self._packets_then) / seconds
        self._bps = (counts.bytes - self._bytes_then) * 8 / seconds
        self._packets_then, self._bytes_then = counts.packets, counts.bytes
        self._names.tick()
        flows = self._rates.tick(seconds)
        if not self.view.paused and (flows or not self._source.finished):
            self._flows = [self._names.named(flow) for flow in flows]

    # -- keys and the picture -----------------------------------------------------------------------------------------

    def press(self, keys: list[str]) -> bool:
        """Act on keys; True: the picture changed."""
        if not keys:
            self._stop.asked = True  # the terminal has gone
        for key in keys:
            if self._typing is not None:
                self._type(key)
            elif key in ("q", "Q", "\x04"):
                self._stop.asked = True
            elif key in (" ", "p"):
                self.view = replace(self.view, paused=not self.view.paused)
            elif key == "s":
                names = list(SORTS)
                self.view = replace(self.view, sort=names[(names.index(self.view.sort) + 1) % len(names)])
            elif key == "/":
                self._typing = self.view.needle
            elif key == "\x1b":
                self.view = replace(self.view, needle="")
        return True

    def _type(self, key: str) -> None:
        assert self._typing is not None
        if key in ("\r", "\n"):
            self._typing = None
        elif key == "\x1b":
            self._typing = None
            self.view = replace(self.view, needle="")
        else:
            kept = self._typing[:-1] if key in ("\x7f", "\b") else self._typing + (key if key.isprintable() else "")
            self._typing = kept[:_MAX_NEEDLE]
            self.view = replace(self.view, needle=self._typing)

    def _show(self, live: Live) -> None:
        counts = self._pipeline.counts
        size = self._console.size
        flows = chosen(self._flows, self.view)
        drops = self._source.statistics().kernel_drops
        totals = (
            f"[bold]{self._plan.where}[/]  {counts.packets:,} packets  {self._pps:,.0f}/s  {rate_text(self._bps)}"
            f"  {size_text(counts.bytes)}" + (f"  [bold red]{drops:,} dropped[/]" if drops else "")
        )
        head = Text.from_markup(status_line(self.view, len(flows), len(self._flows), totals))
        foot = Text(
            f"Filter: {self._typing}▏" if self._typing is not None else HELP, "dim" if self._typing is None else "bold"
        )
        room = max(1, size.height - 5)
        table = flow_table(flows, size.width, room)
        blank = room - min(len(flows), room)
        live.update(Group(head, Text(""), table, *[Text("")] * blank, foot), refresh=True)
