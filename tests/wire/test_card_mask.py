"""Card numbers in bytes about to be shown: found in every grouping, masked in place, never in other numbers' middles."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.card_mask import _few, _numbers, hidden_positions, is_card_number, masked

NUMBERS = [
    b"4111111111111111",
    b"4222222222222",
    b"5555555555554444",
    b"2223003122003222",
    b"378282246310005",
    b"6011111111111117",
    b"3530111333300000",
    b"30569309025904",
    b"6200000000000005",
    b"6759649826438453",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_test_numbers_of_the_brands_are_masked_alone_and_grouped(number):
    hidden = number[:6] + b"*" * (len(number) - 10) + number[-4:]
    assert masked(number) == (hidden, True)
    assert masked(b"card=" + number + b"&x=1") == (b"card=" + hidden + b"&x=1", True)
    for separator in (b" ", b"-"):
        grouped = separator.join([number[at : at + 4] for at in range(0, len(number), 4)])
        result, found = masked(grouped, b"0")
        assert found
        assert len(result) == len(grouped)
        digits = result.replace(separator, b"")
        assert digits == number[:6] + b"0" * (len(number) - 10) + number[-4:]


def test_neighbouring_digit_groups_do_not_hide_a_number():
    assert masked(b"12 4111111111111111 123") == (b"12 411111******1111 123", True)
    assert masked(b"4111 1111 1111 1111 12/26") == (b"4111 11** **** 1111 12/26", True)
    assert masked(b"555-0100 4111 1111 1111 1111")[0].endswith(b"4111 11** **** 1111")


@pytest.mark.parametrize(
    "text",
    [
        b"4111111111111112",  # check digit
        b"9111111111111111",  # no issuer
        b"41111111111111111111111",  # part of a longer number
        b"4111  1111  1111  1111",  # two separators
        b"411111111111",  # too short
        b"",
        b"no digits",
        b"\xff\x004111",
    ],
)
def test_other_numbers_stay(text):
    assert masked(text) == (text, False)


@given(st.binary(max_size=300))
def test_any_bytes_keep_their_length(data):
    result, found = masked(data)
    assert len(result) == len(data)
    assert found == (result != data)


@given(st.text(alphabet="0123456789 -x", max_size=120), st.sampled_from(NUMBERS))
def test_a_number_between_other_characters_never_survives(around, number):
    data = around.encode() + b"x" + number + b"x" + around.encode()
    result, found = masked(data)
    assert found
    assert number not in result[len(around) : len(around) + len(number) + 2]


def test_runs_of_digit_groups_take_bounded_time():
    assert hidden_positions(b"1 " * 20_000) == hidden_positions(b"0" * 40_000) == []
    assert not is_card_number(b"4" * 16)


@given(st.text(alphabet="0123456789 -4", min_size=1, max_size=300))
def test_few_and_many_digits_are_judged_alike(text):
    data = text.encode()
    groups = [found.span() for found in re.finditer(rb"[0-9]+", data)]
    places = [place for low, high in groups for place in range(low, high)]
    if places:
        assert sorted(_few(data, groups, places)) == sorted(_numbers(data, groups, places))


def test_separators_of_web_addresses():
    assert (
        masked(b"n=4111%201111%201111%201111&m=4111+1111+1111+1111")[0]
        == b"n=4111%2011**%20****%201111&m=4111+11**+****+1111"
    )
