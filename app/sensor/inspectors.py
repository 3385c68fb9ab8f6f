"""The protocols that are recognised by content, in the order in which they are asked. A new one needs one line here."""

from __future__ import annotations

from app.dpi.cleartext_protocols import TCP_RECOGNIZERS, UDP_RECOGNIZERS
from app.dpi.dns import DnsRecognizer
from app.dpi.dtls import recognize_dtls
from app.dpi.inspector import Recognizer
from app.dpi.quic import recognize_quic
from app.dpi.tls import recognize_tls


def recognizers() -> tuple[tuple[Recognizer, ...], tuple[Recognizer, ...]]:
    """(over TCP, over UDP) for one capture: some remember what they saw in other flows."""
    dns = DnsRecognizer()
    over_tcp: tuple[Recognizer, ...] = (
        recognize_tls,
        *TCP_RECOGNIZERS,
        dns,
    )
    over_udp: tuple[Recognizer, ...] = (
        dns,
        recognize_quic,
        recognize_dtls,
        *UDP_RECOGNIZERS,
    )
    return over_tcp, over_udp
