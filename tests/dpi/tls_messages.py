"""Hellos, records and QUIC packets made by hand, with other code than that under test."""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

V1_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
V2_SALT = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
DRAFT29_SALT = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
SALTS = {1: V1_SALT, 0x6B3343CF: V2_SALT, 0xFF00001D: DRAFT29_SALT}


def u16(*numbers):
    return struct.pack(f">{len(numbers)}H", *numbers)


def short(data, size=2):
    """The data behind its length."""
    return len(data).to_bytes(size, "big") + data


def extension(kind, data=b""):
    return u16(kind) + short(data)


def sni(name):
    return extension(0, short(b"\0" + short(name)))


def alpn(*names):
    return extension(16, short(b"".join(short(name, 1) for name in names)))


def numbers(kind, *values):
    return extension(kind, short(u16(*values)))


def versions(*values):
    return extension(43, short(u16(*values), 1))


def client_hello_body(version=0x0303, ciphers=(0x1301, 0x1302), extensions=b"", session=b"", cookie=None):
    body = u16(version) + bytes(range(32)) + short(session, 1)
    if cookie is not None:
        body += short(cookie, 1)
    return body + short(u16(*ciphers)) + b"\x01\x00" + (short(extensions) if extensions is not None else b"")


def server_hello_body(version=0x0303, cipher=0xC02F, extensions=b"", random=bytes(32), session=b""):
    return u16(version) + random + short(session, 1) + u16(cipher) + b"\0" + short(extensions)


def message(kind, body):
    return bytes((kind,)) + short(body, 3)


def record(content, kind=22, version=0x0301):
    return bytes((kind,)) + u16(version) + short(content)


def client_hello(**fields):
    return message(1, client_hello_body(**fields))


def server_hello(**fields):
    return message(2, server_hello_body(**fields))


def certificate(*ders):
    return message(11, short(b"".join(short(der, 3) for der in ders), 3))


def fragment(kind, body, number, offset=0, size=None, epoch=0, version=0xFEFD):
    """A DTLS record with one fragment of a message."""
    piece = body[offset : offset + (len(body) if size is None else size)]
    header = bytes((kind,)) + len(body).to_bytes(3, "big") + u16(number) + offset.to_bytes(3, "big")
    content = header + len(piece).to_bytes(3, "big") + piece
    return b"\x16" + u16(version, epoch) + bytes(6) + short(content)


def varint(value):
    if value < 64:
        return bytes((value,))
    return struct.pack(">H", value | 0x4000) if value < 16384 else struct.pack(">I", value | 0x80000000)


def crypto(offset, data):
    return b"\x06" + varint(offset) + varint(len(data)) + data


def _expand(secret, label, length):
    label = b"tls13 " + label
    info = u16(length) + short(label, 1) + b"\0"
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


def keys(version, connection_id, side):
    """(key, iv, header protection key) of `side`: b"client in" or b"server in"."""
    extract = HMAC(SALTS[version], hashes.SHA256())
    extract.update(connection_id)
    secret = _expand(extract.finalize(), side, 32)
    prefix = b"quicv2 " if version == 0x6B3343CF else b"quic "
    return (
        _expand(secret, prefix + b"key", 16),
        _expand(secret, prefix + b"iv", 12),
        _expand(secret, prefix + b"hp", 16),
    )


def initial(
    frames,
    destination=b"\x83\x94\xc8\xf0\x3e\x51\x57\x08",
    source=b"",
    *,
    keyed=None,
    version=1,
    announced=None,
    number=0,
    size=4,
    side=b"client in",
    token=b"",
    fill=0,
):
    """A protected Initial packet. `keyed`: the connection id of the keys; `announced`: the version that it says; `fill`: payload bytes to pad to."""
    key, iv, protection = keys(version, destination if keyed is None else keyed, side)
    frames = frames.ljust(fill, b"\0")
    first = 0xC0 | (0x10 if version == 0x6B3343CF else 0) | size - 1
    header = bytes((first,)) + (announced or version).to_bytes(4, "big") + short(destination, 1) + short(source, 1)
    header += varint(len(token)) + token + u16(0x4000 | size + len(frames) + 16)
    number_at = len(header)
    header += number.to_bytes(size, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    packet = bytearray(header + AESGCM(key).encrypt(nonce, frames, header))
    mask = Cipher(AES(protection), ECB()).encryptor().update(bytes(packet[number_at + 4 : number_at + 20]))
    packet[0] ^= mask[0] & 0x0F
    for i in range(size):
        packet[number_at + i] ^= mask[1 + i]
    return bytes(packet)


def chlo(name=b"www.example.org", version=b"Q046", long=True):
    """A datagram with a CHLO of Google's QUIC."""
    tags = [(b"PAD\0", bytes(900)), (b"SNI\0", name), (b"VER\0", version)]
    table = values = b""
    for tag, value in tags:
        values += value
        table += tag + struct.pack("<I", len(values))
    body = b"CHLO" + struct.pack("<HH", len(tags), 0) + table + values
    if long:
        return b"\xc3" + version + b"\x50" + bytes(8) + b"\0\0\0\x01" + bytes(12) + b"\xa0\x01" + u16(len(body)) + body
    return b"\x09" + bytes(8) + version + b"\x01" + bytes(12) + b"\xa0\x01" + u16(len(body)) + body
