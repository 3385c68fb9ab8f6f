"""Facts: what inspectors find in payload. Plain values; times in ns; text is what the peers sent, escaped where it was not printable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from app.model.card import CardFinding


@dataclass(slots=True)
class DnsAnswer:
    """One record of an answer section."""

    name: str
    type: str  # a name (A, AAAA, CNAME …) or TYPEn
    ttl: int
    value: str  # presentation form: an address, a name, quoted text


@dataclass(slots=True)
class DnsTransaction:
    """One query with its answer, or a query that nobody answered (rcode None), or an answer nobody asked for (mDNS announcements)."""

    flow_id: int
    ts: int  # of the query; of the response where there was no query
    client: str
    server: str
    query: str  # without the final dot; unprintable bytes backslash-escaped as \\DDD
    type: str
    rcode: str | None  # NOERROR, NXDOMAIN …; None = unanswered
    answers: list[DnsAnswer] = field(default_factory=list)
    latency_ns: int | None = None
    transport: str = "udp"  # udp, tcp
    kind: str = "dns"  # dns, mdns, llmnr, nbns
    edns: bool = False
    authoritative: bool = False
    truncated: bool = False
    transaction_id: int = 0


@dataclass(slots=True)
class Certificate:
    """What a certificate says of itself; nothing is verified."""

    subject: str
    issuer: str
    serial: str  # hex
    not_before: int  # ns
    not_after: int
    names: list[str]  # subject alternative names
    key: str  # e.g. "RSA 2048", "EC secp256r1", "Ed25519"
    signature: str  # e.g. "sha256WithRSAEncryption"
    self_signed: bool
    sha256: str


@dataclass(slots=True)
class TlsClientHello:
    """One ClientHello: over TCP, DTLS or QUIC."""

    flow_id: int
    ts: int
    transport: str  # tls, dtls, quic
    server_name: str | None
    alpn: list[str]
    version: str  # the highest offered: "TLS 1.3", "TLS 1.2", "SSL 3.0", "DTLS 1.2" …
    ja3: str  # MD5 of the JA3 string, hex
    ja4: str
    ech: bool = False
    quic_version: str | None = None


@dataclass(slots=True)
class TlsServerHello:
    """The server's answer, and its certificates where they travel in the clear (up to TLS 1.2)."""

    flow_id: int
    ts: int
    version: str  # the one chosen
    cipher: str  # IANA name, or 0xNNNN
    alpn: str | None
    certificates: list[Certificate] = field(default_factory=list)
    latency_ns: int | None = None  # since the ClientHello


@dataclass(slots=True)
class HttpTransaction:
    """One request with its response; the status is None while (or if) there is none."""

    flow_id: int
    ts: int
    method: str
    host: str | None
    uri: str  # the raw target
    version: str  # "1.1", "1.0", "2"
    user_agent: str | None = None
    referrer: str | None = None
    status: int | None = None
    content_type: str | None = None  # of the response
    server: str | None = None
    response_length: int | None = None  # body bytes seen or announced
    latency_ns: int | None = None
    username: str | None = None  # of basic authentication; never the password


@dataclass(slots=True)
class Recognized:
    """A protocol recognised by content, with what its first messages say (banner, versions, names)."""

    flow_id: int
    ts: int
    protocol: str  # lower case: ssh, ftp, smtp, mysql …
    details: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class CleartextLogin:
    """Somebody logged in without encryption. The password is never kept."""

    flow_id: int
    ts: int
    protocol: str
    username: str | None
    succeeded: bool | None = None


@dataclass(slots=True)
class HostName:
    """A host said its own name (DHCP, mDNS, NetBIOS)."""

    flow_id: int
    ts: int
    address: str
    name: str
    source: str  # dhcp, mdns, nbns
    mac: str | None = None


@dataclass(slots=True)
class LoginAttempt:
    """A login whose password does not travel readable: NTLM, Kerberos, digests, challenges. Beside `CleartextLogin`, for those who count attempts."""

    flow_id: int
    ts: int
    protocol: str  # smb, kerberos, sip, vnc, ldap …
    username: str | None
    succeeded: bool | None  # None: nobody saw the outcome
    reason: str = ""  # what the server said, in the protocol's own word


@dataclass(slots=True)
class Action:
    """One step of a conversation that detectors want to know: a share opened, an interface called, a ticket asked for, a mail sent."""

    flow_id: int
    ts: int
    protocol: str  # smb, dcerpc, kerberos, ldap, ftp, smtp, irc, sip, tls, dns, shell, websocket …
    name: str  # what was done: tree_connect, call, tgs_req, port …
    subject: str = ""  # to what: a path, an interface and its operation, a name
    sender: int = 0  # 0 the originator, 1 the responder
    details: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class HttpMessage:
    """The head and the first bytes of the body of one HTTP/1 message. Only passed on, never kept: it may hold secrets."""

    flow_id: int
    ts: int
    sender: int  # 0 the originator, 1 the responder
    request: HttpTransaction | None  # the request, or the one that is answered
    head: bytes = field(repr=False)  # start line and fields as sent but for credentials, at most 16 KiB
    body: bytes = field(repr=False)  # at most 4 KiB, without chunk framing, still encoded as the fields say


Fact = Union[  # noqa: UP007 – evaluated at run time on Python 3.10 too, and read by tests
    DnsTransaction,
    TlsClientHello,
    TlsServerHello,
    HttpTransaction,
    Recognized,
    CleartextLogin,
    HostName,
    CardFinding,
    LoginAttempt,
    Action,
    HttpMessage,
]
