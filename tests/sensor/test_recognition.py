"""Recognisers that are passed over by the first byte could not have known it."""

import pytest

from app.dpi.inspector import FlowContext
from app.dpi.signatures import TCP, UDP
from app.sensor.inspectors import recognizers
from app.sensor.recognition import Recognition
from tests.dpi.samples import SAMPLES


@pytest.fixture(scope="module")
def recognition():
    return Recognition(*recognizers())


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{s[0]}-{i}" for i, s in enumerate(SAMPLES)])
def test_nobody_who_takes_a_first_message_is_passed_over(recognition, sample):
    _, protocol, port, lines = sample
    for direction, data in lines[:2]:
        for cut in (1, 4, 11, len(data)):
            flow = FlowContext(1, protocol, "192.0.2.1", 40_000, "192.0.2.2", port, lambda fact: None)
            taken = [one for one in recognition.all[protocol] if one(flow, direction, data[:cut])]
            asked = recognition.beginning(protocol, data[:cut])
            assert [one for one in taken if one in asked] == taken


def test_few_are_asked_about_a_byte_and_all_about_nothing(recognition):
    assert len(recognition.beginning(TCP, b"\xe3" * 40)) < len(recognition.all[TCP]) / 2
    assert recognition.beginning(UDP, b"") == recognition.all[UDP]
    assert recognition.that_fit(TCP, 0) == recognition.that_fit(TCP, -1) == recognition.all[TCP]
    assert recognition.that_fit(TCP, 0b101) == (recognition.all[TCP][0], recognition.all[TCP][2])
