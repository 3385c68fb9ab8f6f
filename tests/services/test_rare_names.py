"""The names asked for least often: counted over both kinds of facts, the newest first among equals."""

from __future__ import annotations

from typing import Any

from app.services.fact_documents import Fact, document
from app.services.rare_names import rare_names


def dns(number: int, query: str, kind: str = "dns") -> Fact:
    said = {"client": "10.0.0.1", "server": "10.0.0.53", "query": query, "type": "A", "rcode": None, "kind": kind}
    return document("dns", number, {"timestamp": f"2026-01-01T00:00:{number:02}.000000Z", "flow_id": "1", **said})


def tls(number: int, name: str | None) -> Fact:
    said: dict[str, Any] = {"timestamp": f"2026-01-01T00:00:{number:02}.000000Z", "flow_id": "1"}
    return document("tls", number, {**said, "server_name": name})


FACTS = {
    "dns": [
        dns(9, "Often.example."),
        dns(8, "often.example"),
        dns(7, "printer.local", "mdns"),
        dns(6, "twice.example"),
        dns(5, "old.example"),
    ],
    "tls": [
        tls(9, "often.example"),
        tls(8, "twice.example"),
        tls(7, "new.example"),
        tls(3, None),
    ],
}


def test_fewest_first_and_the_newest_among_equals() -> None:
    found = rare_names(FACTS, 10)
    assert [one["name"] for one in found["names"]] == ["new.example", "old.example", "twice.example", "often.example"]
    assert found["names"][-1] == {
        "name": "often.example",
        "asked": 2,
        "contacted": 1,
        "last_seen": "2026-01-01T00:00:09.000000Z",
    }
    assert found["total"] == 4


def test_the_list_is_cut_and_says_how_many_there_are() -> None:
    assert [one["name"] for one in rare_names(FACTS, 1)["names"]] == ["new.example"]
    assert rare_names(FACTS, 1)["total"] == 4
    assert rare_names({}, 5) == {"names": [], "total": 0}
