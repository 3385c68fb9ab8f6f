"""The BPF program for an interface, or for all of them, from libpcap's compiler.

libpcap must compile on a live device: the kernel takes VLAN tags out of the frames, and only there does libpcap write the loads that ask the kernel
for them. A program fits one kind of link header; for `any`, where interfaces differ, programs are put behind a jump table on the device's
hardware type, which the kernel offers as a load (SKF_AD_HATYPE). Frames of a device of any other kind do not match.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.broker.packet_socket import ETHERNET, RAW_IP, WIRELESS, Interface
from app.model.errors import CaptureError

Instruction = tuple[int, int, int, int]  # code, jt, jf, k

MAX_FILTER: Final = 4096  # characters
MAX_INSTRUCTIONS: Final = 4096  # BPF_MAXINSNS
MAX_SNAPLEN: Final = 262_144
_LIBRARIES: Final = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so", "libpcap.A.dylib")
_DLT_EN10MB: Final = 1
_DLT_RAW: Final = 12
_COOKED: Final = frozenset({113, 276})  # DLT_LINUX_SLL, SLL2: libpcap's own header, which no raw socket delivers
_NETMASK_UNKNOWN: Final = 0xFFFFFFFF
# classic BPF (linux/bpf_common.h) and SKF_AD_OFF + SKF_AD_HATYPE
_LOAD_WORD, _JUMP, _JUMP_EQUAL, _RETURN = 0x20, 0x05, 0x15, 0x06
_HARDWARE_TYPE: Final = 0xFFFFF000 + 28


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


def _library() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        for function in ("pcap_create", "pcap_open_dead"):
            getattr(library, function).restype = ctypes.c_void_p
        library.pcap_create.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
        for function in ("pcap_activate", "pcap_close", "pcap_datalink", "pcap_geterr"):
            getattr(library, function).argtypes = (ctypes.c_void_p,)
        library.pcap_set_snaplen.argtypes = (ctypes.c_void_p, ctypes.c_int)
        library.pcap_geterr.restype = library.pcap_statustostr.restype = ctypes.c_char_p
        library.pcap_compile.argtypes = (
            ctypes.c_void_p,
            ctypes.POINTER(_Program),
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_uint32,
        )
        return library
    raise CaptureError("no_libpcap", "filters need libpcap, which is not installed (Debian: apt install libpcap0.8)")


def compile_program(
    interface: Interface, known: Sequence[Interface], text: str, snaplen: int, live: bool
) -> list[Instruction]:
    """The program for an interface; index 0 stands for all, those `known` and those to come.

    Without `live` (no rights) it is compiled for the link type only: good to learn whether the text is a filter, not to attach.
    Raises CaptureError `bad_filter` with libpcap's words, `no_libpcap`, `not_supported`. Runs libpcap in this process.
    """
    library = _library()

    def run(device: Interface | None, link: int) -> list[Instruction]:
        handle = _live_handle(library, device, snaplen) if live and device is not None else None
        if handle is not None and library.pcap_datalink(handle) in _COOKED:
            library.pcap_close(handle)
            handle = None
        return _compile(library, handle or library.pcap_open_dead(link, snaplen or MAX_SNAPLEN), text)

    if interface.index == 0:
        return join(_for_all(known, run))
    if interface.hardware in ETHERNET:
        return run(interface, _DLT_EN10MB)
    if interface.hardware in RAW_IP:
        return run(None, _DLT_RAW)
    if interface.hardware in WIRELESS:
        return run(interface, WIRELESS[interface.hardware])
    raise CaptureError(
        "not_supported",
        f"{interface.name}: no filters on devices of hardware type {interface.hardware}; capture without one",
    )


def _for_all(
    known: Sequence[Interface], run: Callable[[Interface | None, int], list[Instruction]]
) -> dict[tuple[int, ...], list[Instruction]]:
    """Hardware types → their program."""
    ethernet = next((one for one in known if one.hardware in ETHERNET and one.up), None)
    programs = {tuple(sorted(ETHERNET)): run(ethernet, _DLT_EN10MB)}
    try:
        programs[tuple(sorted(RAW_IP))] = run(None, _DLT_RAW)
    except CaptureError:
        pass  # a filter on Ethernet fields has no meaning there: such frames do not match
    return programs


def join(programs: dict[tuple[int, ...], list[Instruction]]) -> list[Instruction]:
    """All programs behind a jump table on the hardware type; other types do not match.

    Jumps of a test reach 255 instructions, an unconditional one any distance; so each test jumps over one unconditional jump.
    """
    joined: list[Instruction] = [(_LOAD_WORD, 0, 0, _HARDWARE_TYPE)]
    tests = [(hardware, index) for index, group in enumerate(programs) for hardware in group]
    bodies = list(programs.values())
    table_end = 1 + 2 * len(tests) + 1
    starts = [table_end + sum(len(body) for body in bodies[:index]) for index in range(len(bodies))]
    for hardware, index in tests:
        joined.append((_JUMP_EQUAL, 0, 1, hardware))
        joined.append((_JUMP, 0, 0, starts[index] - len(joined) - 1))
    joined.append((_RETURN, 0, 0, 0))
    for body in bodies:
        joined += body
    if len(joined) > MAX_INSTRUCTIONS:
        raise CaptureError(
            "bad_filter", f"the filter is too long: {len(joined)} instructions, the kernel takes {MAX_INSTRUCTIONS}"
        )
    return joined


def _live_handle(library: Any, interface: Interface, snaplen: int) -> int:
    words = ctypes.create_string_buffer(256)
    handle = library.pcap_create(interface.name.encode(), words)
    if not handle:
        raise CaptureError("failed", f"{interface.name}: {words.value.decode(errors='replace')}")
    library.pcap_set_snaplen(handle, snaplen or MAX_SNAPLEN)
    status = library.pcap_activate(handle)
    if status < 0:
        said = library.pcap_geterr(handle).decode(errors="replace") or library.pcap_statustostr(status).decode(
            errors="replace"
        )
        library.pcap_close(handle)
        raise CaptureError("failed", f"{interface.name}: {said}")
    return int(handle)


def _compile(library: Any, handle: int, text: str) -> list[Instruction]:
    program = _Program()
    try:
        if library.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, _NETMASK_UNKNOWN) != 0:
            raise CaptureError("bad_filter", library.pcap_geterr(handle).decode(errors="replace"))
        # The program is never freed: this process ends with the answer.
        return [(i.code, i.jt, i.jf, i.k) for i in program.instructions[: program.length]]
    finally:
        library.pcap_close(handle)
