"""Where card numbers may be in a stretch of bytes: cheap questions first, so that text, ciphertext and pictures cost next to nothing.

A number of 13 digits with single separators covers at least 13 bytes, so of every 13th byte one lies inside; from it seven bytes to the left or to
the right are digits or punctuation (0x20 … 0x3F). Two 8-byte loads answer that. Only then a run is read, and only what has an issuer's
prefix, a length and a valid check digit becomes an event. Other writings (UTF-16, base64, EBCDIC …) are looked for where a sample of the bytes looks like them.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np
from numba import int64, njit, types, uint64

from app.native.declare import kernel, stack_array
from app.wire import card_layout as at
from app.wire.load_kernels import load64, peek

_OPTIONS = {"nogil": True, "error_model": "numpy"}

SEVEN = uint64(0xE0E0E0E0E0E0E000)
PUNCTUATION = uint64(0x2020202020202000)
_groups = stack_array((2, 8), types.int64)
SAMPLES = 32
BYTES_SIGNATURE = types.intp(types.uint8[::1], types.intp, types.intp, types.int64[:, ::1])
# Base64 of ASCII digits, spaces and dashes: bit k = the byte may be the k-th of four characters (twice, so that a shift rotates)
_QUADS = (b"MNOIL", b"DTjzCSiy", b"AEIMQUYcgk0", b"wxyz012345gt")
QUAD = np.array([sum((1 << k | 1 << (k + 4)) for k in range(4) if code in _QUADS[k]) for code in range(256)], np.uint8)
_LETTERS = (b"\x40\x4b\x4d\x4e\x50\x5b\x5c\x5d\x60\x61\x6b\x6c\x6d\x6e\x6f\x7a\x7b\x7d\x7e\x7f") + bytes(
    code for low in (0x81, 0x91, 0xC1, 0xD1, 0xF0) for code in range(low, low + 9 + (low == 0xF0))
)
# What a sampled byte looks like: 1 control, 2 NUL, 4 above 0x7F, 8 EBCDIC
LOOK = np.array(
    [
        (1 if (code < 32 and code not in (0, 9, 10, 13)) or code == 127 else 0)
        | (2 if code == 0 else 0)
        | (4 if code > 127 else 0)
        | (8 if code in _LETTERS or 0xA2 <= code <= 0xA9 or 0xE2 <= code <= 0xE9 else 0)
        for code in range(256)
    ],
    np.uint8,
)


@njit(forceinline=True, **_OPTIONS)
def is_digit(c):
    return c >= 48 and c <= 57


@njit(**_OPTIONS)
def brand_code(four, n):
    """Index into `card_numbers.BRANDS` for the first four digits and the length."""
    two = four // 100
    one = four // 1000
    if n == 16 and (51 <= two <= 55 or 2221 <= four <= 2720):
        return 2
    if one == 4:
        return 1 if n == 13 or n == 16 or n == 19 else 0
    if n == 15 and (two == 34 or two == 37):
        return 3
    if n >= 16:
        if two == 62 or two == 81:
            return 7
        if four == 6011 or 6440 <= four <= 6499 or two == 65:
            return 4
        if 3528 <= four <= 3589:
            return 6
    if (n == 14 or n == 16 or n == 19) and (
        3000 <= four <= 3059 or four == 3095 or two == 36 or two == 38 or two == 39
    ):
        return 5
    if two == 50 or 56 <= two <= 58 or four == 6304 or four == 6390 or two == 67:
        return 8
    return 0


@njit(**_OPTIONS)
def is_number(buf, start, end, n):
    """Whether the n digits in buf[start:end] (other bytes are passed over) are a card number by prefix, length and check digit."""
    four = int64(0)
    k = int64(0)
    total = int64(0)
    first = int64(-1)
    same = True
    for i in range(start, end):
        d = int64(peek(buf, i)) - 48
        if d < 0 or d > 9:
            continue
        if k < 4:
            four = four * 10 + d
            if k == 3 and brand_code(four, n) == 0:
                return False
        if first < 0:
            first = d
        elif d != first:
            same = False
        if (n - k) & 1 == 0:
            d = d * 2 - 9 if d > 4 else d * 2
        total += d
        k += 1
    return total % 10 == 0 and not same and k == n


@njit(**_OPTIONS)
def put(events, count, kind, start, end, joint):
    """Note an event; those that do not lie across `joint` (-1 = anywhere) are the affair of another call."""
    if count >= len(events) or (joint >= 0 and not start < joint < end):
        return count
    events[count, at.KIND] = kind
    events[count, at.START] = start
    events[count, at.END] = end
    return count + 1


@njit(**_OPTIONS)
def read_run(buf, s, t, events, count, joint):
    """Numbers in buf[s:t], all of it digits and punctuation: groups of digits with one kind of separator between them."""
    groups = _groups()
    kept = int64(0)
    kind = int64(0)  # of the separators in the chain of groups
    escapes = int64(0)
    long_told = False
    i = s
    while i < t:
        if not is_digit(peek(buf, i)):
            i += 1
            continue
        j = i + 1
        while j < t and is_digit(peek(buf, j)):
            j += 1
        first, length = i, j - i
        before = int64(peek(buf, i - 1)) if i > s else int64(0)
        gap = i - groups[1, kept - 1] if kept else int64(-1)
        if before == 37 or before == 61:  # % and =
            if length == 2 and peek(buf, i) == 51:
                escapes += 1
                if escapes == 4:
                    count = put(events, count, at.PERCENT, i - 10, j, joint)
            elif length != 2:
                escapes = int64(0)
            if before == 37 and length > 2:  # an escape, then digits
                first, length = i + 2, length - 2
                before = 1000 + int64(peek(buf, i)) * 16 + int64(peek(buf, i + 1))
        else:
            escapes = int64(0)
        separated = gap == 1 and (before == 32 or before == 45 or before == 46 or before == 43 or before >= 1000)
        if not separated:
            kept = int64(0)
        elif kept > 1 and before != kind:
            groups[0, 0], groups[1, 0] = groups[0, kept - 1], groups[1, kept - 1]
            kept = int64(1)
        kind = before
        if kept == 8:
            for k in range(7):
                groups[0, k], groups[1, k] = groups[0, k + 1], groups[1, k + 1]
            kept = int64(7)
        groups[0, kept], groups[1, kept] = first, j
        kept += 1
        if length >= 8:
            if length > 19 and not long_told:
                long_told = True
                count = put(events, count, at.LONG, first, j, joint)
            for k in range(first, j - 7):
                if peek(buf, k) == 51 and peek(buf, k + 2) == 51 and peek(buf, k + 4) == 51 and peek(buf, k + 6) == 51:
                    count = put(events, count, at.HEX, k, j, joint)
                    break
        if 13 <= length <= 19 and is_number(buf, first, j, length):
            count = put(events, count, at.PLAIN, first, j, joint)
        total = length
        for back in range(2, kept + 1):
            k = kept - back
            total += groups[1, k] - groups[0, k]
            if total > 19 or back > 6:
                break
            if total >= 13:
                size = groups[1, k] - groups[0, k]
                if before < 1000:
                    if (size == 4 or size == 6) and is_number(buf, groups[0, k], j, total):
                        count = put(events, count, at.PLAIN, groups[0, k], j, joint)
                elif size == 4 or size == 6:
                    count = put(events, count, at.PERCENT, groups[0, k], j, joint)
        i = j
    return count


@njit(forceinline=True, **_OPTIONS)
def quad(buf, i):
    return int64(QUAD[int64(peek(buf, i))])


@njit(**_OPTIONS)
def find_base64(buf, a, e, events, count, joint):
    """Stretches of 16 characters and more that are base64 of digits: 13 digits give so many, wherever they begin in a group of three."""
    done = a
    p = a + 12
    while p + 4 <= e:
        chain = quad(buf, p) & quad(buf, p + 1) >> 1 & quad(buf, p + 2) >> 2 & quad(buf, p + 3) >> 3 & 15
        if chain != 0 and p >= done:
            for k in range(4):
                if chain >> k & 1 == 0:
                    continue
                s = p
                while s > a and quad(buf, s - 1) >> ((k + s - 1 - p) & 3) & 1:
                    s -= 1
                t = p + 4
                while t < e and quad(buf, t) >> ((k + t - p) & 3) & 1:
                    t += 1
                if t - s >= 14:
                    # aligned so that START is the first of four characters
                    count = put(events, count, at.BASE64, s + ((4 - (k + s - p)) & 3), t, joint)
                    done = t
                    break
        p += 13
    return count


@njit(**_OPTIONS)
def find_wide(buf, a, e, events, count, joint):
    """Digits of UTF-16, either byte order: every second byte is NUL."""
    done = a
    p = a + 12
    while p < e:
        if p >= done and is_digit(peek(buf, p)):
            zero_after = p + 2 < e and peek(buf, p + 1) == 0 and is_digit(peek(buf, p + 2))
            zero_before = p - 2 >= a and peek(buf, p - 1) == 0 and is_digit(peek(buf, p - 2))
            if zero_after or zero_before:
                s, t, digits = p, p, int64(1)
                while s - 2 >= a and peek(buf, s - 1) == 0:
                    c = peek(buf, s - 2)
                    if is_digit(c):
                        digits += 1
                    elif c != 32 and c != 45:
                        break
                    s -= 2
                while t + 2 < e and peek(buf, t + 1) == 0:
                    c = peek(buf, t + 2)
                    if is_digit(c):
                        digits += 1
                    elif c != 32 and c != 45:
                        break
                    t += 2
                if digits >= 13:
                    count = put(events, count, at.UTF16, s, t + 1, joint)
                done = t + 1
        p += 13
    return count


@njit(**_OPTIONS)
def find_fullwidth(buf, a, e, events, count, joint):
    """EF BC 90 … EF BC 99, one behind the other."""
    done = a
    p = a + 12
    while p < e:
        c = peek(buf, p)
        if (
            p >= done
            and c >= 0x90
            and c <= 0x99
            and p - 2 >= a
            and peek(buf, p - 1) == 0xBC
            and peek(buf, p - 2) == 0xEF
        ):
            s, t = p - 2, p + 1
            while s - 3 >= a and peek(buf, s - 3) == 0xEF and peek(buf, s - 2) == 0xBC and peek(buf, s - 1) >> 4 == 9:
                s -= 3
            while t + 3 <= e and peek(buf, t) == 0xEF and peek(buf, t + 1) == 0xBC and peek(buf, t + 2) >> 4 == 9:
                t += 3
            if t - s >= 9:
                count = put(events, count, at.FULLWIDTH, s, t, joint)
            done = t
        p += 13
    return count


@njit(**_OPTIONS)
def find_ebcdic(buf, a, e, events, count, joint):
    """F0 … F9 with 40 (space) or 60 (dash) between groups."""
    done = a
    p = a + 12
    while p < e:
        c = peek(buf, p)
        if p >= done and c >= 0xF0 and c <= 0xF9:
            s, t, digits = p, p + 1, int64(1)
            while s > a:
                c = peek(buf, s - 1)
                if c >= 0xF0 and c <= 0xF9:
                    digits += 1
                elif c != 0x40 and c != 0x60:
                    break
                s -= 1
            while t < e:
                c = peek(buf, t)
                if c >= 0xF0 and c <= 0xF9:
                    digits += 1
                elif c != 0x40 and c != 0x60:
                    break
                t += 1
            if digits >= 13:
                count = put(events, count, at.EBCDIC, s, t, joint)
            done = t
        p += 13
    return count


@njit(**_OPTIONS)
def find_packed(buf, a, e, events, count, joint):
    """Tags 57 (track 2) and 5A (number) of EMV with packed digits."""
    for p in range(a, e - 9):
        c = peek(buf, p)
        if c != 0x57 and c != 0x5A:
            continue
        size = int64(peek(buf, p + 1))
        if size < 7 or size > 19 or p + 2 + size > e or (c == 0x5A and size > 10):
            continue
        good = int64(0)
        while good < 6 and peek(buf, p + 2 + good) & 15 <= 9 and peek(buf, p + 2 + good) >> 4 <= 9:
            good += 1
        if good == 6:
            count = put(events, count, at.PACKED, p, p + 2 + size, joint)
    return count


@njit(forceinline=True, **_OPTIONS)
def seven_about(buf, p):
    """Are the seven bytes that end at p, or the seven that begin there, digits and punctuation?"""
    return (load64(buf, p - 6) & SEVEN == PUNCTUATION) | (load64(buf, p) & SEVEN == PUNCTUATION)


@njit(**_OPTIONS)
def scan_span(buf, a, e, events, count, joint):
    """All there may be in buf[a:e]; returns the number of events."""
    limit = min(e, int64(len(buf)) - 7)  # loads of eight bytes may begin before it
    done = a
    p = a + 12
    if e > a and e - a < 13:
        return count
    while p < e:
        # two places at a time: one branch that is hardly ever taken
        while p + 13 < limit and not (seven_about(buf, p) | seven_about(buf, p + 13)):
            p += 26
        if p >= e:
            break
        if not seven_about(buf, p) if p < limit else peek(buf, p) & 0xE0 != 0x20:
            p += 13
            continue
        if p < done or not (is_digit(peek(buf, p)) or (p + 1 < e and is_digit(peek(buf, p + 1)))):
            p += 13
            continue
        s, t = p, p + 1
        while s > done and peek(buf, s - 1) & 0xE0 == 0x20:
            s -= 1
        while t < e and peek(buf, t) & 0xE0 == 0x20:
            t += 1
        if t - s >= 12:
            count = read_run(buf, s, t, events, count, joint)
        done = t
        p += 13
    step = max(int64(1), (e - a) // SAMPLES)
    control, nul, high, ebcdic, looked = int64(0), int64(0), int64(0), int64(0), int64(0)
    k = a
    while k < e:
        look = int64(LOOK[int64(peek(buf, k))])
        control += look & 1
        nul += look >> 1 & 1
        high += look >> 2 & 1
        ebcdic += look >> 3 & 1
        looked += 1
        k += step
    if nul * 5 >= looked:
        count = find_wide(buf, a, e, events, count, joint)
    if ebcdic * 8 >= looked * 7:
        count = find_ebcdic(buf, a, e, events, count, joint)
    if high and control * 16 <= looked:
        count = find_fullwidth(buf, a, e, events, count, joint)
    if (control + high + nul) * 4 <= looked:
        count = find_base64(buf, a, e, events, count, joint)
    elif e - a <= 1024:
        count = find_packed(buf, a, e, events, count, joint)
    return count


@kernel(BYTES_SIGNATURE)
def scan_bytes(buf, start, end, events):
    """Events in buf[start:end], a stretch on its own: int64[:, COLUMNS], as many as there is room for; returns how many."""
    return scan_span(buf, start, end, events, 0, int64(-1))


@kernel(types.intp(types.uint8[::1], types.intp, types.int64[:, ::1]))
def scan_packets(buf, size, events):
    """The events of all stretches of `size` bytes, overwritten as they come: for measuring. Returns how many."""
    total = int64(0)
    i = int64(0)
    n = int64(len(buf))
    while i < n:
        total += scan_span(buf, i, min(i + size, n), events, 0, int64(-1))
        i += size
    return total
