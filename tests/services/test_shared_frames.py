"""What several clients are sent at once is made once."""

from __future__ import annotations

from app.services.shared_frames import MOST, SharedFrames


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
