"""Certificates: what the DER bytes say of themselves. Nothing is verified.

Parsed with `cryptography`, which is strict in places; a property that it refuses is left empty, a certificate that it cannot read at all is
left out. Texts and lists are bounded.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from app.dpi.facts import Certificate

MAX_CHAIN: Final = 10
_MAX_DER: Final = 32 << 10  # of one certificate
_MAX_NAMES: Final = 100
_MAX_TEXT: Final = 512
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST: Final = 2**63 - 1  # ns; "no end" (the year 9999) is beyond 64 bits

_SIGNATURES: Final = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10040.4.3": "dsa-with-sha1",
    "2.16.840.1.101.3.4.3.2": "dsa-with-sha256",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}

T = TypeVar("T")


def parse_chain(body: bytes) -> list[Certificate]:
    """The body of a Certificate message up to TLS 1.2 (RFC 5246 § 7.4.2): the first certificates, the server's own first."""
    found: list[Certificate] = []
    at = 3
    for _ in range(MAX_CHAIN):
        if at + 3 > len(body):
            break
        length = int.from_bytes(body[at : at + 3], "big")
        at += 3
        if not length or at + length > len(body):
            break
        certificate = parse_certificate(body[at : at + length])
        if certificate is not None:
            found.append(certificate)
        at += length
    return found


def parse_certificate(der: bytes) -> Certificate | None:
    """One certificate; None where the bytes are none."""
    if len(der) > _MAX_DER:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of what others wrote into their certificates
        loaded = _attempt(lambda: x509.load_der_x509_certificate(der))
        return _describe(loaded, der) if loaded is not None else None


def _describe(loaded: x509.Certificate, der: bytes) -> Certificate | None:
    subject, issuer = _attempt(lambda: loaded.subject), _attempt(lambda: loaded.issuer)
    begin = _attempt(lambda: loaded.not_valid_before_utc)
    end = _attempt(lambda: loaded.not_valid_after_utc)
    if begin is None or end is None:
        return None
    signature = _attempt(lambda: loaded.signature_algorithm_oid.dotted_string) or ""
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        serial=f"{_attempt(lambda: loaded.serial_number) or 0:x}",
        not_before=_ns(begin),
        not_after=_ns(end),
        names=_attempt(lambda: _alternative_names(loaded)) or [],
        key=_attempt(lambda: _key(loaded)) or _attempt(lambda: loaded.public_key_algorithm_oid.dotted_string) or "",
        signature=_SIGNATURES.get(signature, signature),
        self_signed=subject is not None and subject == issuer,
        sha256=hashlib.sha256(der).hexdigest(),
    )


def _attempt(read: Callable[[], T]) -> T | None:
    """The value, or None where the library refuses the bytes."""
    try:
        return read()
    except (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion):
        return None


def _printable(text: str) -> str:
    r"""Text without control characters and without what turns the direction of writing: as \uXXXX."""
    text = text[:_MAX_TEXT]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _name(name: x509.Name | None) -> str:
    """A distinguished name as RFC 4514 text."""
    return _printable(_attempt(name.rfc4514_string) or "") if name is not None else ""


def _alternative_names(loaded: x509.Certificate) -> list[str]:
    extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    found: list[str] = []
    for name in extension.value:
        if len(found) == _MAX_NAMES:
            break
        if isinstance(name, (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier)):
            found.append(_printable(name.value))
        elif isinstance(name, x509.IPAddress):
            found.append(str(name.value))
    return found


def _key(loaded: x509.Certificate) -> str:
    key = loaded.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    return ""


def _ns(moment: datetime) -> int:
    since = moment - _EPOCH
    return min((since.days * 86_400 + since.seconds) * 1_000_000_000, _LATEST)
