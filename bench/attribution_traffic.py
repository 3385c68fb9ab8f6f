"""Connections whose owner is known, because the process that makes them says so: one JSON line each on stdout. Run as a script, standard library only.

`client KIND PROTO HOST PORT COUNT HOLD_MS` and `server HOST` (TCP and UDP echo; prints its ports first). A line is
`{proto, local, remote, pid, sent, recv}`: payload bytes as the process counted them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import sys
import threading
import time

PAYLOAD = b"x" * 400
GAP_SECONDS = 0.004


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def say(proto: str, local: tuple[object, ...], remote: tuple[object, ...], pid: int, sent: int, recv: int) -> None:
    line = {"proto": proto, "local": [*local[:2]], "remote": [*remote[:2]], "pid": pid, "sent": sent, "recv": recv}
    os.write(1, (json.dumps(line) + "\n").encode())


def open_one(proto: str, host: str, port: int) -> socket.socket:
    """A connection with one exchange done."""
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(family(host), kind)
    sock.settimeout(2)
    sock.connect((host, port))
    sock.send(PAYLOAD)
    with contextlib.suppress(OSError):
        sock.recv(4096)
    return sock


def done(proto: str, sock: socket.socket, pid: int | None = None) -> None:
    with contextlib.suppress(OSError):
        say(proto, sock.getsockname(), sock.getpeername(), pid or os.getpid(), len(PAYLOAD), len(PAYLOAD))
    sock.close()


def plain(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """One long-lived process; connections are held beside each other."""
    held: list[tuple[float, socket.socket]] = []
    for _ in range(count):
        sock = open_one(proto, host, port)
        if hold == 0:
            done(proto, sock)
        else:
            held.append((time.monotonic() + hold, sock))
        time.sleep(GAP_SECONDS)
        while held and held[0][0] <= time.monotonic():
            done(proto, held.pop(0)[1])
    for due, sock in held:
        time.sleep(max(0.0, due - time.monotonic()))
        done(proto, sock)


def forked(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """A process for each connection, gone right after."""
    for _ in range(count):
        child = os.fork()
        if child == 0:
            sock = open_one(proto, host, port)
            time.sleep(hold)
            done(proto, sock)
            os._exit(0)
        os.waitpid(child, 0)


def threads(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """A thread for each connection: its number is not the process's."""

    def one() -> None:
        sock = open_one(proto, host, port)
        time.sleep(hold)
        done(proto, sock)

    for _ in range(count):
        thread = threading.Thread(target=one)
        thread.start()
        thread.join()


def executed(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """Connect, then become another program that keeps the connection."""
    for _ in range(count):
        child = os.fork()
        if child == 0:
            sock = open_one(proto, host, port)
            say(proto, sock.getsockname(), sock.getpeername(), os.getpid(), len(PAYLOAD), len(PAYLOAD))
            os.set_inheritable(sock.fileno(), True)
            os.execv("/bin/sleep", ["sleep", str(hold)])
        os.waitpid(child, 0)


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("length", ctypes.c_uint),
    )


def many(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """sendmmsg(2) on an unconnected socket for each."""
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(count):
        sock = socket.socket(family(host), socket.SOCK_DGRAM)
        sock.settimeout(2)
        packed = socket.inet_pton(family(host), host)
        if ":" in host:
            raw = struct.pack("=HHI16sI", socket.AF_INET6, socket.htons(port), 0, packed, 0)
        else:
            raw = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), packed)
        name = ctypes.create_string_buffer(raw, len(raw))
        body = ctypes.create_string_buffer(PAYLOAD, len(PAYLOAD))
        part = (ctypes.c_size_t * 2)(ctypes.addressof(body), len(PAYLOAD))
        message = _Message(ctypes.addressof(name), len(raw), ctypes.addressof(part), 1, None, 0, 0, 0)
        libc.sendmmsg(sock.fileno(), ctypes.byref(message), 1, 0)
        with contextlib.suppress(OSError):
            sock.recv(4096)
        local = (host_of(sock, host, port), sock.getsockname()[1])
        time.sleep(hold)
        say("udp", local, (host, port), os.getpid(), len(PAYLOAD), len(PAYLOAD))
        sock.close()


def host_of(sock: socket.socket, host: str, port: int) -> str:
    """The address an unconnected socket sends from."""
    with socket.socket(sock.family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def raw(proto: str, host: str, port: int, count: int, hold: float) -> None:
    """UDP written by hand on a raw socket (IPv4): no UDP socket has its port."""
    for number in range(count):
        sport = 20_000 + number
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        sock.connect((host, port))
        sock.send(struct.pack(">HHHH", sport, port, 8 + len(PAYLOAD), 0) + PAYLOAD)
        say("udp", (sock.getsockname()[0], sport), (host, port), os.getpid(), len(PAYLOAD), 0)
        time.sleep(hold + GAP_SECONDS)
        sock.close()


KINDS = {
    "plain": plain, "forked": forked, "threads": threads, "executed": executed, "many": many, "raw": raw,
}  # fmt: skip


def server(host: str) -> None:
    """Echo until stdin ends. Each TCP connection is held until the other end closes it. Says whose they were."""
    listener = socket.socket(family(host))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, 0))
    listener.listen(256)
    datagrams = socket.socket(family(host), socket.SOCK_DGRAM)
    datagrams.bind((host, 0))
    print(
        json.dumps({"tcp": listener.getsockname()[1], "udp": datagrams.getsockname()[1], "pid": os.getpid()}),
        flush=True,
    )
    poller = select.poll()
    connections: dict[int, socket.socket] = {}
    for one in (sys.stdin, listener, datagrams):
        poller.register(one, select.POLLIN)
    while True:
        for number, _ in poller.poll():
            if number == sys.stdin.fileno():
                return
            if number == listener.fileno():
                connection, _ = listener.accept()
                connections[connection.fileno()] = connection
                poller.register(connection, select.POLLIN)
            elif number == datagrams.fileno():
                data, sender = datagrams.recvfrom(4096)
                datagrams.sendto(data, sender)
            else:
                connection = connections[number]
                try:
                    data = connection.recv(4096)
                    if data:
                        connection.send(data)
                        continue
                except OSError:
                    pass
                poller.unregister(number)
                del connections[number]
                connection.close()


def main(arguments: list[str]) -> None:
    if arguments[0] == "server":
        server(arguments[1])
        return
    kind, proto, host, port, count, hold = arguments[1:]
    KINDS[kind](proto, host, int(port), int(count), int(hold) / 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
