"""What of a flow only other sources can tell: its program, asked of a process that may know, and the country of its remote end, from the bundled database."""

from __future__ import annotations

import select
import socket
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

from app.attribution.asker import Asker
from app.enrich.country import read_countries
from app.enrich.scope import scope
from app.model.errors import NetglassError
from app.terminal.flow_rates import TopFlow
from app.terminal.top_table import Named

REMEMBERED: Final = 20_000  # flows with a known program


class FlowNames:
    """`asker` goes into the pipeline; `serve` when the socket is readable, `tick` once a second."""

    def __init__(self, sock: socket.socket | None) -> None:
        self.asker = Asker(sock)
        self.asker.live = sock is not None
        self._names: dict[int, str] = {}  # process → name
        self._programs: OrderedDict[int, str] = OrderedDict()  # flow → name
        try:
            self._countries: Any = read_countries()
        except (OSError, ValueError, NetglassError):
            self._countries = None  # no database: no country
        self._country = lru_cache(maxsize=4096)(self._look_up)

    def register(self, poll: select.poll) -> int | None:
        """What to wait for; its number."""
        number = self.asker.fileno()
        if number is not None:
            poll.register(number, select.POLLIN | (select.POLLOUT if self.asker.wants_write else 0))
        return number

    def tick(self) -> None:
        self.asker.tick()
        self.asker.ask()
        said = self.asker.drain()
        for process in said["processes"]:
            self._names[process["process"]] = process["name"]
        for flow_id, _, _, _, *ends in said["owners"]:
            name = next((self._names[end[0]] for end in ends if end and end[0] in self._names), None)
            if name is not None:
                self._programs[flow_id] = name
                if len(self._programs) > REMEMBERED:
                    self._programs.popitem(last=False)

    def named(self, flow: TopFlow) -> Named:
        """The flow with what is known of it now."""
        country = self._country(flow.dst_address) or self._country(flow.src_address)
        return Named(flow, self._programs.get(flow.flow_id), country)

    def _look_up(self, address: str) -> str | None:
        if self._countries is None or scope(address) != "global":
            return None
        place = self._countries.place(address)
        return place.country if place is not None else None
