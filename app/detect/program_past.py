"""Programs that were never seen with a connection, and programs that turn to a country where they never were: against what was learnt on this machine.

What is seen while learning is what is usual; the memory outlives the process. A program that goes to many countries (a browser, a peer-to-peer program) is told of no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.detect.anomalies import Connection, ends
from app.detect.connection_detector import HOUR, ConnectionDetector, program_of
from app.detect.rule import Knob, Rule

MOST_PROGRAMS: Final = 5_000
MOST_COUNTRIES: Final = 64

Program = tuple[str, str, str]


@dataclass(slots=True)
class Past:
    """One program: when it was first seen, and in which countries."""

    first: int = 0
    countries: dict[str, int] = field(default_factory=dict)  # → first time, ns


class ProgramPast(ConnectionDetector):
    name = "program_past"
    kept = "program_past.json"
    rules = (
        Rule(
            "new_program",
            "New program with a connection",
            "low",
            "A program that never had a connection on this machine before opened or took one.",
            "Programs that were just installed or updated to another path.",
            "See whether you know it, where it lies, and which program started it.",
            "T1204.002",
        ),
        Rule(
            "new_country",
            "New destination country of a program",
            "low",
            "A program opened a connection to a country to which it had none before, and it has few.",
            "Content networks answer from another place; makers move their servers; you are travelling.",
            "Look at the owner of the address. An updater or a service that suddenly talks to another part of the world is worth a look.",
            "T1071",
        ),
    )
    knobs = (
        Knob("learning_h", 24, "h", "A day shows what starts with the machine, what runs at night and what is used daily."),
        Knob("most_countries", 6, "countries", "Programs with one purpose have servers in one to four; browsers and peer-to-peer programs soon pass this."),
    )  # fmt: skip

    def begin(self) -> None:
        self._learning = int(self.knob("learning_h") * HOUR)
        self._programs = self.bounded(MOST_PROGRAMS, Past, lambda past: len(past.countries) > 0)
        self._began = 0  # the first look of all
        self._changed = False

    def on_connections(self, connections: Sequence[Connection], now_ns: int) -> None:
        if not self._began:
            self._began, self._changed = now_ns, True
        for connection in connections:
            program = program_of(connection)
            if program is None:
                continue
            past = self._programs[program]
            if not past.first:
                past.first, self._changed = now_ns, True
                self._program(connection, program, now_ns)
            country = connection.get("country")
            if country and connection.get("direction") == "outbound" and country not in past.countries:
                self._country(connection, program, past, str(country), now_ns)

    def _program(self, connection: Connection, program: Program, now_ns: int) -> None:
        watched = now_ns - self._began
        if watched < self._learning:
            return
        where = f" ({program[1]})" if program[1] else ""
        self._tell(
            "new_program",
            f"{program[0]}{where} has a connection for the first time in {watched / HOUR:.0f} h of watching; "
            f"the limit is {self.knob('learning_h'):g} h.",
            connection,
            (program,),
            now_ns,
            watched / HOUR,
            self.knob("learning_h"),
            "h",
        )

    def _country(self, connection: Connection, program: Program, past: Past, country: str, now_ns: int) -> None:
        known = len(past.countries)
        if known < MOST_COUNTRIES:
            past.countries[country], self._changed = now_ns, True
        if not 0 < known <= self.knob("most_countries") or now_ns - past.first < self._learning:
            return
        named = connection.get("country_name") or country
        before = ", ".join(sorted(past.countries.keys() - {country}))
        self._tell(
            "new_country",
            f"{program[0]} turned to {named} for the first time; in {(now_ns - past.first) / HOUR:.0f} h it had turned to {known} "
            f"other{'s' if known != 1 else ''} ({before}), and programs with more than {self.knob('most_countries'):g} are not told of.",
            connection,
            (program, country),
            now_ns,
            known + 1,
            known,
            "countries",
        )

    def _tell(
        self,
        rule: str,
        reason: str,
        connection: Connection,
        fold: tuple[object, ...],
        now_ns: int,
        measured: float,
        threshold: float,
        unit: str,
    ) -> None:
        local, remote = ends(connection)
        self.alert(
            rule,
            reason,
            now_ns,
            local,
            remote,
            confidence=0.7 if rule == "new_program" else 0.5,
            fold=fold,
            measured=round(measured, 1),
            threshold=threshold,
            unit=unit,
            protocol=connection.get("protocol"),
            flow_ids=(int(connection["flow_id"]),),
            details={"program": program_of(connection), "country": connection.get("country")},
        )

    # -- what outlives the process ---------------------------------------------------------------------------------------

    def learnt(self) -> Any:
        if not self._changed:
            return None
        self._changed = False
        programs = [[*program, past.first, past.countries] for program, past in self._programs.items()]
        return {"began": self._began, "programs": programs}

    def remember(self, document: Any) -> None:
        self._began = int(document["began"])
        for name, path, container, first, countries in document["programs"][-MOST_PROGRAMS:]:
            seen = {str(country): int(ns) for country, ns in list(countries.items())[:MOST_COUNTRIES]}
            self._programs[str(name), str(path), str(container)] = Past(int(first), seen)
