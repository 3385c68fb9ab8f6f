"""The one field table: names once, explained, with units where numbers have one."""

from __future__ import annotations

import pytest

from app.model import fields
from app.model.fields import CONNECTION_FIELDS, METRIC_FIELDS, PACKET_FIELDS, Field, explanation

KINDS = {"text", "number", "integer", "boolean", "time", "object", "list"}
ALL = [*CONNECTION_FIELDS, *PACKET_FIELDS, *METRIC_FIELDS]


@pytest.mark.parametrize("table", [CONNECTION_FIELDS, PACKET_FIELDS, METRIC_FIELDS])
def test_names_are_unique(table: tuple[Field, ...]) -> None:
    names = [field.name for field in table]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("field", ALL, ids=lambda field: field.name)
def test_each_field_is_explained(field: Field) -> None:
    assert field.kind in KINDS
    assert field.label
    assert field.help.endswith(".")
    assert explanation(field).endswith(".")
    if field.name.endswith(("_bps", "_ms", "_percent", "_bytes", "_mbps", "_gb")):
        assert field.unit, "a name with a unit in it has a unit"


def test_lookups_hold_every_field() -> None:
    assert list(fields.CONNECTIONS) == [field.name for field in CONNECTION_FIELDS]
    assert list(fields.PACKETS) == [field.name for field in PACKET_FIELDS]
    assert "flow_id" in fields.LIVE_COLUMNS
