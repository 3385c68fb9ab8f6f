"""What several clients are sent at once is made once."""

from __future__ import annotations

import gc
import weakref

import pytest

from app.services import shared_frames
from app.services.shared_frames import HELD_SECONDS, MOST, SharedFrames


def test_made_once_for_a_state_and_again_for_the_next() -> None:
    frames, made = SharedFrames(), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [frames.get("stats", 1, "all", make) for _ in range(3)] == [1, 1, 1]
    assert frames.get("stats", 2, "all", make) == 2
    assert frames.get("stats", 2, "other", make) == 3
    assert frames.get("connections", 2, "all", make) == 4
    assert frames.get("stats", 2, "all", make) == 2


def test_what_is_kept_is_bounded() -> None:
    frames = SharedFrames()
    for key in range(2 * MOST):
        frames.get("stats", 1, key, object)
    first, last = frames.get("stats", 1, 0, object), frames.get("stats", 1, 2 * MOST - 1, object)
    assert first is frames.get("stats", 1, 0, object)
    assert last is not frames.get("stats", 1, 2 * MOST - 1, object)


def test_clients_served_one_after_the_other_see_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(shared_frames.time, "monotonic", lambda: now[0])
    frames = SharedFrames()
    assert frames.held("connections", lambda: 1, lambda state: False) == 1
    assert frames.held("connections", lambda: 2, lambda state: False) == 1
    assert frames.held("connections", lambda: 3, lambda state: state == 1) == 3  # the first one asks again
    assert frames.held("connections", lambda: 4, lambda state: state == 1) == 3
    assert frames.held("other", lambda: 5, lambda state: False) == 5
    now[0] += 2 * HELD_SECONDS
    assert frames.held("connections", lambda: 6, lambda state: False) == 6


def test_a_state_that_nobody_asks_for_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(shared_frames.time, "monotonic", lambda: now[0])
    frames = SharedFrames()
    gone = weakref.ref(frames.held("connections", SharedFrames, lambda state: False))
    assert gone() is not None
    now[0] += 2 * HELD_SECONDS
    frames.get("stats", 1, "all", object)
    gc.collect()
    assert gone() is None
