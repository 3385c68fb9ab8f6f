"""Frames: any bytes in, whole frames or a ProtocolError out."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.link.frames import MAX_FRAME, FrameDecoder, encode_frame
from app.model.errors import ProtocolError


def frames_of(decoder):
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(frame)
    return found


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.data())
def test_frames_survive_any_cutting(payloads, data):
    stream = b"".join(encode_frame(payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder, found = FrameDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.feed(stream[start:end])
        found += frames_of(decoder)
    assert found == payloads
    assert decoder.waiting == 0


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_any_bytes_give_frames_or_a_protocol_error(pieces):
    decoder = FrameDecoder(limit=1000)
    for piece in pieces:
        decoder.feed(piece)
        try:
            frames_of(decoder)
        except ProtocolError:
            with pytest.raises(ProtocolError):  # and it stays broken
                decoder.next_frame()
            return


@pytest.mark.parametrize("length", [0, MAX_FRAME + 1, 0xFFFFFFFF])
def test_lengths_that_are_not_allowed(length):
    decoder = FrameDecoder()
    decoder.feed(struct.pack(">I", length))
    with pytest.raises(ProtocolError, match=str(length)):
        decoder.next_frame()


def test_the_longest_frame_is_allowed_and_one_more_is_not():
    payload = bytes(MAX_FRAME)
    decoder = FrameDecoder()
    decoder.feed(encode_frame(payload))
    assert len(decoder.next_frame()) == MAX_FRAME
    with pytest.raises(ProtocolError):
        encode_frame(payload + b"x")
    with pytest.raises(ProtocolError):
        encode_frame(b"")
