"""Messages: bounded, of the shapes the other side relies on, and no other exception than ProtocolError whatever comes."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.link import messages
from app.link.messages import COMMANDS, ITEM_SIZES, MAX_DEPTH, SENSOR_MESSAGES, check, decode, encode
from app.model.errors import ProtocolError
from app.wire import records

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@given(st.binary(max_size=400))
def test_any_bytes_give_a_message_or_a_protocol_error(data):
    try:
        message = decode(data)
    except ProtocolError:
        return
    assert isinstance(message["type"], str)
    for shapes in (SENSOR_MESSAGES, COMMANDS):
        try:
            check(message, shapes)
        except ProtocolError:
            pass


@given(
    st.sampled_from([*SENSOR_MESSAGES, *COMMANDS, "unheard of"]),
    st.dictionaries(st.text(max_size=10), ANYTHING, max_size=5),
    st.data(),
)
def test_any_values_in_known_messages(kind, extra, data):
    shape = {**SENSOR_MESSAGES, **COMMANDS}.get(kind, {})
    fields = {name.rstrip("?"): data.draw(ANYTHING) for name in shape}
    message = decode(encode({**extra, **fields, "type": kind}))
    for shapes in (SENSOR_MESSAGES, COMMANDS):
        try:
            known = check(message, shapes)
        except ProtocolError:
            known = True
        assert known == (kind in shapes)


def test_a_message_comes_back_as_it_was():
    message = {"type": "reply", "id": 7, "ok": True, "result": {"data": b"\x00\xff", "n": 2**63, "x": [1.5, None, "ü"]}}
    assert decode(encode(message)) == message
    assert check(message, SENSOR_MESSAGES)


def test_depth():
    assert decode(msgpack.packb({"type": "reply", "x": nested(MAX_DEPTH - 3)}))
    for depth in (MAX_DEPTH, 400, 5000):
        payload = b"\x82\xa4type\xa1x\xa1y" + b"\x91" * depth + b"\xc0"
        with pytest.raises(ProtocolError):
            decode(payload)


def test_items_are_counted_while_the_message_is_built(monkeypatch):
    monkeypatch.setattr(messages, "MAX_ITEMS", 1000)
    assert decode(msgpack.packb({"type": "x", "rows": [[1, 2]] * 200}))
    with pytest.raises(ProtocolError, match="items"):
        decode(msgpack.packb({"type": "x", "rows": [[1, 2]] * 400}))
    with pytest.raises(ProtocolError, match="items"):
        decode(msgpack.packb({"type": "x", "rows": [{"a": 1}] * 1000}))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x80",
        b"\x93\x01\x02\x03",
        msgpack.packb({"type": 1}),
        msgpack.packb({1: 2, "type": "x"}),
        b"\x81\xa4type\xa3\xff\xff\xff",
    ],
)
def test_what_is_not_a_message(payload):
    with pytest.raises(ProtocolError):
        decode(payload)


def test_extension_types_are_refused():
    with pytest.raises(ProtocolError):
        decode(msgpack.packb({"type": "x", "t": msgpack.ExtType(5, b"abc")}))


def test_what_has_no_form_on_the_link():
    with pytest.raises(ProtocolError, match="snapshot"):
        encode({"type": "snapshot", "rows": {1, 2}})
    with pytest.raises(ProtocolError):
        encode({"type": "x", "n": 2**64})


def hello(**changes):
    return {**messages.hello(1, "aa"), **changes}


def test_another_version_is_named():
    assert check(hello(), SENSOR_MESSAGES)
    with pytest.raises(ProtocolError, match=r"version 2.*version 1"):
        check(hello(version=2), SENSOR_MESSAGES)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ({"type": "hello", "version": 1, "pid": 1, "boot": "x"}, "hello without layouts"),
        (hello(pid="1"), r"hello\.pid is a str"),
        (hello(version=True), r"hello\.version is a bool"),
        ({"type": "start", "id": 1, "interfaces": "eth0"}, r"start\.interfaces is a str"),
        ({"type": "packet", "id": 1}, "packet without packet_id"),
        (
            {"type": "snapshot", "seq": 1, "wall_ns": 1, "now_ns": 1, "capture": {}, "flows": b"x"},
            "flows is no whole number",
        ),
        ({"type": "snapshot", "seq": 1, "wall_ns": 1, "now_ns": 1, "capture": {}, "series": {"1": b"x"}}, "series"),
    ],
)
def test_wrong_shapes_are_named(message, names):
    with pytest.raises(ProtocolError, match=names):
        check(message, {**SENSOR_MESSAGES, **COMMANDS})


def test_unknown_types_and_fields_pass():
    assert not check({"type": "next year's"}, SENSOR_MESSAGES)
    assert check({"type": "notice", "level": "info", "text": "x", "colour": 3}, SENSOR_MESSAGES)


def test_item_sizes_are_those_of_the_arrays():
    assert {
        "frame": records.FRAME_DTYPE.itemsize,
        "packet": records.PACKET_DTYPE.itemsize,
        "flow": records.FLOW_DTYPE.itemsize,
        "packet_row": records.PACKET_ROW_DTYPE.itemsize,
        "bucket": records.BUCKET_DTYPE.itemsize,
        "entropy": records.ENTROPY_DTYPE.itemsize,
    } == ITEM_SIZES
