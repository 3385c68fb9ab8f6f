"""Byte histograms of payload, one per direction of each flow. All payload is counted; for captures that are analysed as a whole."""

from __future__ import annotations

import numpy as np
from numba import from_dtype, int64, njit, types

from app.model.columns import PACKET
from app.model.layers import KIND_LATER_FRAGMENT, KIND_ONE_WAY
from app.native.declare import kernel
from app.wire.byte_count_kernels import count_bytes
from app.wire.load_kernels import prefetch

PACKET_DTYPE = np.dtype(list(PACKET))

AHEAD = 3  # packets: their histograms are asked of memory meanwhile
WORTH_ASKING = 48  # payload bytes below which most lines of a histogram are not touched


@njit(forceinline=True)
def upper(p):
    """Where the histogram of a packet's direction begins: 256 where the higher endpoint sends."""
    if p.src_hi != p.dst_hi:
        return int64(256) if p.src_hi > p.dst_hi else int64(0)
    if p.src_lo != p.dst_lo:
        return int64(256) if p.src_lo > p.dst_lo else int64(0)
    return int64(256) if p.src_port > p.dst_port else int64(0)


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
        if i + AHEAD < n:
            p = packets[i + AHEAD]
            r = int64(p.flow)
            if r >= 0 and int64(p.payload_len) >= WORTH_ASKING:
                prefetch(owners, r)
                base = r * 512 + upper(p)
                for k in range(0, 256, 16):
                    prefetch(histograms, base + k)
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
        count_bytes(data, begin, end, histograms, r * 512 + upper(p))
    place[0] = n
    return done
