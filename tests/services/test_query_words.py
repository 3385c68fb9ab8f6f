"""What the search boxes are told of the fields."""

from __future__ import annotations

import pytest

from app.services.help_texts import TABLES, help_texts
from app.services.query_errors import BadRequest
from app.services.query_words import LISTS, query_words
from app.wire.filter import parse


@pytest.mark.parametrize("name", LISTS)
def test_every_offered_value_can_be_asked_for(name: str) -> None:
    fields = LISTS[name](["eth0", "wlan0"])
    words = query_words(name, ["eth0", "wlan0"])
    assert {word["name"] for word in words} == set(fields.fields)
    for word in words:
        assert word["kind"] in ("address", "number", "time", "flags", "choice", "word", "text")
        for value in word["values"]:
            parse(f'{word["name"]}:"{value}"', fields)
        for alias in word["aliases"]:
            assert fields.get(alias) is fields.get(word["name"])


def test_the_values_of_a_choice_are_told() -> None:
    words = {word["name"]: word for word in query_words("connections", ["eth0"])}
    assert {"tcp", "udp", "icmp"} <= set(words["protocol"]["values"])
    assert words["interface"]["values"] == ["eth0"]
    assert words["ip"]["kind"] == "address"
    assert words["bytes"]["kind"] == "number"


def test_a_list_that_is_none_is_named() -> None:
    with pytest.raises(BadRequest, match="there is no list 'colours'"):
        query_words("colours", [])


def test_no_explanation_hides_another_of_the_same_name() -> None:
    texts = help_texts()
    for table, fields in TABLES.items():
        for field in fields:
            told = texts.get(f"{table}.{field.name}", texts[field.name])
            assert told.startswith(field.help[:20]), (table, field.name)
