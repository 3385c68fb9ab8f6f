"""Alerts name addresses, endpoints, networks and numbers of hosts: in the schemas of others an address is an address, and nothing is lost beside it."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from app.export.schemas import SCHEMAS
from app.export.view import end_of

ENDS = [
    ("192.0.2.7", ("192.0.2.7", None)),
    ("192.0.2.7:53397", ("192.0.2.7", 53397)),
    ("[2001:db8::1]:443", ("2001:db8::1", 443)),
    ("2001:db8::1", ("2001:db8::1", None)),
    ("fe80::1:22", ("fe80::1:22", None)),
    ("18 hosts in 1 network", (None, None)),
    ("10.0.0.0/8", (None, None)),
    ("example.com:443", (None, None)),
    ("192.0.2.7:99999", ("192.0.2.7", None)),
    ("192.0.2.7:²", ("192.0.2.7", None)),
    ("", (None, None)),
    (None, (None, None)),
    (7, (None, None)),
]


@pytest.mark.parametrize(("text", "end"), ENDS)
def test_an_end_is_an_address_or_none(text: Any, end: tuple[str | None, int | None]) -> None:
    assert end_of(text) == end


@pytest.mark.parametrize("target", [str(text) for text, _ in ENDS])
@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_no_address_that_is_none_and_the_words_stay(schema: str, target: str) -> None:
    view = SCHEMAS[schema]["alerts"]
    (row,) = view.rows(
        [{"time_of_detection": "2026-01-01T00:00:00Z", "rule": "x", "source": "192.0.2.9:4", "target": target}]
    )
    named = dict(zip((column.name for column in view.columns), row, strict=True))
    addresses = {
        name: value
        for name, value in named.items()
        if name in ("src", "dst", "src_ip", "dest_ip") or name.endswith(".ip")
    }
    assert len(addresses) == 2
    assert all(value is None or ipaddress.ip_address(value) for value in addresses.values())
    assert "192.0.2.9" in addresses.values()
    assert not target or target in json.dumps(named, ensure_ascii=False)
