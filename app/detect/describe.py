"""The rules and knobs of all detectors as the tables of docs/detectors.md: `python -m app.detect.describe` prints them, and a test keeps them current."""

from __future__ import annotations

from typing import Final

from app.detect.connection_registry import CONNECTION_DETECTORS
from app.detect.detector import Detector
from app.detect.registry import DETECTORS

ALL: Final[tuple[type[Detector], ...]] = (*DETECTORS, *CONNECTION_DETECTORS)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def tables() -> str:
    """Markdown: one table of rules, one of knobs."""
    lines = ["| rule | severity | ATT&CK | means | normal | what to do |", "|---|---|---|---|---|---|"]
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
