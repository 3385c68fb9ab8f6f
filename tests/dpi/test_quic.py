"""QUIC: the published packets, and what clients do with theirs."""

import itertools
import random

import pytest

from app.dpi.facts import Recognized, TlsClientHello, TlsServerHello
from app.dpi.inspector import FlowContext
from app.dpi.offset_buffer import OffsetBuffer
from app.dpi.quic import recognize_quic
from app.dpi.quic_crypto import CLIENT, SERVER, hkdf_expand_label, initial_keys
from app.dpi.quic_packets import crypto_frames, parse_long_header
from app.dpi.quic_versions import version_name
from tests.dpi.flows import C, Play, S, play
from tests.dpi.tls_messages import (
    alpn,
    chlo,
    client_hello,
    crypto,
    extension,
    initial,
    keys,
    server_hello,
    sni,
    u16,
    varint,
    versions,
)

V2 = 0x6B3343CF
DRAFT29 = 0xFF00001D
ID = bytes.fromhex("8394c8f03e515708")
RFC_CLIENT_FRAMES = bytes.fromhex(  # RFC 9001 appendix A.2, before padding
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c000004130113"
    "02010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce1"
    "5d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806"
    "048000ffff"
)
RFC_SERVER = bytes.fromhex(  # RFC 9001 appendix A.3
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb3"
    "8cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84"
    "022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
)
RETRY = bytes.fromhex("ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba")  # A.4
HELLO = client_hello(ciphers=(0x1301,), extensions=sni(b"quic.example") + alpn(b"h3") + versions(0x0304))
ANSWER = server_hello(cipher=0x1301, extensions=extension(43, u16(0x0304)))


def quic(*lines):
    return play(recognize_quic, *lines, protocol=17)


def hellos(flow):
    return flow.of(TlsClientHello)


@pytest.mark.parametrize(
    ("version", "start", "end"),
    [  # RFC 9001 appendix A.2, RFC 9369 appendix A.2: the first and the last bytes, the tag among them
        (
            1,
            "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
            "7e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934",
        ),
        (
            V2,
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
            "9a37ddec600545473cfb5a05e08d0b209973b2172b4d21fb69745a262ccde96ba18b2faa745b6fe189cf772a9f84cbfc",
        ),
    ],
)
def test_the_client_initial_of_the_standards(version, start, end):
    packet = initial(RFC_CLIENT_FRAMES, ID, version=version, number=2, fill=1162)
    assert len(packet) == 1200
    assert packet.hex().startswith(start)
    assert packet.hex().endswith(end)
    flow = quic((C, packet))
    (hello,) = hellos(flow)
    assert (hello.server_name, hello.alpn, hello.version) == ("example.com", ["alpn"], "TLS 1.3")
    assert (hello.transport, hello.quic_version) == ("quic", "1" if version == 1 else "2")
    assert hello.ja4.startswith("q13d0211an_")


@pytest.mark.parametrize("version", [1, DRAFT29])
def test_a_reserved_version_is_opened_with_what_the_client_goes_on_with(version):
    packet = initial(crypto(0, HELLO), ID, version=version, announced=0x0A1A2A3A, fill=1162)
    (hello,) = hellos(quic((C, packet)))
    assert (hello.server_name, hello.quic_version) == ("quic.example", "reserved-0a1a2a3a")


def test_the_server_initial_of_the_standard():
    flow = quic((C, initial(RFC_CLIENT_FRAMES, ID, number=2, fill=1162)), (S, RFC_SERVER))
    (answer,) = flow.of(TlsServerHello)
    assert (answer.version, answer.cipher, answer.latency_ns) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256", 1_000_000)
    assert not flow.more


@pytest.mark.parametrize(
    ("version", "side", "expected"),
    [  # RFC 9001 appendix A.1, RFC 9369 appendix A.1
        (
            1,
            CLIENT,
            ("1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
        ),
        (
            1,
            SERVER,
            ("cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"),
        ),
        (
            V2,
            CLIENT,
            ("8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
        ),
        (
            V2,
            SERVER,
            ("82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a"),
        ),
    ],
)
def test_keys_of_the_standards(version, side, expected):
    assert tuple(part.hex() for part in keys(version, ID, side)) == expected
    assert initial_keys(version, ID, side).open(initial(b"\x01", ID, version=version, side=side, fill=30), 18)


def test_the_label_expansion_is_that_of_the_standard():
    secret = bytes.fromhex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea")  # client_initial_secret
    assert hkdf_expand_label(secret, b"quic key", 16).hex() == "1f369613dd76d5467730efcbe3b1a22d"


@pytest.mark.parametrize("seed", range(12))
def test_shuffled_overlapping_frames_over_several_packets(seed):
    """As Chromium sends: pieces in any order, PING and PADDING between them."""
    rng = random.Random(seed)
    large = client_hello(extensions=sni(b"shuffled.example") + extension(51, bytes(1700)) + versions(0x0304))
    cuts = sorted({0, len(large), *(rng.randrange(len(large)) for _ in range(14))})
    pieces = [(a, large[a : b + rng.randint(0, 3)]) for a, b in itertools.pairwise(cuts)]
    rng.shuffle(pieces)
    packets = [[], [], []]
    for offset, piece in pieces:
        packets[rng.randrange(3)] += [crypto(offset, piece), b"\x01" * rng.randint(0, 2), bytes(rng.randint(0, 9))]
    ack = b"\x02\x05\x00\x01\x00\x00\x00"
    datagrams = [
        initial(ack + b"".join(p), ID, number=n, size=rng.choice((1, 2, 4)), fill=40) for n, p in enumerate(packets)
    ]
    flow = quic(*((C, datagram) for datagram in datagrams))
    assert [hello.server_name for hello in hellos(flow)] == ["shuffled.example"]


def test_coalesced_packets():
    handshake = b"\xe0\x00\x00\x00\x01\x08" + ID + b"\x00" + varint(30) + bytes(30)
    flow = quic(
        (C, initial(crypto(0, HELLO[:50]), ID, number=0) + handshake + initial(crypto(50, HELLO[50:]), ID, number=1))
    )
    assert hellos(flow)[0].server_name == "quic.example"


def test_a_retry_brings_new_keys():
    new = bytes.fromhex("f067a5502a4262b5")
    flow = quic(
        (C, initial(crypto(0, HELLO), ID)),
        (S, RETRY),
        (C, initial(crypto(0, HELLO), new, number=1, token=b"token")),
        (S, initial(crypto(0, ANSWER), b"", b"\x07" * 8, keyed=new, side=b"server in")),
    )
    assert len(hellos(flow)) == 1
    assert flow.recognized == {"quic": {"version": "1", "retry": "yes"}}
    assert flow.of(TlsServerHello)[0].latency_ns == 1_000_000


def test_a_server_may_answer_in_version_2():
    flow = quic(
        (C, initial(crypto(0, HELLO), ID, b"\x01")),
        (S, initial(crypto(0, ANSWER), b"\x01", b"\x02", keyed=ID, version=V2, side=b"server in")),
    )
    assert hellos(flow)[0].quic_version == "1"
    assert len(flow.of(TlsServerHello)) == 1


def test_a_negotiation_is_told():
    offered = initial(crypto(0, HELLO), ID, b"\xaa\xbb", version=DRAFT29, fill=1100)
    listed = b"".join(v.to_bytes(4, "big") for v in (1, V2, 0x1A2A3A4A))
    negotiation = b"\x80" + bytes(4) + b"\x02\xaa\xbb" + b"\x08" + ID + listed
    forged = b"\x80" + bytes(4) + b"\x02\xaa\xbc" + b"\x08" + ID + listed
    flow = quic((C, offered), (S, forged), (S, negotiation), (C, initial(crypto(0, HELLO), ID + b"1", b"\xaa\xbb")))
    assert flow.recognized == {"quic": {"version": "draft-29", "version_negotiation": "1, 2, reserved-1a2a3a4a"}}
    assert [hello.quic_version for hello in hellos(flow)] == ["draft-29", "1"]
    reserved = bytearray(offered)
    reserved[1:5] = bytes.fromhex("0a1a2a3a")
    flow = quic(
        (C, bytes(reserved).ljust(1200, b"\0")), (S, negotiation), (C, initial(crypto(0, HELLO), ID, b"\xaa\xbb"))
    )
    assert flow.of(Recognized)[0].details["version"] == "reserved-0a1a2a3a"
    assert hellos(flow)[0].server_name == "quic.example"


def test_the_second_hello_of_a_retry_request_follows_in_the_same_stream():
    flow = quic(
        (C, initial(crypto(0, HELLO), ID)), (C, initial(crypto(len(HELLO), HELLO), b"\x07" * 8, keyed=ID, number=1))
    )
    assert len(hellos(flow)) == 2


@pytest.mark.parametrize(("long", "version"), [(True, b"Q046"), (False, b"Q043"), (False, b"Q025")])
def test_google_quic(long, version):
    flow = quic((C, chlo(version=version, long=long)))
    (hello,) = hellos(flow)
    assert (hello.server_name, hello.quic_version, hello.version) == (
        "www.example.org",
        version.decode(),
        "QUIC Crypto",
    )
    assert (hello.ja3, hello.ja4) == ("", "")
    assert not flow.more


def recognized(data, protocol=17):
    return recognize_quic(FlowContext(1, protocol, "192.0.2.1", 1, "192.0.2.2", 443, print), C, data)


def test_only_what_authenticates_is_quic():
    packet = initial(crypto(0, HELLO), ID, fill=1100)
    assert recognized(packet)
    assert not recognized(packet, protocol=6)
    for at in (1, 6, 20, 30, len(packet) - 1):
        changed = bytearray(packet)
        changed[at] ^= 1
        assert not recognized(bytes(changed))
    assert not recognized(packet[:-1])


def test_random_payloads_are_not_quic():
    rng = random.Random(1)
    for _ in range(2000):
        data = bytearray(rng.randbytes(rng.choice((20, 60, 300, 1200))))
        assert not recognized(bytes(data))
        data[0] |= 0xC0
        data[1:6] = b"\x00\x00\x00\x01\x08"
        assert not recognized(bytes(data))


def test_a_flow_is_bounded():
    flow = Play(recognize_quic, protocol=17)
    for number in range(200):
        flow.say(C, initial(crypto(20_000 - 90 * number, bytes(9)) * 8, ID, number=number & 0xFF))
    assert not flow.more
    assert not hellos(flow)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"\x06\x00\x05ab", [(0, b"ab")]),
        (b"\x06\x00", []),
        (b"\x02\x05\x00\xff\xff\xff\xff\xff\xff\xff\xff", []),
        (b"\x1c\x00" + crypto(0, b"a"), []),
        (b"\x01" * 64 + crypto(0, b"a"), []),
        (bytes(900) + crypto(3, b"a") + bytes(900), [(3, b"a")]),
    ],
)
def test_frames(payload, found):
    assert crypto_frames(payload, 1) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\xc0\x00\x00\x00\x01\x15" + bytes(40),
        b"\xc0\x00\x00\x00\x01\x00\x00\x7f\xff",
        b"\x40" + bytes(30),
    ],
)
def test_broken_headers(data):
    assert parse_long_header(data, 0) is None


def test_version_names():
    assert [version_name(v) for v in (1, V2, DRAFT29, 0xFF000012, 0x51303436, 0xBABABABA, 7)] == [
        "1",
        "2",
        "draft-29",
        "draft-18",
        "Q046",
        "reserved-babababa",
        "0x00000007",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_with_offsets(seed):
    rng = random.Random(seed)
    text = rng.randbytes(300)
    buffer = OffsetBuffer(300)
    pieces = [(at, text[at : at + rng.randint(1, 40)]) for at in (rng.randrange(300) for _ in range(60))]
    covered = set()
    for at, piece in pieces:
        assert buffer.add(at, piece)
        covered.update(range(at, at + len(piece)))
        ready = next((n for n in range(301) if n not in covered), 300)
        assert buffer.ready == ready
        assert buffer.read(0, ready) == text[:ready]
    assert not buffer.add(299, b"ab")


def test_the_first_copy_of_a_byte_stays():
    buffer = OffsetBuffer(10)
    buffer.add(2, b"bb")
    buffer.add(0, b"aaaaaa")
    assert buffer.read(0, buffer.ready) == b"aabbaa"
    gaps = OffsetBuffer(1000)
    assert not all(gaps.add(2 * n, b"x") for n in range(100))
