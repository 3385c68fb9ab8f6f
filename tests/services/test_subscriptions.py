"""One un-acknowledged frame per client and topic; clients that never acknowledge wait for their transport."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.services import subscriptions
from app.services.subscriptions import MAX_CLIENTS, Subscriptions


class Topic:
    interval = 0.0

    def frame(self) -> Any:
        return {}


def due(subject: Subscriptions, drained: bool = True) -> list[tuple[str, str]]:
    return [(sid, name) for sid, name, _ in subject.due(lambda sid: drained)]


def sent(subject: Subscriptions) -> None:
    for _, _, subscription in subject.due(lambda sid: True):
        subscription.waiting, subscription.sent = True, time.monotonic()


def test_nothing_is_due_while_a_frame_is_under_way() -> None:
    subject = Subscriptions()
    subject.add("a")
    subject.subscribe("a", [("stats", Topic()), ("packets", Topic())])
    assert due(subject) == [("a", "stats"), ("a", "packets")]
    sent(subject)
    assert due(subject) == []
    subject._clients["a"].topics["stats"].waiting = False
    assert due(subject) == [("a", "stats")]


def test_a_client_that_never_acknowledges_is_served_slowly_and_only_when_drained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "ACK_SECONDS", 0.05)
    subject = Subscriptions()
    subject.add("a")
    subject.subscribe("a", [("stats", Topic())])
    sent(subject)
    time.sleep(0.06)
    assert due(subject, drained=False) == []
    assert due(subject, drained=True) == [("a", "stats")]


def test_the_interval_is_kept() -> None:
    topic = Topic()
    topic.interval = 60
    subject = Subscriptions()
    subject.add("a")
    subject.subscribe("a", [("stats", topic)])
    assert due(subject) == [("a", "stats")] or time.monotonic() < 60
    sent(subject)
    subject._clients["a"].topics["stats"].waiting = False
    subject._clients["a"].topics["stats"].sent = time.monotonic()
    assert due(subject) == []


def test_clients_come_and_go() -> None:
    subject = Subscriptions()
    assert subject.subscribe("nobody", [("stats", Topic())]) == []
    assert subject.unsubscribe("nobody", ["stats"]) == []
    subject.add("a")
    assert subject.subscribe("a", [("stats", Topic()), ("packets", Topic())]) == ["packets", "stats"]
    assert subject.unsubscribe("a", ["stats", "unknown"]) == ["packets"]
    subject.remove("a")
    assert due(subject) == []
    assert len(subject) == 0


def test_there_is_a_limit() -> None:
    subject = Subscriptions()
    assert all(subject.add(str(number)) for number in range(MAX_CLIENTS))
    assert not subject.add("one more")
    subject.remove("0")
    assert subject.add("one more")


def test_the_next_interval_is_waited_for_and_no_longer() -> None:
    topic = Topic()
    subject = Subscriptions()
    subject.add("a")
    subject.subscribe("a", [("stats", topic)])
    assert subject.seconds_left(0.5) == 0.5  # it is due: it waits for something new
    subject._clients["a"].topics["stats"].sent = time.monotonic()
    topic.interval = 60
    assert subject.seconds_left(0.5) == 0.5
    assert 0.5 < subject.seconds_left(600) <= 60
    sent(subject)
    subject._clients["a"].topics["stats"].waiting = True
    assert subject.seconds_left(600) == 600
