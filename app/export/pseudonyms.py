"""Pseudonyms that keep what analysis needs: addresses by Crypto-PAn, names and hardware addresses by a keyed hash.

Crypto-PAn (Xu, Fan, Ammar, Moon: "Prefix-Preserving IP Address Anonymization", 2002) maps two addresses with the same first k bits to two addresses with the same
first k bits, one to one, and cannot be turned round without the key. As published, about one address in 15,000 is its own pseudonym; which ones, only the key tells. One `Pseudonyms` gives each thing the same pseudonym wherever it stands.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from functools import lru_cache
from typing import Final

KEY_BYTES: Final = 32
_BLOCK: Final = 16
_KEPT_SUFFIXES: Final = frozenset({"arpa", "local", "lan", "home", "internal", "onion", "invalid", "test", "localhost"})


class Pseudonyms:
    """`key`: 32 bytes, the first 16 for AES, the others for the padding; a new one for each export, or all could be joined."""

    def __init__(self, key: bytes | None = None) -> None:
        key = secrets.token_bytes(KEY_BYTES) if key is None else key
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key has {len(key)} bytes, not {KEY_BYTES}")
        # Here, because few who export want it and it is 10 MB.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        # ECB on single, distinct blocks is AES as a pseudo-random function, as Crypto-PAn is defined
        self._encryptor = Cipher(algorithms.AES(key[:16]), modes.ECB()).encryptor()  # noqa: S305
        self._pad = self._encryptor.update(key[16:])
        self._secret = hashlib.sha256(b"names" + key).digest()
        self._address = lru_cache(maxsize=65_536)(self._address_anew)

    def address(self, text: str) -> str:
        """The pseudonym of an address; ValueError where it is none."""
        return self._address(text)

    def packed(self, address: bytes) -> bytes:
        """The pseudonym of 4 or 16 bytes. A bit is turned by what the bits before it give."""
        bits = len(address) * 8
        value = int.from_bytes(address, "big")
        pad = int.from_bytes(self._pad[: len(address)], "big")
        rest = self._pad[len(address) :]
        blocks = bytearray()
        for known in range(bits):
            mask = ((1 << known) - 1) << (bits - known) if known else 0
            blocks += ((value & mask) | (pad & ~mask & ((1 << bits) - 1))).to_bytes(len(address), "big") + rest
        turned = self._encryptor.update(bytes(blocks))
        flips = 0
        for known in range(bits):
            flips = flips << 1 | turned[known * _BLOCK] >> 7
        return (value ^ flips).to_bytes(len(address), "big")

    def _address_anew(self, text: str) -> str:
        address = ipaddress.ip_address(text)
        return str(ipaddress.ip_address(self.packed(address.packed)))

    def name(self, text: str) -> str:
        """A name label by label, so that two hosts of a domain still share it; the last label (com, org) stays."""
        labels = text.rstrip(".").lower().split(".")
        found = []
        for i, label in enumerate(labels):
            last = i == len(labels) - 1
            keep = last and len(labels) > 1 and (len(label) <= 3 or label in _KEPT_SUFFIXES) and label.isalpha()
            found.append(label if keep else "n" + self._digest("name", ".".join(labels[i:]))[:8])
        return ".".join(found)

    def text(self, text: str) -> str:
        """A text as a whole: a user, a path, a certificate's subject."""
        return "x" + self._digest("text", text)[:12]

    def hardware(self, text: str) -> str:
        """A hardware address: locally administered, so that it is nobody's."""
        digest = self._digest("mac", text.lower())
        return "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))

    def _digest(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
