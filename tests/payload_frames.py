"""Frames of one flow around given payload, quickly: no checksums, which the decoder does not look at."""

from __future__ import annotations

import gzip
import os
import random
import socket
import struct
from pathlib import Path

ETHERNET = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00"


def ip(protocol: int, src: str, dst: str, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return ETHERNET + head + socket.inet_aton(src) + socket.inet_aton(dst) + body


def udp(src: str, sport: int, dst: str, dport: int, payload: bytes) -> bytes:
    return ip(17, src, dst, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


class Tcp:
    """One connection: `handshake()`, then `send(direction, payload)`; direction 0 is from the originator."""

    def __init__(self, sport: int = 40000, dport: int = 9000, src: str = "10.0.0.1", dst: str = "192.0.2.9") -> None:
        self.ends = ((src, sport), (dst, dport))
        self.next = [1000, 5000]

    def frame(self, direction: int, flags: int, payload: bytes = b"") -> bytes:
        (src, sport), (dst, dport) = self.ends if direction == 0 else self.ends[::-1]
        head = struct.pack(
            "!HHIIBBHHH", sport, dport, self.next[direction], self.next[1 - direction], 0x50, flags, 65535, 0, 0
        )
        self.next[direction] += len(payload) + (flags & 2 > 0) + (flags & 1)
        return ip(6, src, dst, head + payload)

    def handshake(self) -> list[bytes]:
        return [self.frame(0, 2), self.frame(1, 18), self.frame(0, 16)]

    def send(self, direction: int, payload: bytes, size: int = 1000) -> list[bytes]:
        return [self.frame(direction, 24, payload[at : at + size]) for at in range(0, len(payload), size)]


# English prose with tables, as the pages of docs/ were once: what is measured over it must not change with them.
WORDS = gzip.decompress((Path(__file__).parent / "data" / "running_text.txt.gz").read_bytes())


def text(size: int, seed: int = 0) -> bytes:
    """Running text."""
    start = random.Random(seed).randrange(max(1, len(WORDS) - size))
    return (WORDS[start:] + WORDS)[:size]


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def gzipped(size: int, seed: int = 0) -> bytes:
    """The beginning of a gzip file of text that does not repeat itself."""
    chosen = random.Random(seed)
    words = WORDS.split()
    body = b" ".join(chosen.choice(words) for _ in range(size))
    return gzip.compress(body, mtime=0)[:size]


def encrypted(size: int, seed: int = 0) -> bytes:
    """AES-128-CTR of zeros."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = noise(16, seed)
    return Cipher(algorithms.AES(key), modes.CTR(noise(16, seed + 1))).encryptor().update(bytes(size))


def _begins_like_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def executables() -> list[Path]:
    """ELF programs of this machine, at most 60."""
    found = sorted(Path("/usr/bin").iterdir())
    programs = [p for p in found if p.is_file() and not p.is_symlink() and os.access(p, os.R_OK)]
    return [p for p in programs if p.stat().st_size > 1 << 15 and _begins_like_elf(p)][:60]
