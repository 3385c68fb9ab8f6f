"""The bench's cheap clients find every message, however the stream is cut."""

from __future__ import annotations

import struct

import pytest

from bench.listeners import Heads, framed


@pytest.mark.parametrize("step", [1, 3, 1_000, 1 << 20])
def test_heads_of_messages_of_all_lengths(step: int) -> None:
    texts = [b"2", b"x" * 125, b"y" * 126, b"z" * 65_535, b"42" + b"w" * 70_000, b"3"]
    stream = b""
    for text in texts:
        size = len(text)
        length = (
            bytes([size])
            if size < 126
            else b"\x7e" + struct.pack(">H", size)
            if size < 1 << 16
            else b"\x7f" + struct.pack(">Q", size)
        )
        stream += b"\x81" + length + text
    heads, found = Heads(), []
    for first in range(0, len(stream), step):
        found += heads.of(stream[first : first + step])
    assert found == [text[:400] for text in texts]


def test_what_is_sent_is_masked() -> None:
    assert framed(b"40") == b"\x81\x82\0\0\0\x0040"
    assert framed(b"a" * 200)[:4] == b"\x81\xfe\0\xc8"
