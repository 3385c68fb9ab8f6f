"""The key of the fingerprints: made once per installation, kept in DATA_DIR, readable by its owner alone. Without it hashes of card numbers
could be turned back by trying all numbers."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

NAME: Final = "card_fingerprint.key"
SIZE: Final = 32


def installation_key(directory: Path | None) -> bytes:
    """The key of this installation. Where it cannot be kept, one for this run alone."""
    if directory is None:
        return secrets.token_bytes(SIZE)
    path = directory / NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
            if len(key) >= SIZE:
                return key[:SIZE]
            path.unlink()  # cut short when it was made
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        key = secrets.token_bytes(SIZE)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
        return key
    except OSError:
        return secrets.token_bytes(SIZE)


def fingerprint(key: bytes, digits: bytes) -> str:
    """HMAC-SHA-256 (RFC 2104), 128 bits of it in hex."""
    return hmac.new(key, digits, hashlib.sha256).hexdigest()[:32]
