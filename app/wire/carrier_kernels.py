"""The record of an outer datagram: a frame that carries an IP packet in a UDP tunnel belongs to the flow of each."""

from __future__ import annotations

from numba import njit, uint64

from app.wire.codes import CARRIER_LINK_TYPE

_OPTIONS = {"nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def note_carrier(outer, f, ts, vlan, version, protocol, src_port, dst_port):
    """Whose it is, but for the addresses."""
    outer.ts, outer.wire_len, outer.cap_len, outer.interface = ts, f.wire_len, f.cap_len, f.interface
    outer.vlan, outer.ip_version, outer.protocol = vlan, version, protocol
    outer.src_port, outer.dst_port, outer.tcp_flags = src_port, dst_port, 0
    outer.link_type, outer.offset = CARRIER_LINK_TYPE, f.offset


@njit(forceinline=True, **_OPTIONS)
def place_carrier(outer, depth, tunnel, kind, payload_offset, payload_len):
    """How deep in other tunnels, and what it carries."""
    outer.depth, outer.tunnel = depth, tunnel if depth > 0 else uint64(0)
    outer.kind, outer.payload_offset, outer.payload_len = kind, payload_offset, payload_len
