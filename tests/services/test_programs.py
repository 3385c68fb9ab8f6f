"""Programs in the web process: owners reach their connections whichever way round, totals stay right when flows leave, and new programs are told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.services.connections import Rows, connections
from app.services.mirror import Mirror
from app.services.programs import Programs, program_id
from app.services.queries import PageRequest, select
from app.services.shares import shares, why_empty
from app.wire.addresses import parse_address
from tests.fakes.rows import NOON, flow, flows

HERE, THERE = "10.0.0.1", "192.0.2.1"


def process(number: int, name: str, **values: Any) -> dict[str, Any]:
    known = {
        "process": number,
        "pid": 100 + number,
        "name": name,
        "path": f"/usr/bin/{name}",
        "command_line": f"{name} -x",
    }
    return {
        **known,
        "user": "ann",
        "start_ns": NOON,
        "parents": [[1, "init"]],
        "container": None,
        "unit": None,
        **values,
    }


def end(number: int | None, reason: str | None = None) -> list[Any]:
    return [number, "trace" if number else None, 1.0 if number else 0.0, 12.5, reason]


def owner(flow_id: int, address: str, port: int, first: Any, second: Any) -> list[Any]:
    return [flow_id, *parse_address(address)[1:], port, first, second]


@pytest.fixture
def mirror() -> Mirror:
    made = Mirror()
    made.hello(1, "boot")
    made.own_addresses([parse_address(HERE)[1:], parse_address("127.0.0.1")[1:]])
    return made


def apply(mirror: Mirror, started: int = 5, **parts: Any) -> None:
    capture = {"state": "running", "source": "live", "started_ns": started, "interfaces": [], "file": None}
    mirror.apply({"type": "snapshot", "capture": capture, "now_ns": NOON, "wall_ns": NOON, **parts})


def rows(mirror: Mirror) -> dict[int, dict[str, Any]]:
    return {row["flow_id"]: row for row in connections(Rows.all(mirror.flow_view()))}


def test_the_local_end_is_named_whoever_sent_first(mirror: Mirror) -> None:
    apply(
        mirror,
        flows=flows(
            flow(1, f"{HERE}:1000", f"{THERE}:443"), flow(2, f"{HERE}:1001", f"{THERE}:443"), flow(3)
        ).tobytes(),
        processes=[process(1, "curl"), process(2, "nginx")],
        owners=[owner(1, HERE, 1000, end(1), None), owner(2, THERE, 443, None, end(2, "accepted"))],
    )
    known = rows(mirror)
    assert (known[1]["app_name"], known[1]["pid"], known[1]["user"]) == ("curl", 101, "ann")
    assert known[1]["parents"] == "init (1)"
    assert known[1]["attribution"] == {"method": "trace", "confidence": 1.0, "seen_after_ms": 12.5, "reason": None}
    assert known[2]["app_name"] == "nginx"
    assert known[2]["attribution"]["reason"] == "The program that used the accepted connection."
    assert (known[3]["app_name"], known[3]["attribution"]) == (None, None)


def test_both_ends_within_the_machine_even_with_one_address(mirror: Mirror) -> None:
    apply(
        mirror,
        flows=flows(flow(1, "127.0.0.1:1000", "127.0.0.1:80"), flow(2, "127.0.0.1:1001", "127.0.0.1:80")).tobytes(),
        processes=[process(1, "curl"), process(2, "nginx")],
        owners=[owner(1, "127.0.0.1", 1000, end(1), end(2)), owner(2, "127.0.0.1", 80, end(2), end(1))],
    )
    for number in (1, 2):
        row = rows(mirror)[number]
        assert (row["app_name"], row["peer_app_name"]) == ("curl", "nginx")


def test_unknown_has_its_reason_in_words(mirror: Mirror) -> None:
    apply(
        mirror,
        flows=flow(1, f"{HERE}:1000", f"{THERE}:443").tobytes(),
        owners=[owner(1, HERE, 1000, end(None, "closed"), None)],
    )
    attribution = rows(mirror)[1]["attribution"]
    assert (attribution["method"], attribution["confidence"]) == (None, None)
    assert attribution["reason"].startswith("The socket was closed")


def test_the_query_language_knows_programs(mirror: Mirror) -> None:
    apply(
        mirror,
        flows=flows(*(flow(number, f"{HERE}:{1000 + number}") for number in (1, 2, 3))).tobytes(),
        processes=[process(1, "curl"), process(2, "firefox", user="bob")],
        owners=[owner(1, HERE, 1001, end(1), None), owner(2, HERE, 1002, end(2), None)],
        known=[[3, "TLS.Curly", *[None] * 9]],
    )
    view = mirror.flow_view()

    def found(q: str) -> list[int]:
        return sorted(view.flows["flow_id"][select(view, PageRequest(q=q), [], NOON).indices].tolist())

    assert found("app:curl") == [1, 3]
    assert found("app_name:curl") == [1]
    assert found("program:firefox user:bob") == [2]
    assert found("pid:>=101") == [1, 2]
    assert found("firefox") == [2]
    assert found("path:/usr/bin/cu*") == [1]
    order = select(view, PageRequest(sort=(("app_name", False),)), [], NOON).indices
    assert view.flows["flow_id"][order].tolist() == [1, 2, 3]
    assert [
        len(select(view, PageRequest(conditions=c), [], NOON).indices) for c in ({"pid": 102}, {"user": "ANN"})
    ] == [1, 1]


def counted(mirror: Mirror, path: Path) -> dict[str, tuple[int, int, int]]:
    programs = Programs(mirror, path / "programs.json", None)
    return {one["app_name"]: (one["bytes_sent"], one["bytes_recv"], one["flows"]) for one in programs.documents()}


def test_totals_count_each_end_and_keep_what_left_the_table(mirror: Mirror, tmp_path: Path) -> None:
    mirror.flows.max_ended = 1
    counts = {"src_bytes": 100, "dst_bytes": 900, "src_packets": 1, "dst_packets": 2}
    sent = [
        flow(1, f"{HERE}:1001", ended=1, **counts),
        flow(2, f"{HERE}:1002", ended=1, **counts),
        flow(3, "127.0.0.1:1003", "127.0.0.1:80", **counts),
        flow(4, "127.0.0.1:1004", "127.0.0.1:80", **counts),
        flow(5, f"{HERE}:1005", **counts),
    ]
    apply(
        mirror,
        flows=flows(*(flow(number, f"{HERE}:{1000 + number}") for number in (1, 2))).tobytes(),
        processes=[process(1, "curl"), process(2, "nginx")],
        owners=[
            *(owner(number, HERE, 1000 + number, end(1), None) for number in (1, 2)),
            owner(3, "127.0.0.1", 1003, end(1), end(2)),
            owner(4, "127.0.0.1", 1004, end(2), end(2)),
        ],
    )
    apply(mirror, flows=flows(*sent).tobytes())
    assert len(mirror.flows) == 4
    assert counted(mirror, tmp_path) == {"curl": (300, 2700, 3), "nginx": (900 + 100, 100 + 900, 2)}
    unknown = Programs(mirror, tmp_path / "x", None).state()["unknown"]
    assert [(one["reason"], one["flows"], one["bytes"]) for one in unknown] == [("pending", 1, 1000)]


def test_another_capture_begins_at_nothing_but_keeps_the_records(mirror: Mirror, tmp_path: Path) -> None:
    row = flow(1, f"{HERE}:1001", src_bytes=10).tobytes()
    apply(mirror, flows=row, processes=[process(1, "curl")], owners=[owner(1, HERE, 1001, end(1), None)])
    apply(mirror, started=6, flows=flow(2, f"{HERE}:1002", src_bytes=20).tobytes())
    assert counted(mirror, tmp_path) == {}
    apply(mirror, started=6, owners=[owner(2, HERE, 1002, end(1), None)])
    assert counted(mirror, tmp_path) == {"curl": (20, 0, 1)}


def test_what_makes_no_sense_is_counted(mirror: Mirror) -> None:
    apply(
        mirror,
        flows=flow(1).tobytes(),
        processes=[None, {"process": "x"}, process(1, "ok", path=7)],
        owners=[[1], owner(1, HERE, 1, end(9), None), owner(1, HERE, 1, [1], None), "x"],
    )
    assert mirror.processes.malformed == 7
    assert rows(mirror)[1]["app_name"] is None


def test_a_new_program_is_told_once_for_all_time(mirror: Mirror, tmp_path: Path) -> None:
    file = tmp_path / "programs.json"
    programs = Programs(mirror, file, None)
    apply(mirror, flows=flow(1).tobytes(), processes=[process(1, "curl"), process(2, "curl")])
    programs.refresh()
    programs.refresh()
    count, events = programs.events_since(0)
    assert (count, [event["app_name"] for event in events]) == (1, ["curl"])
    assert events[0]["text"] == "curl has a connection for the first time (/usr/bin/curl)"
    assert events[0]["program"] == program_id(("curl", "/usr/bin/curl", ""))
    assert file.exists()
    again = Programs(mirror, file, None)
    again._load()
    again.refresh()
    assert again.event_count == 0


def test_shares_by_process(mirror: Mirror) -> None:
    apply(mirror, flows=flow(1, f"{HERE}:1001", src_bytes=7).tobytes())
    assert why_empty(mirror, "process")
    assert shares(mirror, "process") == []
    apply(mirror, processes=[process(1, "curl")], owners=[owner(1, HERE, 1001, end(1), None)])
    assert shares(mirror, "process") == [{"app_name": "curl", "traffic": 7}]
