"""Captures through decoder and flow table, as the sensor does it, for tests of what looks at flows."""

from pathlib import Path

import numpy as np

from app.capture.pcap_file import open_file
from app.flow.table import FlowTable
from app.wire.decode import BATCH, Decoder

CAPTURES = Path(__file__).parents[1] / "data" / "captures"


def batches(name):
    """(packets, flow ids, heads, buffer, clock) of a capture; valid until the next one."""
    decoder, table = Decoder(), FlowTable(4096, lambda records, rolled: None)
    source = open_file(str(CAPTURES / name))  # an absolute path stands for itself
    while not source.finished:
        block = source.read()
        if block is None:
            continue
        for start in range(0, len(block.frames), BATCH):
            packets = decoder.decode(block.data, block.frames[start : start + BATCH])
            if len(carriers := decoder.carriers):
                table.update(carriers)
            flow_ids, heads = table.update(packets)
            yield packets, flow_ids, heads, block.data, decoder.clock_ns
    source.close()


def all_ids(name):
    """The ids of a capture's TCP and UDP flows."""
    found = set()
    for packets, flow_ids, *_ in batches(name):
        found |= set(flow_ids[np.isin(packets["protocol"], (6, 17)) & (flow_ids > 0)].tolist())
    return found
