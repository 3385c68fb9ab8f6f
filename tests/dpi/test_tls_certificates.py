"""Certificates: what they say, whatever they hold."""

from datetime import datetime, timezone
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.certificates import MAX_CHAIN, parse_certificate, parse_chain
from tests.dpi.tls_messages import certificate

DAY = datetime(2024, 1, 2, tzinfo=timezone.utc)
EC = ec.generate_private_key(ec.SECP256R1())


def make(key=EC, subject="host.example", issuer="host.example", names=(), end=DAY, digest=None):
    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(named(issuer), named(subject), key.public_key(), 0xBEEF, DAY, end)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    edwards = isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
    return builder.sign(key, None if edwards else digest or hashes.SHA256()).public_bytes(Encoding.DER)


def test_what_a_certificate_says():
    names = [
        x509.DNSName("*.example"),
        x509.IPAddress(ip_address("2001:db8::1")),
        x509.UniformResourceIdentifier("spiffe://a/b"),
        x509.RFC822Name("a@example.org"),
    ]
    parsed = parse_certificate(make(names=names, issuer="A CA"))
    assert (parsed.subject, parsed.issuer, parsed.serial) == ("CN=host.example", "CN=A CA", "beef")
    assert parsed.names == ["*.example", "2001:db8::1", "spiffe://a/b", "a@example.org"]
    assert (parsed.key, parsed.signature) == ("EC secp256r1", "ecdsa-with-SHA256")
    assert parsed.not_before == 1704153600 * 10**9
    assert not parsed.self_signed
    assert len(parsed.sha256) == 64


@pytest.mark.parametrize(
    ("key", "name", "signature"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RSA 2048", "sha256WithRSAEncryption"),
        (lambda: dsa.generate_private_key(2048), "DSA 2048", "dsa-with-sha256"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519", "Ed25519"),
        (ed448.Ed448PrivateKey.generate, "Ed448", "Ed448"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "EC secp384r1", "ecdsa-with-SHA256"),
    ],
)
def test_keys(key, name, signature):
    parsed = parse_certificate(make(key()))
    assert (parsed.key, parsed.signature, parsed.self_signed) == (name, signature, True)


def test_no_end_is_the_latest_time_there_is():
    parsed = parse_certificate(make(end=datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)))
    assert parsed.not_after == 2**63 - 1


def test_texts_and_lists_are_bounded_and_printable():
    names = [x509.DNSName(f"n{i}.example") for i in range(300)]
    parsed = parse_certificate(make(subject="evil\u202ename\x07", names=names))
    assert parsed.subject == "CN=evil\\u202ename\\u0007"
    assert len(parsed.names) == 100


def test_chains_are_bounded_and_what_is_none_is_left_out():
    der = make()
    assert len(parse_chain(certificate(*[der] * 20)[4:])) == MAX_CHAIN
    assert len(parse_chain(certificate(der, b"\x30\x00", der)[4:])) == 2
    assert parse_chain(b"") == []
    assert parse_chain(certificate(der)[4:-1]) == []


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_mutated_certificates_do_not_raise(changes):
    der = bytearray(DER)
    for at, value in changes:
        der[at % len(der)] = value
    parse_certificate(bytes(der))


DER = make(names=[x509.DNSName("a.example"), x509.IPAddress(ip_address("192.0.2.1"))])
