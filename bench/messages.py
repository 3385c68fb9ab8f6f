"""First messages of the generated connections: valid TLS, HTTP and DNS, so that inspection has real work.

Everything here is deterministic; `salt` is filler where a protocol wants random bytes.
"""

from __future__ import annotations

import hashlib
import struct

CLIENT_HELLO_BYTES = 517  # the usual size: RFC 7685 padding up to 512 bytes of handshake


def filler(salt: str, length: int) -> bytes:
    """`length` bytes that look random."""
    return hashlib.shake_128(salt.encode()).digest(length)


def host_name(number: int) -> str:
    """A name under .example (RFC 2606)."""
    return f"www.site-{number:03d}.example"


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(number: int) -> bytes:
    """A TLS 1.3 ClientHello (RFC 8446 § 4.1.2) for host `number`, CLIENT_HELLO_BYTES long."""
    name = host_name(number).encode()
    salt = f"hello-{number}"
    ciphers = struct.pack("!8H", 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9)
    extensions = b"".join(
        (
            _extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name),
            _extension(10, struct.pack("!HHH", 4, 0x001D, 0x0017)),
            _extension(11, b"\x01\x00"),
            _extension(13, struct.pack("!H4H", 8, 0x0403, 0x0804, 0x0401, 0x0503)),
            _extension(16, struct.pack("!H", 12) + b"\x02h2\x08http/1.1"),
            _extension(43, b"\x04\x03\x04\x03\x03"),
            _extension(51, struct.pack("!HHH", 36, 0x001D, 32) + filler(salt + "-share", 32)),
        )
    )
    fixed = b"\x03\x03" + filler(salt + "-random", 32) + b"\x20" + filler(salt + "-session", 32)
    fixed += struct.pack("!H", len(ciphers)) + ciphers + b"\x01\x00"
    padding = CLIENT_HELLO_BYTES - 9 - len(fixed) - 2 - len(extensions) - 4
    extensions += _extension(21, bytes(padding))
    body = fixed + struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def server_hello(number: int) -> bytes:
    """A ServerHello, a change of cipher and one encrypted record: what a server's first segment holds."""
    salt = f"server-{number}"
    extensions = _extension(43, b"\x03\x04") + _extension(51, struct.pack("!HH", 0x001D, 32) + filler(salt, 32))
    body = b"\x03\x03" + filler(salt + "-random", 32) + b"\x20" + filler(f"hello-{number}-session", 32)
    body += struct.pack("!HBH", 0x1301, 0, len(extensions)) + extensions
    handshake = b"\x02" + len(body).to_bytes(3, "big") + body
    encrypted = filler(salt + "-certificate", 900)
    return b"".join(
        (
            b"\x16\x03\x03" + struct.pack("!H", len(handshake)) + handshake,
            b"\x14\x03\x03\x00\x01\x01",
            b"\x17\x03\x03" + struct.pack("!H", len(encrypted)) + encrypted,
        )
    )


def http_request(number: int) -> bytes:
    """A GET request."""
    return (
        f"GET /api/v1/items/{number * 37}?page={number % 9}&session={filler(str(number), 8).hex()} HTTP/1.1\r\n"
        f"Host: {host_name(number)}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/{number % 5}.0\r\n"
        "Accept: application/json\r\nAccept-Language: en\r\nConnection: keep-alive\r\n\r\n"
    ).encode()


def http_response(number: int, body: bytes) -> bytes:
    """The head of a long JSON answer, and as much of its body as fits a segment."""
    head = (
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {100_000_000 + number}\r\nCache-Control: no-store\r\n\r\n"
    ).encode()
    return head + body[: 1200 - len(head)]


def _question(number: int, record_type: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in host_name(number).split("."))
    return labels + b"\0" + struct.pack("!HH", record_type, 1)


def dns_query(number: int) -> bytes:
    """A query for A (even numbers) or AAAA (RFC 1035 § 4), without its first two bytes, the id."""
    record_type = 28 if number % 2 else 1
    return struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + _question(number, record_type)


def dns_answer(number: int) -> bytes:
    """The answer to `dns_query`, again without the id."""
    record_type = 28 if number % 2 else 1
    address = bytes.fromhex("200100020000") + bytes(8) + struct.pack("!H", number)
    data = address if number % 2 else struct.pack("!BBH", 198, 18, number)
    answer = struct.pack("!HHHIH", 0xC00C, record_type, 1, 300, len(data)) + data
    return struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + _question(number, record_type) + answer


def json_text(length: int) -> bytes:
    """JSON records with words, numbers and identifiers; now and then a payment card number of the test kind."""
    words = [
        "order",
        "customer",
        "total",
        "status",
        "pending",
        "shipped",
        "invoice",
        "street",
        "city",
        "amount",
        "currency",
        "note",
    ]
    parts: list[str] = []
    size = 0
    number = 0
    while size < length:
        noise = filler(f"json-{number}", 24)
        card = ', "card": "4111 1111 1111 1111"' if number % 499 == 498 else ""
        part = (
            f'{{"id": {int.from_bytes(noise[:4], "big")}, "uuid": "{noise[4:20].hex()}", '
            f'"{words[noise[20] % 12]}": "{words[noise[21] % 12]} {words[noise[22] % 12]}", '
            f'"price": {noise[23] * 1.25:.2f}, "time": "2026-03-{noise[0] % 28 + 1:02d}T{noise[1] % 24:02d}:15:00Z"{card}}},\n'
        )
        parts.append(part)
        size += len(part)
        number += 1
    return "".join(parts).encode()[:length]
