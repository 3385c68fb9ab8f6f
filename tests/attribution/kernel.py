"""What a kernel would say: format files as Linux 6.18 writes them, and ring-buffer pages made by hand."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

COMMON = """\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
"""


def form(number: int, fields: str) -> str:
    return f'name: x\nID: {number}\nformat:\n{COMMON}\n{fields}\nprint fmt: ""\n'


FORMATS = {
    "sock/inet_sock_set_state": form(
        1,
        "\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n"
        "\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;\n\tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;\n"
        "\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n\tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;\n"
        "\tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;\n\tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;\n"
        "\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n\tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;\n"
        "\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;\n",
    ),
    "fib/fib_table_lookup": form(
        2,
        "\tfield:u8 proto;\toffset:24;\tsize:1;\tsigned:0;\n\tfield:__u8 src[4];\toffset:28;\tsize:4;\tsigned:0;\n"
        "\tfield:__u8 dst[4];\toffset:32;\tsize:4;\tsigned:0;\n\tfield:u16 sport;\toffset:56;\tsize:2;\tsigned:0;\n"
        "\tfield:u16 dport;\toffset:58;\tsize:2;\tsigned:0;\n",
    ),
    "task/task_newtask": form(
        4,
        "\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
        "\tfield:u64 clone_flags;\toffset:32;\tsize:8;\tsigned:0;\n",
    ),
    "sched/sched_process_exec": form(
        5,
        "\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n",
    ),
}


def _head(number: int, pid: int, flags: int = 0) -> bytes:
    return struct.pack("<HBBi", number, flags, 0, pid)


def state(
    pid: int, socket: int, old: int, new: int, sport: int, dport: int, source: bytes, target: bytes, flags: int = 0
) -> bytes:
    fields = struct.pack("<QiiHHHH", socket, old, new, sport, dport, 10, 6)
    return _head(1, pid, flags) + fields + bytes(8) + source + target


def lookup(pid: int, protocol: int, source: bytes, target: bytes, sport: int, dport: int) -> bytes:
    body = bytes(16) + bytes([protocol, 0, 0, 0]) + source + target + bytes(20) + struct.pack("<HH", sport, dport)
    return _head(2, pid) + body


def new_task(creator: int, pid: int, name: str, flags: int = 0) -> bytes:
    return _head(4, creator) + struct.pack("<i16s4xQ", pid, name.encode(), flags)


def became(pid: int, path: str) -> bytes:
    text = path.encode() + b"\0"
    return _head(5, pid) + struct.pack("<Ii", 16 | len(text) << 16, pid) + text


def page(events: Iterable[tuple[int, bytes]], missed: bool = False) -> bytes:
    """(time in ns, event) pairs as one page; a long gap becomes a time extension."""
    stamp, data = None, b""
    first = 0
    for at, event in events:
        if stamp is None:
            first = stamp = at
        delta = at - stamp
        if delta >= 1 << 27:
            data += struct.pack("<II", 30 | (delta & (1 << 27) - 1) << 5, delta >> 27)
            delta = 0
        stamp = at
        event += bytes(-len(event) % 4)
        if len(event) <= 112:
            data += struct.pack("<I", len(event) // 4 | delta << 5) + event
        else:
            data += struct.pack("<II", delta << 5, len(event) + 4) + event
    commit = len(data) | (1 << 31 if missed else 0)
    return (struct.pack("<QQ", first, commit) + data).ljust(4096, b"\0")


class Pipe:
    """Pages, one a read, like trace_pipe_raw: a socket pair keeps their borders."""

    def __init__(self) -> None:
        import socket

        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._far.setblocking(False)
        self.descriptor = self._far.fileno()

    def write(self, data: bytes) -> None:
        self._near.send(data)

    def close(self) -> None:
        self._near.close()
        self._far.close()


def null() -> int:
    return os.open(os.devnull, os.O_RDWR)
