"""Card numbers in clear text become one alert for each sender and destination; what is not sure enough stays a finding."""

from __future__ import annotations

import pytest

from app.detect.engine import Engine
from app.sensor.cards import Cards
from app.sensor.pipeline import Pipeline
from tests.frames import block
from tests.sensor.test_card_scan import segment


def alerts(*texts: bytes) -> list[tuple[str, int]]:
    detection = Engine()
    pipeline = Pipeline(64, detection=detection, cards=Cards(b"k" * 32, patient=True))
    at = 1
    for text in texts:
        pipeline.feed(block([segment(at, text)]))
        at += len(text)
    pipeline.finish()
    found = [alert for alert in detection.folding.alerts() if alert.detection.rule == "cardholder_data"]
    assert all("4111111111111111" not in repr(alert) for alert in found)
    return [(alert.detection.severity, alert.count) for alert in found]


def test_a_named_number() -> None:
    assert alerts(b'{"cardNumber":"4111111111111111","exp":"12/29"}') == [("high", 1)]


def test_several_to_one_destination_are_one_alert() -> None:
    assert alerts(b"card=4111111111111111;", b"card=5555555555554444;") == [("high", 2)]


@pytest.mark.parametrize("text", [b"x;4111111111111111;y", b"order=4111111111111111", b"nothing"])
def test_not_sure_enough(text: bytes) -> None:
    assert alerts(text) == []
