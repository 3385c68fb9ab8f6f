"""Keys of QUIC's Initial packets, and their removal (RFC 9001 § 5, RFC 9369 § 3.3).

Anybody who saw the client's first Destination Connection ID can make these keys: the encryption only keeps out what was not made for QUIC.
That is of use here: a packet that authenticates is QUIC beyond doubt. HKDF is a few HMACs, faster made by hand than by a library. The library of
the ciphers is imported with the first keys: it takes 7 MB, which a process that sees no QUIC does without.
"""

from __future__ import annotations

import hmac
from typing import Final

from app.dpi.quic_versions import is_v2, salts

CLIENT: Final = b"client in"
SERVER: Final = b"server in"
_SAMPLE: Final = 16
_TAG: Final = 16


def hkdf_expand_label(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label with SHA-256, no context, at most 32 bytes (RFC 8446 § 7.1)."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + b"\x00\x01"
    return hmac.digest(secret, info, "sha256")[:length]


class InitialKeys:
    """The keys of one side's Initial packets."""

    __slots__ = ("_aead", "_iv", "_mask", "_refused")

    def __init__(self, key: bytes, iv: bytes, header_key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        self._refused = InvalidTag
        self._aead = AESGCM(key)
        self._iv = int.from_bytes(iv, "big")
        # header protection is defined as one block of AES in ECB mode (RFC 9001 § 5.4.3)
        self._mask = Cipher(AES(header_key), ECB()).encryptor()  # noqa: S305

    def open(self, packet: bytes, number_at: int) -> bytes | None:
        """The frames of one packet (from its first byte to its end) whose packet number lies at `number_at`; None: not authentic."""
        if number_at + 4 + _SAMPLE > len(packet):
            return None
        mask = self._mask.update(packet[number_at + 4 : number_at + 4 + _SAMPLE])
        first = packet[0] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        # the first numbers of a connection are short, so their truncated form is the whole (RFC 9000 § 17.1)
        number = int.from_bytes(packet[number_at : number_at + size], "big") ^ int.from_bytes(mask[1 : 1 + size], "big")
        header = bytes((first,)) + packet[1:number_at] + number.to_bytes(size, "big")
        nonce = (self._iv ^ number).to_bytes(12, "big")
        sealed = packet[number_at + size :]
        if len(sealed) < _TAG:
            return None
        try:
            return self._aead.decrypt(nonce, sealed, header)
        except self._refused:
            return None


def initial_keys(version: int, connection_id: bytes, side: bytes) -> InitialKeys | None:
    """Keys from the client's first Destination Connection ID; `side`: CLIENT or SERVER. None: unknown version."""
    found = salts(version)
    return _keys(found[0], version, connection_id, side) if found else None


def first_keys(version: int, connection_id: bytes, packet: bytes, number_at: int) -> tuple[InitialKeys, bytes] | None:
    """The client's keys under which its first Initial is authentic, and its frames."""
    for start in salts(version):
        keys = _keys(start, version, connection_id, CLIENT)
        payload = keys.open(packet, number_at)
        if payload is not None:
            return keys, payload
    return None


def _keys(start: bytes, version: int, connection_id: bytes, side: bytes) -> InitialKeys:
    secret = hkdf_expand_label(hmac.digest(start, connection_id, "sha256"), side, 32)
    prefix = b"quicv2 " if is_v2(version) else b"quic "
    return InitialKeys(
        hkdf_expand_label(secret, prefix + b"key", 16),
        hkdf_expand_label(secret, prefix + b"iv", 12),
        hkdf_expand_label(secret, prefix + b"hp", 16),
    )
