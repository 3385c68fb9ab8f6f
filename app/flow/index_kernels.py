"""The index of the flow table: keyed hash, look-ahead, removal.

Open addressing with linear probing; an entry is 32 bits of the hash | slot + 1, so that most misses are decided in the index. The hash is keyed with
random numbers of the process: nobody can fill one chain from outside.
"""

from __future__ import annotations

from numba import int64, njit, uint64

from app.flow import layout as at
from app.wire import codes
from app.wire.load_kernels import multiply_high, prefetch

A_HI, A_LO, B_HI, B_LO, KEY, TUNNEL = at.A_HI, at.A_LO, at.B_HI, at.B_LO, at.KEY, at.TUNNEL
ROW_COLUMNS, TCP_COLUMNS = at.ROW_COLUMNS, at.TCP_COLUMNS
KIND_ONE_WAY, KIND_NO_FLOW = codes.KIND_ONE_WAY, codes.KIND_NO_FLOW
GROUP = 32  # packets that are hashed, asked for and updated together

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def hash_key(a_hi, a_lo, b_hi, b_lo, key, tunnel, seeds):
    h = multiply_high(uint64(a_lo) ^ seeds[0], uint64(b_lo) ^ uint64(key))
    h = multiply_high(h ^ uint64(a_hi) ^ uint64(tunnel), uint64(b_hi) ^ seeds[1] ^ (uint64(key) >> uint64(7)))
    return h & uint64(0xFFFFFFFF)


@njit(**_OPTIONS)
def remove(index, rows, r, seeds):
    """Take slot r out of the index: shift later entries of its run back."""
    mask = int64(len(index) - 1)
    h = hash_key(rows[r, A_HI], rows[r, A_LO], rows[r, B_HI], rows[r, B_LO], rows[r, KEY], rows[r, TUNNEL], seeds)
    i = int64(h) & mask
    while int64(index[i] & uint64(0xFFFFFFFF)) != r + 1:
        if index[i] == 0:
            return
        i = (i + 1) & mask
    j = i
    while True:
        j = (j + 1) & mask
        entry = index[j]
        if entry == 0:
            break
        home = int64(entry >> uint64(32)) & mask
        if (j - home) & mask >= (j - i) & mask:  # may stand at i: its home is not between i and j
            index[i] = entry
            i = j
    index[i] = uint64(0)


@njit(forceinline=True, **_OPTIONS)
def hash_group(packets, start, n, stage, index, hashes, keys, directions, seeds):
    """Keys and hashes of up to GROUP packets from `start` into the buffers from `stage` on; their index lines are asked for."""
    mask = int64(len(index) - 1)
    for k in range(min(int64(GROUP), int64(n) - start)):
        p = packets[start + k]
        g = stage + k
        if p.ip_version == 0 or p.kind & KIND_NO_FLOW:
            directions[g] = -1
            continue
        d = int64(0)
        one_way = int64(p.kind & KIND_ONE_WAY)
        if one_way == 0:
            if p.src_hi != p.dst_hi:
                d = int64(p.src_hi > p.dst_hi)
            elif p.src_lo != p.dst_lo:
                d = int64(p.src_lo > p.dst_lo)
            else:
                d = int64(p.src_port > p.dst_port)
        tail = int64(p.vlan) << 16 | one_way << 13 | int64(p.ip_version) << 8 | int64(p.protocol)
        tunnel = int64(p.tunnel) | int64(p.depth) << 32
        if d == 0:
            a_hi, a_lo, b_hi, b_lo = int64(p.src_hi), int64(p.src_lo), int64(p.dst_hi), int64(p.dst_lo)
            key = int64(p.src_port) << 48 | int64(p.dst_port) << 32 | tail
        else:
            a_hi, a_lo, b_hi, b_lo = int64(p.dst_hi), int64(p.dst_lo), int64(p.src_hi), int64(p.src_lo)
            key = int64(p.dst_port) << 48 | int64(p.src_port) << 32 | tail
        h = hash_key(a_hi, a_lo, b_hi, b_lo, key, tunnel, seeds)
        keys[g, 0], keys[g, 1], keys[g, 2], keys[g, 3], keys[g, 4], keys[g, 5] = a_hi, a_lo, b_hi, b_lo, key, tunnel
        hashes[g] = h
        directions[g] = d
        prefetch(index, int64(h) & mask)


@njit(forceinline=True, **_OPTIONS)
def ask_for_rows(start, n, stage, index, rows, tcp, hashes, keys, directions):
    """Ask for the rows that the index names first for the group at `stage`."""
    mask = int64(len(index) - 1)
    for g in range(stage, stage + min(int64(GROUP), int64(n) - start)):
        if directions[g] >= 0:
            entry = index[int64(hashes[g]) & mask]
            if entry != 0:
                r = int64(entry & uint64(0xFFFFFFFF)) - 1
                prefetch(rows, r * ROW_COLUMNS)
                prefetch(rows, r * ROW_COLUMNS + 8)
                if keys[g, 4] & 0xFF == 6:
                    prefetch(tcp, r * TCP_COLUMNS)
