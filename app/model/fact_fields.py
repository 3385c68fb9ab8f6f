"""The keys of what was read in the traffic: DNS, TLS, HTTP, logins; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

FACT_FIELDS: Final[tuple[Field, ...]] = (
    _f("client", "text", "Client", "Address that asked.", ecs="client.address", zeek="id.orig_h"),
    _f("server", "text", "Server", "Address that was asked.", ecs="server.address", zeek="id.resp_h"),
    _f("query", "text", "Name", "Name that was asked for.", ecs="dns.question.name", eve="dns.rrname", zeek="query"),
    _f("type", "text", "Type", "Type of record that was asked for: A, AAAA, HTTPS and so on.", zeek="qtype_name"),
    _f(
        "rcode",
        "text",
        "Answer code",
        "What the server said: NOERROR, NXDOMAIN and so on; null where nobody answered.",
        ecs="dns.response_code",
        eve="dns.rcode",
        zeek="rcode_name",
    ),
    _f("answers", "list", "Answers", "Records of the answer, each with its type.", ecs="dns.answers", zeek="answers"),
    _f("resolved_ips", "list", "Addresses", "The answers that are addresses (A and AAAA).", ecs="dns.resolved_ip"),
    _f("ttl", "integer", "TTL", "Shortest time that an answer may be kept.", unit="s", zeek="TTLs"),
    _f("transport", "text", "Transport", "What carried it: udp or tcp; tls, dtls or quic."),
    _f("kind", "text", "Kind", "dns, mdns, llmnr or nbns."),
    _f("process", "text", "Program", "Program on this machine that asked. Null until it is known."),
    _f(
        "version",
        "text",
        "Version",
        "Version of TLS that the server chose, or the highest offered; of HTTP: 1.0, 1.1, 2.",
    ),
    _f("offered_version", "text", "Offered version", "Highest version of TLS that the client offered."),
    _f("cipher", "text", "Cipher suite", "What the server chose, by its IANA name.", ecs="tls.cipher", zeek="cipher"),
    _f("ech", "boolean", "ECH", "The client encrypts the name it asks for; what is shown is the outer name."),
    _f("quic_version", "text", "QUIC version", "Version of QUIC; null over TCP."),
    _f("subject", "text", "Certificate", "Whose certificate it is; visible up to TLS 1.2. Nothing is verified."),
    _f("issuer", "text", "Issuer", "Who issued the certificate."),
    _f("not_before", "time", "Valid from", "Begin of the certificate's validity."),
    _f("not_after", "time", "Valid until", "End of the certificate's validity."),
    _f("self_signed", "boolean", "Self-signed", "The certificate is signed with its own key."),
    _f("names", "list", "Names", "Names that the certificate is for."),
    _f("method", "text", "Method", "GET, POST and so on.", ecs="http.request.method", eve="http.http_method"),
    _f("host", "text", "Host", "Host header of the request.", ecs="url.domain", eve="http.hostname", zeek="host"),
    _f("uri", "text", "Target", "Target of the request; card numbers are masked.", ecs="url.original", eve="http.url"),
    _f("user_agent", "text", "User agent", "What the client calls itself.", ecs="user_agent.original"),
    _f("content_type", "text", "Content type", "Type of the response.", eve="http.http_content_type"),
    _f("response_length", "integer", "Length", "Body of the response.", unit="bytes", eve="http.length"),
    _f("username", "text", "User", "Who logged in; the password is never kept.", ecs="user.name"),
    _f("succeeded", "boolean", "Succeeded", "Whether the server agreed; null where it was not seen."),
    _f("asked", "integer", "Asked", "How many DNS queries held ask for the name.", unit="queries"),
    _f("contacted", "integer", "Contacted", "How many client hellos held name it as the server wanted."),
)
