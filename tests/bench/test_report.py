"""The table says what the results say, and the document keeps what is around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.peers import NO_OP, OURS
from bench.report import BEGIN, END, lines, write_docs


def results(quick: bool = False) -> dict[str, Any]:
    def runs(wall: float, packets: int, error: str | None = None) -> list[dict[str, Any]]:
        return [{"wall_s": wall, "cpu_s": wall, "rss_kb": 102_400, "packets": packets, "error": error}]

    machine = {
        "when": "2026-03-01 12:00 UTC",
        "processor": "Test 9000",
        "cores": 2,
        "memory_gib": 8,
        "kernel": "6.1",
        "python": "3.11",
        "versions": {"softflowd": "1.1.0"},
        "load": 0.25,
    }
    programs = [
        {"name": OURS, "does": "flows", "runs": runs(2.0, 10_000_000)},
        {"name": NO_OP, "does": "reads", "runs": runs(1.2, 10_000_000)},
        {"name": "softflowd", "does": "flows", "runs": runs(8.0, 10_000_000)},
        {"name": "argus", "does": "flows", "runs": runs(8.0, 10_000_000, "exit status 1: no licence")},
    ]
    workload = {
        "name": "imix",
        "facts": {"packets": 10_000_000, "frame_bytes": 3_600_000_000, "flows": 50_000},
        "rounds": 1,
        "programs": programs,
    }
    return {
        "machine": machine,
        "quick": quick,
        "floor_mb": 6.0,
        "workloads": [workload],
        "missing": [{"name": "nfstream", "remedy": "not installed: pip install nfstream"}],
        "limits": [
            {"name": "kernels", "value": 16.0, "limit": 15.0, "unit": "s", "why": ""},
            {"name": "sensor", "value": None, "limit": 250, "unit": "MB", "why": "needs root"},
        ],
        "live": [
            {
                "receiver": "netglass",
                "traffic": "mix",
                "sent": 1000,
                "offered_pps": 5e5,
                "captured": 990,
                "dropped": 10,
                "lost_unseen": 0,
                "cpu_percent": 33.0,
            }
        ],
    }


def cells(text: str, first: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rows_say_speed_ratio_goal_and_verdict() -> None:
    text = "\n".join(lines(results()))
    assert "Measured on Test 9000, 2 cores, 8 GiB" in text
    assert cells(text, OURS)[2:5] == ["10,000,000", "2.00", "5"]
    assert cells(text, NO_OP)[-4:] == ["0.60 (0.60–0.60)", "0.60", "≥ 0.5", "pass"]
    assert cells(text, "softflowd")[-4:] == ["4.0 (4.0–4.0)", "4.0", "≥ 4.5", "fail"]
    assert "no licence" in cells(text, "argus")[2]
    assert "- nfstream: not installed: pip install nfstream" in text
    assert cells(text, "kernels") == ["kernels", "16.00 s", "≤ 15 s", "fail"]
    assert cells(text, "sensor") == ["sensor", "not measured: needs root", "≤ 250 MB", ""]
    assert "| netglass | mix |" in " ".join(text.split())


def test_a_quick_run_judges_nothing() -> None:
    text = "\n".join(lines(results(quick=True)))
    assert "Quick run" in text
    assert cells(text, NO_OP)[-1] == cells(text, "softflowd")[-1] == ""


def test_the_document_keeps_its_words(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Title\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_docs(results(), document)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count(BEGIN) == text.count(END) == 1
    document.write_text("# no place\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        write_docs(results(), document)
