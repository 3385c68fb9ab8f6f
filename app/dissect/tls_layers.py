"""TLS records and the start of handshake messages as scapy layers (RFC 8446 § 4, § 5.1).

scapy's own TLS needs a cryptography library to be imported at all; to show what is on the wire these few fields are enough.
"""

from __future__ import annotations

from typing import Any

from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    ShortEnumField,
    ShortField,
    ThreeBytesField,
    XStrLenField,
)
from scapy.layers.inet import TCP
from scapy.packet import Packet, Raw

_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_CONTENT = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data", 24: "heartbeat"}
_HANDSHAKE = {
    0: "hello_request",
    1: "client_hello",
    2: "server_hello",
    4: "new_session_ticket",
    8: "encrypted_extensions",
    11: "certificate",
    12: "server_key_exchange",
    13: "certificate_request",
    14: "server_hello_done",
    15: "certificate_verify",
    16: "client_key_exchange",
    20: "finished",
}
_HELLO_LENGTH = 34  # version and random


def _is_hello(record: Any) -> bool:
    return bool(record.type == 22 and record.handshake_type in (1, 2) and record.length >= 4 + _HELLO_LENGTH)


def _starts_message(record: Any) -> bool:
    """A handshake record that is long enough for a message header, and not an encrypted one."""
    return bool(record.type == 22 and record.length >= 4)


class TLSRecord(Packet):
    """One record; of a handshake message in the clear also its header and, of a hello, version and random."""

    name = "TLS record"
    fields_desc = [  # noqa: RUF012 - the way scapy declares a layer
        ByteEnumField("type", 22, _CONTENT),
        ShortEnumField("version", 0x0303, _VERSIONS),
        ShortField("length", 0),
        ConditionalField(ByteEnumField("handshake_type", 1, _HANDSHAKE), _starts_message),
        ConditionalField(ThreeBytesField("handshake_length", 0), _starts_message),
        ConditionalField(ShortEnumField("handshake_version", 0x0303, _VERSIONS), _is_hello),
        ConditionalField(XStrLenField("random", b"", length_from=lambda record: 32), _is_hello),
        ConditionalField(ByteField("session_id_length", 0), lambda record: _is_hello(record) and record.length > 38),
        XStrLenField("content", b"", length_from=lambda record: _rest(record)),
    ]

    def guess_payload_class(self, payload: bytes) -> Any:
        return TLSRecord if _is_record(payload) else Raw


def _rest(record: Any) -> int:
    used = 4 if _starts_message(record) else 0
    if _is_hello(record):
        used += _HELLO_LENGTH + (1 if record.length > 38 else 0)
    return max(0, int(record.length) - used)


def _is_record(data: bytes) -> bool:
    return len(data) >= 5 and data[0] in _CONTENT and data[1] == 3 and data[2] <= 4


def bind() -> None:
    """TCP payload that begins like a record is one, on whatever port."""
    others = TCP.guess_payload_class

    def guess_payload_class(self: Any, payload: bytes) -> Any:
        return TLSRecord if _is_record(payload) else others(self, payload)

    TCP.guess_payload_class = guess_payload_class  # type: ignore[method-assign]
