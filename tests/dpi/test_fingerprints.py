"""JA3 and JA4 against the values that their authors publish, and the corners of JA4's definition."""

import hashlib

import pytest

from app.dpi.fingerprints import ja3, ja3_text, ja4, ja4_text
from app.dpi.tls_hello import ClientHello


def from_ja3(text):
    """A ClientHello with the lists of a JA3 string."""
    version, *lists = text.split(",")
    ciphers, extensions, groups, formats = ([int(n) for n in part.split("-") if n] for part in lists)
    return ClientHello(int(version), ciphers, extensions, groups, formats)


@pytest.mark.parametrize(
    ("text", "md5"),
    [  # the two examples of the README of github.com/salesforce/ja3
        (
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
            "ada70206e40642a3e4461f35503241d5",
        ),
        ("769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"),
    ],
)
def test_ja3_of_its_readme(text, md5):
    hello = from_ja3(text)
    assert ja3_text(hello) == text
    assert ja3(hello) == md5


CHROME = ClientHello(
    0x0303,
    ciphers=[
        0x1301,
        0x1302,
        0x1303,
        0xC02B,
        0xC02F,
        0xC02C,
        0xC030,
        0xCCA9,
        0xCCA8,
        0xC013,
        0xC014,
        0x9C,
        0x9D,
        0x2F,
        0x35,
    ],
    extensions=[0x1B, 0, 0x33, 0x10, 0x4469, 0x17, 0x2D, 0xD, 5, 0x23, 0x12, 0x2B, 0xFF01, 0xB, 0xA, 0x15],
    signature_algorithms=[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
    versions=[0x0304, 0x0303],
    alpn=[b"h2", b"http/1.1"],
    server_name=b"example.org",
)


def test_ja4_of_its_definition():
    """The worked example of FoxIO's technical_details/JA4.md."""
    assert ja4_text(CHROME, "tls") == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
        "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
        "0403,0804,0401,0503,0805,0501,0806,0601"
    )
    assert ja4(CHROME, "tls") == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_the_order_of_extensions_does_not_matter_to_ja4():
    shuffled = ClientHello(
        **{**{f: getattr(CHROME, f) for f in CHROME.__slots__}, "extensions": CHROME.extensions[::-1]}
    )
    assert ja4(shuffled, "tls") == ja4(CHROME, "tls")
    assert ja3(shuffled) != ja3(CHROME)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"h", "hh"),
        (b"c-webrtc", "cc"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"0\xab", "3b"),
        (b"\xab1", "a1"),
        (b"01\xab\xcd", "3d"),
        (b"h2-", "6d"),
    ],
)
def test_ja4_shows_the_ends_of_the_first_protocol(name, letters):
    assert ja4(ClientHello(0x0303, alpn=[name, b"zz"]), "tls")[8:10] == letters


@pytest.mark.parametrize(
    ("hello", "transport", "start"),
    [
        (ClientHello(0x0303), "tls", "t12i000000_000000000000_000000000000"),
        (ClientHello(0x0300, ciphers=list(range(1, 120))), "tls", "ts3i990000_"),
        (ClientHello(0x0303, versions=[0x0302, 0x0304]), "quic", "q13i"),
        (ClientHello(0x0303, versions=[0xFB1A, 0x0304]), "tls", "t00i"),  # an experiment's number is the highest
        (ClientHello(0xFEFF), "dtls", "dd1i"),
        (ClientHello(0xFEFD, versions=[0xFEFC, 0xFEFD]), "dtls", "dd3i"),
        (ClientHello(0x0002, ssl2=True), "tls", "ts2i000000_"),
        (ClientHello(0x0303, extensions=[0, 16], server_name=b"a"), "tls", "t12d000200_000000000000_000000000000"),
    ],
)
def test_ja4_counts_and_versions(hello, transport, start):
    assert ja4(hello, transport).startswith(start)


def test_ja4_without_signature_algorithms_ends_with_the_extensions():
    hello = ClientHello(0x0303, extensions=[5, 10])
    assert ja4(hello, "tls").rsplit("_", 1)[1] == hashlib.sha256(b"0005,000a").hexdigest()[:12]


def test_ja3_is_not_defined_for_hellos_of_ssl_2():
    assert ja3(ClientHello(0x0301, ssl2=True)) == ""
