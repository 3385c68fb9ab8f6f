"""Names of cipher suites, from IANA's registry (`data/tls_cipher_suites.txt`), read when the first name is asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parent / "data" / "tls_cipher_suites.txt"


def cipher_name(number: int) -> str:
    """`TLS_AES_128_GCM_SHA256`, or `0xNNNN` for a number that is not registered."""
    return _names().get(number) or f"0x{number:04x}"


@lru_cache(maxsize=1)
def _names() -> dict[int, str]:
    lines = _FILE.read_text("ascii").splitlines()
    return {int(line[:4], 16): line[5:] for line in lines if line and not line.startswith("#")}
