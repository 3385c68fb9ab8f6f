"""Byte histograms of payload, one per direction of each flow. All payload is counted; for captures that are analysed as a whole."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, types, uint32, uint64

from app.model.columns import PACKET
from app.model.layers import KIND_LATER_FRAGMENT, KIND_ONE_WAY
from app.native.declare import kernel

PACKET_DTYPE = np.dtype(list(PACKET))

SIGNATURE = types.intp(
    types.uint8[::1],
    from_dtype(PACKET_DTYPE)[::1],
    types.intp,
    types.uint64[::1],
    types.uint32[:, ::1],
    types.uint64[::1],
    types.uint32[:, ::1],
    types.uint64[::1],
    types.int64[::1],
)


@kernel(SIGNATURE)
def count_payload(data, packets, n, flow_ids, histograms, owners, finished, finished_ids, place):
    """Add the payload of packets[place[0]:n] to the histograms of their flows; returns how many histograms of former owners went to `finished`.

    histograms: uint32[rows of the flow table, 512], lower endpoint's bytes first; owners: uint64[rows], the flow that a row counts for. A row that a new
    flow took over is copied to `finished` with its owner's id first. Stops early when that is full: place[0] says where to go on."""
    limit = int64(len(data))
    done = 0
    for i in range(place[0], n):
        p = packets[i]
        r = int64(p.flow)
        if r < 0 or (p.protocol != 6 and p.protocol != 17) or p.kind & (KIND_LATER_FRAGMENT | KIND_ONE_WAY):
            continue
        begin = int64(p.offset) + int64(p.payload_offset)
        end = min(begin + int64(p.payload_len), int64(p.offset) + int64(p.cap_len), limit)
        if end <= begin:
            continue
        flow_id = flow_ids[i]
        if owners[r] != flow_id:
            if owners[r] != 0:
                if done >= len(finished):
                    place[0] = i
                    return done
                for k in range(512):
                    finished[done, k] = histograms[r, k]
                    histograms[r, k] = 0
                finished_ids[done] = owners[r]
                done += 1
            owners[r] = flow_id
        base = uint64(0)
        if p.src_hi != p.dst_hi:
            base = uint64(256) if p.src_hi > p.dst_hi else uint64(0)
        elif p.src_lo != p.dst_lo:
            base = uint64(256) if p.src_lo > p.dst_lo else uint64(0)
        elif p.src_port > p.dst_port:
            base = uint64(256)
        counts = histograms[r]
        for k in range(uint64(begin), uint64(end)):  # no index counts from the end: unsigned ones are not asked
            counts[base + uint64(data[k])] += uint32(1)
    place[0] = n
    return done
