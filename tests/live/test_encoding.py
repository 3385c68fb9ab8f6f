"""What was written for several clients reaches each of them whole, and is not written again."""

from __future__ import annotations

import json
import math

import pytest
from socketio.packet import EVENT, Packet

from app.live.encoding import LiveJson, Raw, outgoing
from app.services.written_frames import Written, written

DOCUMENT = {"rows": [[1, "ä\u2028</script>", None, 2.5, True]], "columns": ["a"], "total": 1}


def test_a_written_frame_is_the_document() -> None:
    frame = written(DOCUMENT)
    assert frame == DOCUMENT
    assert json.loads(frame.text) == DOCUMENT


@pytest.mark.parametrize("document", [DOCUMENT, {}, {"a": {}}])
def test_a_number_of_its_own_changes_nothing_else(document: dict[str, object]) -> None:
    frame = written(document)
    numbered = frame.numbered(7)
    assert numbered == {**document, "seq": 7} == json.loads(numbered.text)
    assert frame == document == json.loads(frame.text)


def test_a_packet_takes_it_as_it_is() -> None:
    class LivePacket(Packet):  # type: ignore[misc]
        json = LiveJson

    sent = Written({}, '{"written":"once"}')
    text = LivePacket(EVENT, namespace="/", data=["stats", outgoing(sent)], id=3).encode()
    assert text == '23["stats",{"written":"once"}]'
    back = LivePacket(encoded_packet=text)
    assert back.data == ["stats", {"written": "once"}]
    assert back.id == 3


def test_everything_else_is_written_as_ever() -> None:
    for value in (["alert", {"a": [1, None]}], [Raw("1").text], {"sid": "x"}, "text", [1, 2], ["a", "b"]):
        assert json.loads(LiveJson.dumps(value, separators=(",", ":"))) == value
    assert outgoing({"a": 1}) == {"a": 1}
    assert math.isnan(LiveJson.loads(LiveJson.dumps(math.nan)))


def test_numbers_of_thousands_of_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        LiveJson.loads("1" * 200)
