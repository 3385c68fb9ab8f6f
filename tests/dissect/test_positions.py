"""The bytes of each field, against what tshark says of the same frames (recorded by `record_positions.py`)."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

logging.getLogger("scapy").setLevel(logging.CRITICAL)
RECORDS = json.loads((Path(__file__).parent / "positions.json").read_text())


@pytest.fixture(scope="module")
def dissect():
    from app.dissect import layers, trace, tree

    layers.load()
    trace.install()
    return tree.dissect


def places(nodes, layer=None):
    """(layer, field, offset, length, is a bit field) of all nodes; the records inside a DNS message count as layers."""
    for node in nodes:
        if layer is None or node["name"].startswith("DNS"):
            name = "DNSRR" if node["name"].startswith("DNSRR") else node["name"]
            yield name, "", node["offset"], node["length"], False
            yield from places(node["fields"], name)
        else:
            yield layer, node["name"], node["offset"], node["length"], node["bit_offset"] is not None
            yield from places(node.get("fields", []), layer)


def agrees(ours, offset, length):
    """tshark names all bytes of the word that a bit field is in; everything else lies at the same bytes."""
    start, size, is_bits = ours
    if start is None or not is_bits:
        return (start, size) == (offset, length)
    return offset <= start and start + size <= offset + length


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{Path(record['source']).name}-{record['number']}")
def test_fields_lie_where_tshark_says(dissect, record):
    ours = list(places(dissect(bytes.fromhex(record["frame"]), record["link_type"])["tree"]))
    layers = {layer for layer, *_ in ours}
    wrong = []
    for layer, field, offset, length in record["fields"]:
        same = [place for *name, place in ((a, b, tuple(rest)) for a, b, *rest in ours) if name == [layer, field]]
        if layer in layers and not any(agrees(place, offset, length) for place in same):
            wrong.append((layer, field, offset, length, same))
    assert not wrong
    assert sum(layer in layers for layer, *_ in record["fields"]) >= 4
