"""The card scanner's kernel beside `re` with Luhn, over the same bytes in packets of 1,460: `python -m bench.cards`.

Both look at JSON with numbers, English words and random bytes (as ciphertext looks). The ratio is of medians of interleaved runs in one process.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.dpi.cards.detect import Scanner
from app.native.call import EACH_CALL
from app.native.loader import kernel
from app.wire import card_layout as at
from app.wire.card_numbers import luhn

PACKET: Final = 1460
SIZE: Final = 8 << 20
GOALS: Final = {"json": 50.0, "random": 150.0}
_NUMBER: Final = re.compile(rb"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_WORDS: Final = "the of and to in is that it was for on are with as at be this have from or had by word but what some we can out other".split()  # noqa: SIM905


def corpora() -> dict[str, bytes]:
    """The same bytes each time."""
    draw = random.Random(20261121)
    records = []
    while sum(map(len, records)) < SIZE:
        record = {
            "order": draw.randrange(10**6), "amount": f"{draw.uniform(1, 999):.2f}", "ts": 1_700_000_000_000 + draw.randrange(10**10),
            "user": {"id": draw.randrange(10**9), "name": f"user{draw.randrange(10**4)}", "mail": f"u{draw.randrange(10**4)}@example.org"},
            "items": [{"sku": f"A-{draw.randrange(10**4)}", "qty": draw.randrange(9), "price": round(draw.uniform(1, 99), 2)} for _ in range(3)],
            "note": " ".join(draw.choice(_WORDS) for _ in range(12)),
        }  # fmt: skip
        if draw.random() < 0.02:
            record["card"] = "4111 1111 1111 1111"
        records.append(json.dumps(record, separators=(",", ":")).encode())
    words = " ".join(draw.choice(_WORDS) for _ in range(SIZE // 4)).encode()
    return {"json": b"\n".join(records)[:SIZE], "english": words[:SIZE], "random": draw.randbytes(SIZE)}


def by_re(data: bytes, packet: int) -> float:
    """Seconds for `re` with Luhn, packet by packet."""
    begin = time.thread_time()
    for start in range(0, len(data), packet):
        for found in _NUMBER.finditer(data, start, start + packet):
            luhn(re.sub(rb"[^0-9]", b"", found[0]))
    return time.thread_time() - begin


class OurKernel:
    """The scan of many packets in one call, as in the pipeline."""

    def __init__(self) -> None:
        self._events = np.zeros((1 << 16, at.COLUMNS), np.int64)
        self._scan = kernel("scan_packets").bind(EACH_CALL, EACH_CALL, self._events)

    def __call__(self, data: NDArray[np.uint8], packet: int) -> float:
        begin = time.thread_time()
        self._scan(data, packet)
        return time.thread_time() - begin


def measure(rounds: int = 7) -> dict[str, dict[str, float]]:
    """Per corpus: MB/s of both, and the ratio."""
    ours = OurKernel()
    results: dict[str, dict[str, float]] = {}
    for name, data in corpora().items():
        array = np.frombuffer(bytearray(data), np.uint8)
        small = data[: 1 << 20]
        theirs, own = [], []
        ours(array, PACKET)
        for _ in range(rounds):
            theirs.append(by_re(small, PACKET) / len(small))
            own.append(ours(array, PACKET) / len(data))
        results[name] = {
            "re_mb_s": 1e-6 / median(theirs),
            "kernel_mb_s": 1e-6 / median(own),
            "ratio": median(theirs) / median(own),
        }
    return results


def main() -> int:
    """Prints a table; 1 where a goal is missed."""
    failed = 0
    print(f"{'bytes':10}{'re + Luhn':>14}{'kernel':>14}{'ratio':>10}{'goal':>8}")
    for name, result in measure().items():
        goal = GOALS.get(name)
        failed |= goal is not None and result["ratio"] < goal
        print(
            f"{name:10}{result['re_mb_s']:9.0f} MB/s{result['kernel_mb_s']:9.0f} MB/s{result['ratio']:10.0f}{goal or '':>8}"
        )
    print("numbers in 1 MiB of JSON:", len(Scanner().find(corpora()["json"][: 1 << 20])))
    return failed


if __name__ == "__main__":
    sys.exit(main())
