"""How a flow begins that a recogniser may know: fixed bits of its first 16 bytes, perhaps a port.

A recogniser says so with `@begins(…)`. A kernel compares the first payload of each flow with all signatures, and only flows that one of
them fits cost any Python. A signature must fit whatever its recogniser may accept – also the mere beginning of it, when the first segment
is short – and may fit more. A recogniser without signatures is asked about every flow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

TCP: Final = 6
UDP: Final = 17
LENGTH: Final = 16  # bytes that are compared
SPACED_WITHIN: Final = 48  # bytes in which a signature with `spaced` wants a space: a method's name, a tag

# Columns of the table. Words are big-endian; a set bit of a mask is compared.
TRANSPORT: Final = 0
FIRST_MASK: Final = 1
FIRST_VALUE: Final = 2
SECOND_MASK: Final = 3
SECOND_VALUE: Final = 4
PORT: Final = 5  # of one end; 0 = any
SPACED: Final = 6
BIT: Final = 7  # of the recogniser
COLUMNS: Final = 8
MOST_RECOGNIZERS: Final = 62  # of one transport: their bits fit into an int64

Asked = TypeVar("Asked", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Signature:
    """What a direction of a flow begins with."""

    transport: int
    value: bytes = b""
    mask: bytes = b""  # of the same length
    port: int = 0
    spaced: bool = False

    def row(self, bit: int) -> list[int]:
        """Its row of the table."""
        mask, value = self.mask.ljust(LENGTH, b"\0"), self.value.ljust(LENGTH, b"\0")
        words = [int.from_bytes(part[at : at + 8], "big") for at in (0, 8) for part in (mask, value)]
        return [self.transport, *words, self.port, int(self.spaced), 1 << bit]


def exactly(transport: int, *beginnings: bytes) -> list[Signature]:
    """These bytes."""
    return [Signature(transport, some[:LENGTH], b"\xff" * len(some[:LENGTH])) for some in beginnings]


def words(transport: int, *beginnings: bytes) -> list[Signature]:
    """These words in letters of any case."""
    found = []
    for some in beginnings:
        mask = bytes(0xDF if chr(byte).isalpha() else 0xFF for byte in some[:LENGTH])
        value = bytes(byte & bits for byte, bits in zip(some[:LENGTH], mask, strict=True))
        found.append(Signature(transport, value, mask))
    return found


def pattern(transport: int, *digits: str, port: int = 0, spaced: bool = False) -> list[Signature]:
    """Bytes as pairs of hexadecimal digits, `?` for any: "16 03 0?"."""
    found = []
    for text in digits:
        pairs = text.replace(" ", "")
        value = bytes.fromhex(pairs.replace("?", "0"))
        mask = bytes.fromhex("".join("0" if digit == "?" else "f" for digit in pairs))
        found.append(Signature(transport, value, mask, port, spaced))
    return found


def on_ports(transport: int, *ports: int) -> list[Signature]:
    """Anything at these ports."""
    return [Signature(transport, port=port) for port in ports]


def begins(*groups: list[Signature]) -> Callable[[Asked], Asked]:
    """Declare the signatures of a recogniser."""

    def declare(recognizer: Asked) -> Asked:
        recognizer.signatures = [one for group in groups for one in group]  # type: ignore[attr-defined]
        return recognizer

    return declare


def signatures_of(recognizer: object, transport: int) -> list[Signature]:
    """Those of one transport; a recogniser that declares none may know anything."""
    declared: list[Signature] = getattr(recognizer, "signatures", [Signature(transport)])
    return [one for one in declared if one.transport == transport]


def table(tcp: Sequence[object], udp: Sequence[object]) -> NDArray[np.uint64]:
    """Rows for the kernel, uint64[n, COLUMNS]. The bit of a recogniser is its place among those of its transport."""
    rows = []
    for transport, recognizers in ((TCP, tcp), (UDP, udp)):
        if len(recognizers) > MOST_RECOGNIZERS:
            raise ValueError(f"{len(recognizers)} recognisers of one transport; at most {MOST_RECOGNIZERS}")
        for bit, recognizer in enumerate(recognizers):
            rows += [one.row(bit) for one in signatures_of(recognizer, transport)]
    return np.array(rows, np.uint64).reshape(-1, COLUMNS)
