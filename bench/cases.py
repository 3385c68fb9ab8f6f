"""Generated cases: attacks as tools make them, and harmless traffic that looks like them. `python -m bench.cases` says which are found, and which harmless ones cry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from app.detect.engine import Engine
from app.model.alert import Alert
from app.sensor.insight import Insight
from app.sensor.pipeline import Pipeline
from app.wire.block import Block
from app.wire.records import FRAME_DTYPE
from bench.case_frames import Timed

START_NS: Final = 1_700_000_000 * 10**9
AT_ONCE: Final = 1000  # frames of a block


class Case(NamedTuple):
    """`rules`: one of which has to be raised, of any severity; none: nothing of medium severity or more may be."""

    name: str
    rules: tuple[str, ...]
    who: str | None  # source or target of the alert; None: it has none
    frames: Callable[[], list[Timed]]


def all_cases() -> Iterator[Case]:
    """Of all modules; a new one is a line here."""
    from bench import cases_floods, cases_guessing, cases_harmless, cases_names, cases_overload, cases_scans, cases_talk

    for module in (cases_scans, cases_floods, cases_overload, cases_talk, cases_guessing, cases_names, cases_harmless):
        yield from module.CASES


def alerts_of(case: Case) -> list[Alert]:
    """What the detectors say of a case."""
    timed = sorted(case.frames(), key=lambda one: one[0])
    engine = Engine()
    pipeline = Pipeline(1 << 15, insight=Insight(patient=True), detection=engine)
    for start in range(0, len(timed), AT_ONCE):
        pipeline.feed(_block(timed[start : start + AT_ONCE]))
    pipeline.close_tick()
    pipeline.finish()
    if engine.failures:
        raise RuntimeError(f"detectors failed: {engine.failures}")
    return engine.folding.alerts()


def judge(case: Case, alerts: list[Alert]) -> str | None:
    """What is wrong; None where all is as it should be."""
    said = [(alert.detection.rule, alert.detection.severity) for alert in alerts]
    if not case.rules:
        loud = [alert.detection.reason for alert in alerts if alert.detection.severity != "low"]
        return f"cries: {loud[:3]}" if loud else None
    named = [alert for alert in alerts if alert.detection.rule in case.rules]
    if not named:
        return f"missed, said {said[:5]}"
    if case.who is not None and not any(case.who in f"{a.detection.source} {a.detection.target}" for a in named):
        return f"{case.who} is not named: {[(a.detection.source, a.detection.target) for a in named[:3]]}"
    return None


def _block(timed: list[Timed]) -> Block:
    records = np.zeros(len(timed), FRAME_DTYPE)
    sizes = [len(frame) for _, frame in timed]
    records["offset"] = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    records["cap_len"] = records["wire_len"] = sizes
    records["link_type"] = 1
    records["ts"] = [START_NS + int(at * 1e9) for at, _ in timed]
    return Block(np.frombuffer(b"".join(frame for _, frame in timed), np.uint8).copy(), records)


def main() -> int:
    cases = list(all_cases())
    wrong = 0
    for case in cases:
        problem = judge(case, alerts_of(case))
        if problem is not None:
            wrong += 1
            print(f"{case.name}: {problem}")
    print(f"{len(cases) - wrong} of {len(cases)} cases are right")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
