"""The rules and knobs of all detectors as the tables of docs/detectors.md, and how many there are: `python -m app.detect.describe` prints them.

Tests keep the page and the README current.
"""

from __future__ import annotations

from typing import Final

from app.detect.connection_registry import CONNECTION_DETECTORS
from app.detect.detector import Detector
from app.detect.registry import DETECTORS

ALL: Final[tuple[type[Detector], ...]] = (*DETECTORS, *CONNECTION_DETECTORS)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def counts() -> str:
    """How many there are, as the README says it."""
    return f"{sum(len(one.rules) for one in ALL)} [rules](docs/detectors.md) in {len(ALL)} detectors"


def tables() -> str:
    """Markdown: how many, one table of rules, one of knobs."""
    rules = [sum(len(one.rules) for one in some) for some in (DETECTORS, CONNECTION_DETECTORS)]
    lines = [
        f"{sum(rules)} rules in {len(ALL)} detectors: {rules[0]} in {len(DETECTORS)} that the sensor shows packets, facts and flows, "
        f"{rules[1]} in {len(CONNECTION_DETECTORS)} that the web process shows connections.",
        "",
    ]
    lines += ["| rule | severity | ATT&CK | means | normal | what to do |", "|---|---|---|---|---|---|"]
    for detector in ALL:
        for rule in detector.rules:
            lines.append(
                f"| `{rule.name}` | {rule.severity} | {rule.mitre or '–'} | {cell(rule.means)} | {cell(rule.normal)} | {cell(rule.act)} |"
            )
    lines += ["", "| detector | knob | default | reason |", "|---|---|---|---|"]
    for detector in ALL:
        for knob in detector.knobs:
            lines.append(
                f"| `{detector.name}` | `{knob.name}` | {knob.default:g} {cell(knob.unit)} | {cell(knob.reason)} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(tables(), end="")
