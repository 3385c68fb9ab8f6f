"""What a byte histogram says: entropy, its corrected estimate, uniformity, kinds of bytes. And samples of slots, made of that."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, types

from app.native.declare import kernel, stack_array
from app.stats import entropy_layout as at

SYMBOLS, QUARTERS, TABLE, TRIM, ORDERS = at.SYMBOLS, at.QUARTERS, at.TABLE, at.TRIM, at.ORDERS
ROW, DIRTY, LAST = at.ROW, at.DIRTY, at.LAST
O_HI, I_ENDS, ENDS_SIZE = at.O_HI, at.I_ENDS, at.ENDS_SIZE
TOTAL, LIFE_N, HEAD, PRODUCTS, PAIRS, LEVELS = at.TOTAL, at.LIFE_N, at.HEAD, at.PRODUCTS, at.PAIRS, at.LEVELS
MEASURED_N = at.MEASURED_N
C_TEXT, C_CONTINUING, C_FORBIDDEN, C_BASE64 = at.C_TEXT, at.C_CONTINUING, at.C_FORBIDDEN, at.C_BASE64
M_N, M_PLAIN, M_SECOND, M_DISTINCT, M_CHI = at.M_N, at.M_PLAIN, at.M_SECOND, at.M_DISTINCT, at.M_CHI
M_TRIMMED, M_CORRECTED, M_TEXT, M_ZERO = at.M_TRIMMED, at.M_CORRECTED, at.M_TEXT, at.M_ZERO
M_CONTINUING, M_ANNOUNCED, M_FORBIDDEN, M_BASE64 = at.M_CONTINUING, at.M_ANNOUNCED, at.M_FORBIDDEN, at.M_BASE64
S_WINDOW, S_LIFE, S_SERIAL, S_BITS, S_LEVEL, S_QUARTER = (
    at.S_WINDOW,
    at.S_LIFE,
    at.S_SERIAL,
    at.S_BITS,
    at.S_LEVEL,
    at.S_QUARTER,
)
SAMPLE_SIZE, MEASURE_SIZE = at.SAMPLE_SIZE, at.MEASURE_SIZE
I_FLOW, I_TIME, I_SLOT, I_ROW, I_FLAGS, I_HEADS, I_TOTALS = (
    at.I_FLOW,
    at.I_TIME,
    at.I_SLOT,
    at.I_ROW,
    at.I_FLAGS,
    at.I_HEADS,
    at.I_TOTALS,
)
HALF_BIT = 0.5 / np.log(2.0)  # c · G(c) is c · ln(c) less one half for large c

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_sums = stack_array((SYMBOLS,), types.int64)
_top = stack_array((TRIM,), types.int64)


@njit(**_OPTIONS)
def times_log(c, table):
    """c · log2(c). Beyond the table the mantissa is looked up, rounded: an error of 5e-5 bits at most."""
    shift = int64(0)
    m = c
    while m > TABLE:
        shift += 1
        m = (c + (int64(1) << (shift - 1))) >> shift
    if shift == 0:
        return table[0, m]
    return float(c) * (table[0, m] / float(m) + float(shift))


@njit(**_OPTIONS)
def measure(counts, table, classes, out, base):
    """Fill out[base : base + MEASURE_SIZE] from counts: int64[256]."""
    top = _top()
    for k in range(TRIM):
        top[k] = 0
    n = int64(0)
    distinct = int64(0)
    squares = 0.0
    plain, second, corrected = 0.0, 0.0, 0.0
    text, continuing, announced, forbidden, base64 = int64(0), int64(0), int64(0), int64(0), int64(0)
    for v in range(SYMBOLS):
        c = counts[v]
        if c == 0:
            continue
        n += c
        distinct += 1
        squares += float(c) * float(c)
        weighted = times_log(c, table)
        plain += weighted
        second += weighted * weighted / float(c)
        corrected += table[1, c] if c <= TABLE else weighted - HALF_BIT
        kind = classes[v, 0]
        if kind & C_TEXT:
            text += c
        if kind & C_CONTINUING:
            continuing += c
        if kind & C_FORBIDDEN:
            forbidden += c
        if kind & C_BASE64:
            base64 += c
        announced += c * int64(classes[v, 1])
        if c > top[TRIM - 1]:
            k = TRIM - 1
            while k > 0 and top[k - 1] < c:
                top[k] = top[k - 1]
                k -= 1
            top[k] = c
    for k in range(MEASURE_SIZE):
        out[base + k] = 0.0
    out[base + M_N] = float(n)
    if n == 0:
        return
    size = float(n)
    log_n = times_log(n, table) / size
    out[base + M_PLAIN] = max(log_n - plain / size, 0.0)
    out[base + M_SECOND] = (second - 2.0 * log_n * plain) / size + log_n * log_n
    out[base + M_DISTINCT] = float(distinct)
    out[base + M_CHI] = squares * 256.0 / size - size
    rest, squares_left = n, squares
    for k in range(TRIM):
        rest -= top[k]
        squares_left -= float(top[k]) * float(top[k])
    if rest > 0:
        out[base + M_TRIMMED] = squares_left * float(SYMBOLS - TRIM) / float(rest) - float(rest)
    out[base + M_CORRECTED] = log_n - corrected / size
    out[base + M_TEXT] = text / size
    out[base + M_ZERO] = counts[0] / size
    out[base + M_CONTINUING] = continuing / size
    out[base + M_ANNOUNCED] = announced / size
    out[base + M_FORBIDDEN] = forbidden / size
    out[base + M_BASE64] = base64 / size


@njit(**_OPTIONS)
def corrected_entropy(counts, n, table):
    """Grassberger's estimate of uint16[256] counts with sum n, alone."""
    total = 0.0
    for v in range(SYMBOLS):
        c = int64(counts[v])
        if c > 0:
            total += table[1, c] if c <= TABLE else times_log(c, table) - HALF_BIT
    return times_log(int64(n), table) / float(n) - total / float(n)


@njit(**_OPTIONS)
def serial_correlation(counts, n, products, pairs):
    """Correlation of neighbouring bytes (Knuth, TAOCP 2, § 3.3.2 K), with the histogram's mean and variance; NaN without variance."""
    total, squares = 0.0, 0.0
    for v in range(SYMBOLS):
        total += float(counts[v]) * v
        squares += float(counts[v]) * v * v
    if n < 2 or pairs < 2:
        return np.nan
    mean = total / float(n)
    variance = squares / float(n) - mean * mean
    if variance <= 0.0:
        return np.nan
    return (float(products) / float(pairs) - mean * mean) / variance


@njit(**_OPTIONS)
def sample(slot, time, flags, flow_id, held, m):
    """Write the sample number m of a slot. held: the arrays from `state` to `samples`, as `sample_slots` takes them."""
    state, sides, life, window, levels, lives, table, classes, ids, samples = held
    counts = _sums()
    for d in range(2):
        out = samples[m, d]
        side = sides[slot, d]
        for v in range(SYMBOLS):
            total = int64(0)
            for q in range(QUARTERS):
                total += int64(window[slot, d * QUARTERS + q, v])
            counts[v] = total
        measure(counts, table, classes, out, S_WINDOW)
        kept = lives[slot, d]
        if side[MEASURED_N] != side[LIFE_N]:
            side[MEASURED_N] = side[LIFE_N]
            for v in range(SYMBOLS):
                counts[v] = int64(life[slot, d * SYMBOLS + v])
            measure(counts, table, classes, kept, 0)
            kept[MEASURE_SIZE] = serial_correlation(counts, side[LIFE_N], side[PRODUCTS], side[PAIRS])
        for k in range(MEASURE_SIZE + 1):
            out[S_LIFE + k] = kept[k]
        for k in range(ORDERS):
            out[S_BITS + k] = levels[slot, d, 2 + k]
        out[S_LEVEL] = levels[slot, d, 0] if side[LEVELS] > 0 else np.nan
        out[S_QUARTER] = levels[slot, d, 1]
        ids[m, I_HEADS + d] = side[HEAD]
        ids[m, I_TOTALS + d] = side[TOTAL]
    ids[m, I_FLOW], ids[m, I_TIME], ids[m, I_SLOT] = flow_id, time, slot
    ids[m, I_ROW], ids[m, I_FLAGS] = state[slot, ROW], flags
    for k in range(ENDS_SIZE):
        ids[m, I_ENDS + k] = state[slot, O_HI + k]
    state[slot, DIRTY] = 0


SAMPLE_SIGNATURE = types.intp(
    types.int64[::1],
    types.intp,
    types.int64,
    types.uint64[::1],
    types.int64[:, ::1],
    types.int64[:, :, ::1],
    types.uint32[:, ::1],
    types.uint16[:, :, ::1],
    types.float64[:, :, ::1],
    types.float64[:, :, ::1],
    types.float64[:, ::1],
    types.uint8[:, ::1],
    types.int64[:, ::1],
    types.float64[:, :, ::1],
)


@kernel(SAMPLE_SIGNATURE)
def sample_slots(chosen, n, flags, owners, state, sides, life, window, levels, lives, table, classes, ids, samples):
    """Sample the slots chosen[:n] into ids and samples from their beginning, at the time of their last payload; returns n.

    chosen: int64[m ≥ n]; owners: uint64[slots], flow ids; state: int64[slots, STATE_SIZE]; sides: int64[slots, 2, 16]; life: uint32[slots, 512]; window:
    uint16[slots, 8, 256]; levels: float64[slots, 2, 4]; lives: float64[slots, 2, 14]; ids: int64[m, IDS_SIZE]; samples: float64[m, 2, SAMPLE_SIZE]."""
    held = (state, sides, life, window, levels, lives, table, classes, ids, samples)
    for k in range(n):
        s = chosen[k]
        sample(s, state[s, LAST], flags, int64(owners[s]), held, k)
    return n
