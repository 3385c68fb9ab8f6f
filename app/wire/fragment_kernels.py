"""Fragments of IP datagrams: only the first has ports, so those of the last FRAGMENT_SLOTS first ones are kept for the others.

A place is found by a hash of addresses, protocol and identification, and the newer datagram has it: keys: uint64[FRAGMENT_SLOTS], 0 = free; ports:
uint32[FRAGMENT_SLOTS], source << 16 | destination."""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from app.wire.codes import FRAGMENT_SLOTS
from app.wire.load_kernels import multiply_high

MIX = uint64(0x9E3779B97F4A7C15)

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **_OPTIONS)
def fragment_key(src_hi, src_lo, dst_hi, dst_lo, protocol, identification):
    """What tells a datagram from others (RFC 791 § 3.2, RFC 8200 § 4.5); never 0."""
    a = multiply_high(src_hi ^ MIX, src_lo ^ uint64(identification))
    return multiply_high(a ^ dst_hi, dst_lo ^ uint64(protocol) ^ MIX) | uint64(1)


@njit(forceinline=True, **_OPTIONS)
def place_of(key):
    return np.int64(key >> uint64(33)) & (FRAGMENT_SLOTS - 1)


@njit(forceinline=True, **_OPTIONS)
def keep_ports(fragment_keys, fragment_ports, key, ports):
    """The first fragment of a datagram has come."""
    fragment_keys[place_of(key)] = key
    fragment_ports[place_of(key)] = ports


@njit(forceinline=True, **_OPTIONS)
def kept_ports(fragment_keys, fragment_ports, key):
    """What the first fragment of a later one said, -1: not known."""
    place = place_of(key)
    return np.int64(fragment_ports[place]) if fragment_keys[place] == key else np.int64(-1)
