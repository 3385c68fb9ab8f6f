"""One connection's handshake: its messages, whatever carried them, to facts.

TLS, DTLS and QUIC hand whole messages in here. A ServerHello up to TLS 1.2 waits for the certificates behind it; one of TLS 1.3 is told at
once, since everything behind it is encrypted. A HelloRetryRequest is told only if no other answer follows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.dpi.cipher_suites import cipher_name
from app.dpi.facts import TlsClientHello, TlsServerHello
from app.dpi.fingerprints import ja3, ja4
from app.dpi.inspector import FlowContext
from app.dpi.printable import printable
from app.dpi.tls_hello import (
    ClientHello,
    is_13,
    parse_client_hello,
    parse_server_hello,
    version_name,
)

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
_HEARTBEAT: Final = 15  # extension
_MAX_HELLOS: Final = 8  # told of one connection: one, two with a retry, a few with renegotiations
_BEHIND_CERTIFICATE: Final = frozenset((4, 12, 13, 14, 16, 20))  # where one of these comes, no certificate will
TYPES: Final = frozenset((0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 254))


class Handshake:
    """What is known of one handshake. `transport`: tls, dtls, quic."""

    __slots__ = (
        "_asked",
        "_flow",
        "_held",
        "_hellos",
        "_retry",
        "_transport",
        "client",
        "finished",
        "heartbeats",
        "quic_version",
        "repeats",
        "retried",
    )

    def __init__(self, flow: FlowContext, transport: str) -> None:
        self._flow = flow
        self._transport = transport
        self._asked: int | None = None  # time of the last ClientHello
        self._held: TlsServerHello | None = None  # waits for its certificates
        self._retry: TlsServerHello | None = None
        self._hellos = 0
        self.client: int | None = None  # the direction that sent a ClientHello
        self.heartbeats = False  # the client offered them (RFC 6520)
        self.retried = False  # a HelloRetryRequest was seen
        self.repeats = False  # the next ClientHello is one that was told already
        self.finished = False  # the server's answer was told, nothing more will be
        self.quic_version: str | None = None

    def message(self, direction: int, kind: int, body: bytes, ts: int) -> None:
        """One whole handshake message (without its header)."""
        if kind == CLIENT_HELLO:
            hello = parse_client_hello(body, datagram=self._transport == "dtls")
            if hello is not None:
                self.client_hello(direction, hello, ts)
        elif direction == self.client:
            return
        elif kind == SERVER_HELLO:
            self._server_hello(body, ts)
        elif kind == CERTIFICATE:
            if self._held is not None:
                from app.dpi.certificates import parse_chain  # 9 MB, which a process takes with its first certificate

                self._held.certificates = parse_chain(body)
                self.answered()
        elif kind in _BEHIND_CERTIFICATE:
            self.answered()

    @property
    def over(self) -> bool:
        """Both hellos were told, or more ClientHellos than make sense."""
        return (self.finished and self.client is not None) or self._hellos >= _MAX_HELLOS

    def client_hello(self, direction: int, hello: ClientHello, ts: int) -> None:
        """Tell a ClientHello."""
        self.client = direction
        self.heartbeats = _HEARTBEAT in hello.extensions
        self._asked = ts
        if self.repeats:
            self.repeats = False
            return
        if self._hellos >= _MAX_HELLOS:
            return
        self._hellos += 1
        name = printable(hello.server_name) if hello.server_name is not None else None
        if name and self._flow.identity is None:
            protocols = _texts(tuple(hello.alpn))
            self._flow.identity = (self._transport, name.lower(), protocols[0] if protocols else None)
        self._flow.sink(
            TlsClientHello(
                flow_id=self._flow.flow_id,
                ts=ts,
                transport=self._transport,
                server_name=name,
                alpn=list(_texts(tuple(hello.alpn))),
                version=version_name(hello.highest_version),
                ja3=ja3(hello),
                ja4=ja4(hello, self._transport),
                ech=hello.ech,
                quic_version=self.quic_version,
            )
        )

    def _server_hello(self, body: bytes, ts: int) -> None:
        hello = parse_server_hello(body)
        if hello is None or self.finished or self._held is not None:
            return
        fact = self.server_fact(version_name(hello.version), cipher_name(hello.cipher), ts)
        fact.alpn = printable(hello.alpn) if hello.alpn is not None else None
        if hello.retry:
            self._retry, self.retried = fact, True
            return
        self._held, self._retry = fact, None
        if is_13(hello.version):
            self.answered()

    def server_fact(self, version: str, cipher: str, ts: int) -> TlsServerHello:
        """A server's answer with the time that it took."""
        latency = ts - self._asked if self._asked is not None and ts >= self._asked else None
        return TlsServerHello(self._flow.flow_id, ts, version, cipher, None, latency_ns=latency)

    def answered(self) -> None:
        """No certificate will follow: tell the ServerHello that waits for one."""
        if self._held is not None:
            self._flow.sink(self._held)
            self._held = None
            self.finished = True

    def end(self) -> None:
        """Nothing will follow: tell what is held."""
        if self._held is None and not self.finished:
            self._held, self._retry = self._retry, None
        self.answered()


@lru_cache(256)
def _texts(names: tuple[bytes, ...]) -> tuple[str, ...]:
    """Names of protocols; few lists of them are offered again and again."""
    return tuple(printable(name) for name in names)
