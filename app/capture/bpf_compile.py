"""Filter text to a classic BPF program, by libpcap, for frames of a given link type.

Programs for live sockets are compiled by the broker on a live handle: the kernel takes VLAN tags out of frames, and only there does libpcap
write the loads that ask for them. Standard library only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import struct
import tempfile
from functools import lru_cache
from typing import Any, Final

from app.model.errors import CaptureError

Instruction = tuple[int, int, int, int]  # code, jt, jf, k
MAX_FILTER_TEXT: Final = 8192
MAX_SNAPLEN: Final = 262_144
_NAMES: Final = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")
_NETMASK_UNKNOWN: Final = 0xFFFFFFFF
_DLT_RAW: Final = 12
_LOOPBACK: Final = frozenset({0, 108})  # LINKTYPE_NULL, LINKTYPE_LOOP: an address family in front of IP
# LINKTYPE_ numbers whose DLT_ number is another one (libpcap, pcap-common.c).
_DLT_OF: Final[dict[int, int]] = {101: _DLT_RAW, 14: _DLT_RAW, 100: 11, 102: 15, 103: 16, 106: 19}


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


@lru_cache(maxsize=1)
def _libpcap() -> Any:
    found = ctypes.util.find_library("pcap") or ctypes.util.find_library("wpcap")
    for name in (*_NAMES, found):
        if not name:
            continue
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
        library.pcap_open_offline.restype = ctypes.c_void_p
        library.pcap_open_offline.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        library.pcap_compile.argtypes = (
            ctypes.c_void_p,
            ctypes.POINTER(_Program),
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint32,
        )
        library.pcap_geterr.restype = ctypes.c_char_p
        library.pcap_geterr.argtypes = (ctypes.c_void_p,)
        library.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
        library.pcap_close.argtypes = (ctypes.c_void_p,)
        return library
    return None


def compile_dead(
    text: str, link_type: int, snaplen: int = MAX_SNAPLEN, *, big_endian: bool | None = None
) -> list[Instruction]:
    """The optimised program for frames of a LINKTYPE_; its return value for a match is `snaplen`.

    `big_endian`: the byte order of the file that the frames are in, which matters to loopback captures of the BSDs and macOS.
    Raises CaptureError: bad_filter with libpcap's own words, no_libpcap where the library is missing.
    """
    library = _require(text)
    handle = None
    if big_endian is not None and link_type in _LOOPBACK:
        handle = _file_handle(library, link_type, snaplen or MAX_SNAPLEN, ">" if big_endian else "<")
    handle = handle or library.pcap_open_dead(_DLT_OF.get(link_type, link_type), snaplen or MAX_SNAPLEN)
    if not handle:
        raise CaptureError("failed", "libpcap is out of memory")
    return _compile(library, handle, text)


def _file_handle(library: Any, link_type: int, snaplen: int, order: str) -> Any:
    """libpcap's handle on a file without packets. With it, libpcap looks for the address families of every system; without, of this one."""
    descriptor, path = tempfile.mkstemp(suffix=".pcap")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link_type))
        return library.pcap_open_offline(os.fsencode(path), ctypes.create_string_buffer(256))
    finally:
        os.unlink(path)


def _require(text: str) -> Any:
    """The library, after a look at the text."""
    if "\0" in text or len(text) > MAX_FILTER_TEXT:
        raise CaptureError("bad_filter", f"a filter is text of at most {MAX_FILTER_TEXT} characters without NUL")
    library = _libpcap()
    if library is None:
        raise CaptureError(
            "no_libpcap", "filters need libpcap, which is not installed (Debian: apt install libpcap0.8)"
        )
    return library


def _compile(library: Any, handle: Any, text: str) -> list[Instruction]:
    """Compile on a handle, and close it."""
    try:
        program = _Program()
        if (
            library.pcap_compile(handle, ctypes.byref(program), text.encode("utf-8", "replace"), 1, _NETMASK_UNKNOWN)
            != 0
        ):
            raise CaptureError("bad_filter", library.pcap_geterr(handle).decode("utf-8", "replace"))
        try:
            return [(i.code, i.jt, i.jf, i.k) for i in program.instructions[: program.length]]
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)
