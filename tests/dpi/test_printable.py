"""Text from the wire: printable, bounded, without card numbers and passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dpi.printable import printable, without_cards, without_password
from tests import pace


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("Grüße".encode(), "Grüße"),
        (b"a\0b\xff", "a\\x00b\\xff"),
        ("a\u202eb".encode(), "a\\xe2\\x80\\xaeb"),
        (b"x" * 300, "x" * 256 + "…"),
    ],
)
def test_printable(data, text):
    assert printable(data) == text


@given(st.binary(max_size=600))
def test_printable_is_printable_and_short(data):
    text = printable(data)
    assert text.isprintable()
    assert len(text) <= 257


@given(st.binary(max_size=200))
def test_masks_keep_lengths_and_addresses_without_secrets(data):
    assert len(without_cards(data)) == len(data)
    if b"@" not in data:
        assert without_password(data) == data


def test_many_short_groups_are_hidden_without_trying_them_all():
    target = b"/?" + b"4+" * 4000 + b"&n=4111111111111111"
    hidden = without_cards(target)
    assert pace.within(500, lambda: without_cards(target))
    assert b"4+4" not in hidden
    assert hidden.endswith(b"n=411111******1111")


def test_plain_numbers_stay():
    assert without_cards(b"/a/20240101123456?id=1234567890123") == b"/a/20240101123456?id=1234567890123"
