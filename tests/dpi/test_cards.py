"""Card numbers in payloads: what is found in which writing, what only looks like one."""

import base64
import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dpi.cards.detect import CardNumber, Scanner, detect_cardholder_data
from app.dpi.cards.hiding import Hiding
from app.dpi.cards.http_bodies import HttpBodies
from app.dpi.cards.mail_bodies import MailBodies
from app.dpi.cards.websocket import WebSocketText
from app.wire.card_numbers import ISSUERS, brand_of, luhn

VISA = b"4111111111111111"
NUMBERS = {
    "visa": VISA,
    "mastercard": b"2223003122003222",
    "amex": b"378282246310005",
    "discover": b"6011111111111117",
    "diners": b"38520000023237",
    "jcb": b"3530111333300000",
    "unionpay": b"6250941006528599",
    "maestro": b"6799990100000000019",
}


def completed(start: bytes) -> bytes:
    """With its check digit."""
    return next(start + b"%d" % digit for digit in range(10) if luhn(start + b"%d" % digit))


def found(payload: bytes) -> list[bytes]:
    return [number.digits for number in detect_cardholder_data(payload)]


@pytest.mark.parametrize("brand", NUMBERS)
def test_every_brand(brand: str) -> None:
    (number,) = detect_cardholder_data(b'{"number":"' + NUMBERS[brand] + b'"}')
    assert (number.brand, number.digits) == (brand, NUMBERS[brand])
    assert (
        number.masked
        == f"{NUMBERS[brand][:6].decode()}{'*' * (len(NUMBERS[brand]) - 10)}{NUMBERS[brand][-4:].decode()}"
    )


def test_every_prefix_and_length() -> None:
    """What the table of issuers allows the kernel finds, and nothing beside it."""
    draw = random.Random(7)
    scanner = Scanner()
    for prefix in range(1000, 10000, 3):
        for length in range(12, 21):
            middle = bytes(draw.choice(b"0123456789") for _ in range(length - 5))
            digits = completed(b"%d" % prefix + middle)
            got = [number.brand for number in scanner.find(b"card=" + digits + b";")]
            brand = brand_of(digits)
            assert got == ([brand] if brand else []), digits[:6]


@pytest.mark.parametrize(
    "text",
    [
        b"4111 1111 1111 1111",
        b"4111-1111-1111-1111",
        b"12 4111 1111 1111 1111 123",
        b"555-0100 4111 1111 1111 1111",
        b"4111 1111 1111 1111 12/29",
        b"4111+1111+1111+1111",
        b"n=4111%201111%201111%201111&x",
        b"n=%204111111111111111&x",
        b"number=" + b"".join(b"%%%02X" % digit for digit in VISA),
        b"=63=61=72=64=20" + b"".join(b"=%02X" % digit for digit in VISA),
        b"card " + VISA.hex().encode(),
        base64.b64encode(b"card number " + VISA + b" thanks"),
        base64.b64encode(b"a card number " + VISA + b" thanks"),
        base64.b64encode(b"my card number 4111 1111 1111 1111 thanks"),
        "card 4111111111111111 ok".encode("utf-16-le"),
        "card 4111 1111 1111 1111 ok".encode("utf-16-be"),
        "card 4111111111111111 ok".encode("cp037"),
        "card ４１１１１１１１１１１１１１１１ ok".encode(),
        b"%B4111111111111111^DOE/J^29121010997344336?",
        b";4111111111111111=29121010632285512?",
        b"%25B4111111111111111%5EDOE%2FJ%5E2912101000%3F",
        b"\x00\x57\x11" + bytes.fromhex("4111111111111111d29122010000000000") + b"\x9f\x02",
        b"\x0080200" + b"7234054128C28805" + b"16" + VISA + b"000000000000001000",
    ],
)  # fmt: skip
def test_writings(text: bytes) -> None:
    assert found(text) == [VISA]


@pytest.mark.parametrize(
    "text",
    [
        b'{"h":"ab4111111111111111f6"}',
        b"0.4111111111111111",
        b"4111111111111111.5",
        b"k4111111111111111:1",
        b'{"imei":"378282246310005"}',
        b'{"tracking_no":"4111111111111111"}',
        b"var a=4503599627370496;",
        b"9374 4111 1111 1111 1111",
        b"5105 1051 0510 5100 5105 1051 0510 5100 5105",
        b"41111 11 111 111111",
        b"4111\n1111\n1111\n1111",
        b"DE19 4111 1111 1111 1111",
        b"+4111111111111111",
        b"4111111111111112",
        b"4444444444444444",
        b"41111111111111110",
        b"v4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
    ],
)
def test_what_only_looks_like_one(text: bytes) -> None:
    assert found(text) == []


def test_hidden_bytes_are_the_middle_digits() -> None:
    text = b"n=4111%201111%201111%201111&x"
    (number,) = detect_cardholder_data(text)
    shown = bytearray(text)
    for low, high in number.hidden:
        shown[low:high] = b"*" * (high - low)
    assert bytes(shown) == b"n=4111%2011**%20****%201111&x"


def test_confidence_names_its_reasons() -> None:
    (bare,) = detect_cardholder_data(b"x;4222222222222;y")
    (named,) = detect_cardholder_data(b'"cardNumber":"4111 1111 1111 1111","exp":"12/29"')
    assert bare.confidence < 0.5 < 0.95 < named.confidence
    assert len(named.reasons) == 4


def test_chunked_gzip_in_any_pieces() -> None:
    body = gzip.compress(b"a" * 2000 + b" card 4111 1111 1111 1111 was charged")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 33]), body[i : i + 33]) for i in range(0, len(body), 33))
    message = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    for size in (1, 7, 5000):
        numbers: list[CardNumber] = []
        bodies = HttpBodies(Scanner(), lambda number, where, place, into=numbers: into.append(number))
        for start in range(0, len(message), size):
            bodies.data(message[start : start + size], start, 0)
        bodies.close()
        assert [number.digits for number in numbers] == [VISA]


def test_a_compressed_bomb_is_bounded() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    head = b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    told: list[bytes] = []
    bodies = HttpBodies(Scanner(), lambda number, where, place: told.append(number.digits))
    bodies.data(head + bomb, 0, 0)
    assert told == []


def test_mail_parts() -> None:
    mail = b"DATA\r\nSubject: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail += (
        base64.encodebytes(b"Dear all, " * 9 + b"my card is 4111-1111-1111-1111. " * 2).replace(b"\n", b"\r\n")
        + b".\r\n"
    )
    mail += b"Content-Transfer-Encoding: quoted-printable\r\n\r\nmy other card 5555 55=\r\n55 5555 4444\r\n--x\r\n"
    told: list[bytes] = []
    bodies = MailBodies(Scanner(), lambda number, where, place: told.append(number.digits))
    for start in range(0, len(mail), 50):
        bodies.data(mail[start : start + 50], start, 0)
    assert set(told) == {VISA, b"5555555555554444"}


def test_websocket_masked() -> None:
    text = b'{"pan":"4111111111111111"}'
    key = b"\x71\x8d\xd0\x6b"
    frame = bytes([0x81, 0x80 | len(text)]) + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(text))
    told: list[bytes] = []
    stream = WebSocketText(Scanner(), lambda number, where, place: told.append(number.digits))
    for byte in frame:
        stream.data(bytes([byte]), 0)
    assert told == [VISA]


def test_issuers_do_not_overlap() -> None:
    """The first that fits counts; for each length one brand has a prefix."""
    for brand, low, high, lengths in ISSUERS:
        for prefix in {low, high}:
            for length in lengths:
                digits = completed(str(prefix).encode().ljust(length - 1, b"0"))
                assert brand_of(digits) == brand


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    for number in detect_cardholder_data(data):
        assert luhn(number.digits)
        assert 0 <= number.start < number.end <= len(data)


@given(st.text("0123456789 -.%=+4113abC\n^;?", max_size=300))
def test_any_digits(text: str) -> None:
    for number in detect_cardholder_data(text.encode()):
        assert brand_of(number.digits) == number.brand


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_http_mail_and_websocket(data: bytes, size: int) -> None:
    for make in (HttpBodies, MailBodies):
        decoder = make(Scanner(), lambda number, where, place: None)
        message = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + data
        for start in range(0, len(message), size):
            if not decoder.data(message[start : start + size], start, 0):
                break
        decoder.gap(7)
        decoder.close()
    WebSocketText(Scanner(), lambda number, where, place: None).data(data, 0)


@given(
    st.sampled_from([b"\x57", b"\x5a"]),
    st.integers(0, 30),
    st.text("0123456789abcdf", min_size=0, max_size=44),
    st.binary(max_size=20),
)
def test_tags_of_any_length_and_content(tag, length, digits, rest):
    """Track 2 that ends where the expiry date should be: it once stopped whoever showed the packet."""
    nibbles = digits if len(digits) % 2 == 0 else digits + "f"
    data = b"\x9f\x10" + tag + bytes([length]) + bytes.fromhex(nibbles) + rest
    hidden = Hiding().positions(data)
    assert hidden == sorted(set(hidden))
    assert all(0 <= place < len(data) for place in hidden)
    detect_cardholder_data(data)


@pytest.mark.parametrize("after", range(6))
def test_track_2_cut_after_the_separator(after):
    number = "4111111111111111d" + "2512"[:after] + "f" * (after > 4)
    number += "f" if len(number) % 2 else ""
    body = bytes.fromhex(number)
    Hiding().positions(b"\x57" + bytes([len(body)]) + body)


def test_what_cannot_be_read_is_hidden(monkeypatch):
    def broken(*_):
        raise ValueError("hostile")

    monkeypatch.setattr("app.dpi.cards.hiding.texts", broken)
    data = b"card=4111111111111111&x=" + b"." * 100
    hidden = Hiding().positions(data)
    assert set(range(5, 21)) <= set(hidden)
