"""Zeek's history letters, who opened the connection, and whether it is closed – from the flags of each packet.

Letters: S = SYN, H = SYN-ACK, A = bare acknowledgement, D = data, F = FIN, R = RST; upper case from the originator; each is noted once per direction.
"""

from __future__ import annotations

from numba import int64, njit, uint64

from app.flow import layout as at

STATE, HISTORY = at.STATE, at.HISTORY
SEEN_SHIFT, ORIGINATOR_B, ORIGINATOR_CERTAIN, CLOSED = at.SEEN_SHIFT, at.ORIGINATOR_B, at.ORIGINATOR_CERTAIN, at.CLOSED
SYN, SYN_ACK, ACKED, DATA, FIN, RST = (
    at.SEEN_SYN,
    at.SEEN_SYN_ACK,
    at.SEEN_ACK,
    at.SEEN_DATA,
    at.SEEN_FIN,
    at.SEEN_RST,
)

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def add_letter(tcp, r, letter):
    """Append to the history; full after 24 letters."""
    for word in range(3):
        value = uint64(tcp[r, HISTORY + word])
        if value >> uint64(56):
            continue
        for k in range(8):
            if (value >> uint64(8 * k)) & uint64(0xFF) == 0:
                tcp[r, HISTORY + word] = int64(value | uint64(letter) << uint64(8 * k))
                return


@njit(**_OPTIONS)
def swap_case(tcp, r):
    """The other endpoint turned out to be the originator: upper and lower case change places."""
    for word in range(3):
        value = uint64(tcp[r, HISTORY + word])
        for k in range(8):
            letter = (value >> uint64(8 * k)) & uint64(0xFF)
            if letter >= 65 and letter != 94:
                value ^= uint64(32) << uint64(8 * k)
        tcp[r, HISTORY + word] = int64(value)


@njit(**_OPTIONS)
def note_events(rows, tcp, r, d, seen):
    """New history bits of direction d: letters, originator, closed state."""
    state = rows[r, STATE]
    if seen & SYN and state & ORIGINATOR_CERTAIN == 0:
        state |= ORIGINATOR_CERTAIN
        if (1 if state & ORIGINATOR_B else 0) != d:
            state ^= ORIGINATOR_B
            swap_case(tcp, r)
    shift = SEEN_SHIFT * d
    fresh = seen & ~(state >> shift) & 0xFF
    upper = 0 if (1 if state & ORIGINATOR_B else 0) == d else 32
    if fresh & SYN:
        add_letter(tcp, r, 83 + upper)
    if fresh & SYN_ACK:
        add_letter(tcp, r, 72 + upper)
    if fresh & ACKED:
        add_letter(tcp, r, 65 + upper)
    if fresh & DATA:
        add_letter(tcp, r, 68 + upper)
    if fresh & FIN:
        add_letter(tcp, r, 70 + upper)
    if fresh & RST:
        add_letter(tcp, r, 82 + upper)
    state |= (seen & 0xFF) << shift
    both = (state & 0xFF) & ((state >> SEEN_SHIFT) & 0xFF)
    if both & FIN or (state | state >> SEEN_SHIFT) & RST:
        state |= CLOSED
    rows[r, STATE] = state


@njit(forceinline=True, **_OPTIONS)
def segment_events(flags, length):
    """History bits of one TCP segment."""
    seen = int64(0)
    if flags & 2:
        seen |= SYN_ACK if flags & 16 else SYN
    elif flags & 16 and length == 0 and flags & 5 == 0:
        seen |= ACKED
    if length > 0:
        seen |= DATA
    if flags & 1:
        seen |= FIN
    if flags & 4:
        seen |= RST
    return seen
