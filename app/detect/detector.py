"""What a detector is: what it declares, what it is shown, how it speaks. See docs/detectors.md."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.detect.batch import Batch, Indices
from app.detect.context import Context
from app.detect.rule import Knob, Rule
from app.dpi.facts import Fact
from app.flow.contacts import Contact
from app.model.alert import MAX_FLOW_IDS, MAX_TEXT, Detection, Evidence, Severity
from app.stats.bounded import BoundedMap


def attempts_evidence(contact: Contact) -> tuple[Evidence, ...]:
    """Some of the packets that a row was made from."""
    return tuple(Evidence(number, ts) for number, ts in contact.packets)


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_REPEATS: Final = 8192  # things of which a detector counts how often they came
MOST_WAITING: Final = 2048  # rows of the contact tables whose answers are waited for
# For answers, while attempts go on: by then only those to the newest ones can be under way.
LONGEST_WAIT_NS: Final = 2_000_000_000


class Detector:
    """A detector of one capture; a new one is made for the next. Subclasses declare, and override what they need of the `on_` methods.

    Everything is told in the order of the capture's clock: packets of a second, the facts read in them, flows, then the tick. A detector that raises an
    exception is counted, and switched off when it does so again and again; the capture goes on.
    """

    name: ClassVar[str]  # unique; settings and statistics know the detector by it
    rules: ClassVar[tuple[Rule, ...]]
    knobs: ClassVar[tuple[Knob, ...]] = ()
    selections: ClassVar[
        tuple[str, ...]
    ] = ()  # of `app.detect.batch`: on_packets is called when one of them is not empty
    facts: ClassVar[tuple[type, ...]] = ()  # of `app.dpi.facts`: on_fact is called with these
    contacts: ClassVar[tuple[str, ...]] = ()  # of `app.flow.contacts`: on_contact is called with rows of these tables
    wants_flows: ClassVar[bool] = False

    def __init__(
        self, context: Context, say: Callable[[Detection], None], knobs: Mapping[str, float] | None = None
    ) -> None:
        self.context = context
        self._say = say
        self.rationed = 0  # packets that nobody had the time to look at
        self._repeats: BoundedMap[Any, int] | None = None
        self._awaited: BoundedMap[tuple[str, int, int], tuple[int, int]] | None = None  # (since, asked last)
        self._rations: dict[str, list[int]] = {}
        turned = knobs or {}
        self._knob = {knob.name: float(turned.get(knob.name, knob.default)) for knob in self.knobs}
        self._rule = {rule.name: rule for rule in self.rules}
        self.begin()

    # -- to override ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the state; `knob` and `bounded` are ready."""

    def on_packets(self, batch: Batch) -> None:
        """Packets of one second at most."""

    def on_fact(self, fact: Fact) -> None:
        """One fact of the declared types, as soon as it is read."""

    def on_contact(self, table: str, contact: Contact) -> None:
        """Once a second: a row of the contact tables that changed and has several items, or many attempts in a second."""

    def on_flows(self, changed: NDArray[np.void], ended: NDArray[np.void]) -> None:
        """FLOW rows about once a second: flows that changed (or began) and flows that ended since. A flow that is in `ended` is in no later `changed`."""

    def on_tick(self, now_ns: int) -> None:
        """A second of the capture's clock is over. Seconds without packets may be passed over, so compare times; do not count ticks."""

    def on_end(self, now_ns: int) -> None:
        """The capture is over: say what is still held back."""

    # -- to use ----------------------------------------------------------------------------------------------------------

    def knob(self, name: str) -> float:
        return self._knob[name]

    def wait(self, table: str, contact: Contact, ns: int = 1_500_000_000) -> bool:
        """True while answers to the last attempt may be under way, and for LONGEST_WAIT_NS where attempts go on; the row is then shown again."""
        contacts = self.context.contacts
        if self._awaited is None:
            self._awaited = self.bounded(MOST_WAITING)
        key, now = (table, contact.slot, contact.first), self.context.now_ns
        since, asked = self._awaited.get(key) or (now, now)
        if now - asked > LONGEST_WAIT_NS:  # what was waited for then has come
            since = now
        if self.context.ending or contacts is None or now - contact.last >= ns or now - since >= LONGEST_WAIT_NS:
            self._awaited.pop(key)
            return False
        self._awaited[key] = since, now
        contacts.again(table, contact)
        return True

    def told(self, table: str, contact: Contact, value: int) -> None:
        """Remember what has been said of a row: its `told` from now on."""
        if self.context.contacts is not None:
            self.context.contacts.tell(table, contact, value)

    def ration(self, name: str, batch: Batch, indices: Indices, most: int) -> Indices:
        """The first of `indices`, so that not more than `most` are looked at one by one in a second of the capture's clock; the rest is counted in `rationed`."""
        second = batch.now_ns // 1_000_000_000
        spent = self._rations.get(name)
        if spent is None or spent[0] != second:
            spent = self._rations[name] = [second, most]
        allowed = indices[: spent[1]]
        spent[1] -= len(allowed)
        self.rationed += len(indices) - len(allowed)
        return allowed

    def repeats(self, key: Hashable) -> int:
        """How often `key` came, with this time, where that is worth saying: the first time, and each time it has doubled. 0 otherwise."""
        if self._repeats is None:
            self._repeats = self.bounded(MOST_REPEATS, int)
        count = self._repeats[key] + 1
        self._repeats[key] = count
        return 0 if count & (count - 1) else count

    def bounded(
        self, capacity: int, make: Callable[[], V] | None = None, keep: Callable[[V], bool] | None = None
    ) -> BoundedMap[Any, V]:
        """State by key with a bound; what it loses is counted with the rest."""
        made: BoundedMap[Any, V] = BoundedMap(capacity, make, keep)
        self.context.maps.append(made)
        return made

    def alert(
        self,
        rule: str,
        reason: str,
        ts: int,
        source: str | None,
        target: str | None,
        *,
        confidence: float,
        severity: Severity | None = None,
        title: str | None = None,
        fold: tuple[object, ...] | None = None,
        measured: float | None = None,
        threshold: float | None = None,
        unit: str | None = None,
        protocol: str | None = None,
        flow_ids: Sequence[int] = (),
        evidence: Sequence[Evidence] = (),
        details: dict[str, Any] | None = None,
    ) -> None:
        """Say it. `fold`: what makes a repeat; without it source and target."""
        declared = self._rule[rule]
        self._say(
            Detection(
                rule=rule,
                title=title or declared.title,
                severity=severity or declared.severity,
                confidence=min(max(confidence, 0.0), 1.0),
                reason=reason[:MAX_TEXT],
                ts=ts,
                source=source,
                target=target,
                fold=(source, target) if fold is None else fold,
                measured=measured,
                threshold=threshold,
                unit=unit,
                mitre=declared.mitre,
                protocol=protocol,
                flow_ids=tuple(flow_ids[:MAX_FLOW_IDS]),
                evidence=tuple(evidence[:MAX_FLOW_IDS]),
                details=details or {},
            )
        )
