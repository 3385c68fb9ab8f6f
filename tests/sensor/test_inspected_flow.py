"""What a flow began with, while nobody has recognised it."""

from app.sensor.inspected_flow import Beginning


def test_each_direction_has_its_bytes_in_order() -> None:
    beginning = Beginning()
    assert beginning.add(0, b"ab", 1) == 2
    assert beginning.add(1, b"XY", 2) == 2
    assert beginning.add(0, b"cd", 3) == 4
    assert beginning.of(0, 99) == b"abcd"
    assert beginning.of(0, 3) == b"abc"
    assert beginning.of(1, 99) == b"XY"


def test_what_is_before_a_hole_does_not_begin_what_is_behind_it() -> None:
    beginning = Beginning()
    beginning.add(0, b"ab", 1)
    beginning.add(1, b"XY", 2)
    beginning.hole(0)
    assert beginning.of(0, 99) == b""
    assert beginning.of(1, 99) == b"XY"
    assert beginning.add(0, b"cd", 3) == 2
    assert beginning.of(0, 99) == b"cd"
    assert [data for _, data, _ in beginning.waiting] == [b"ab", b"XY", b"cd"]  # whoever recognises it reads them all


def test_the_bytes_are_kept_once() -> None:
    beginning = Beginning()
    pieces = [bytes([number]) * 100 for number in range(40)]
    for piece in pieces:
        beginning.add(0, piece, 0)
    held = [data for _, data, _ in beginning.waiting]
    assert all(kept is piece for kept, piece in zip(held, pieces, strict=True))
    others = [getattr(beginning, name) for name in ("_since", "asked", "size")]
    assert all(type(number) is int for pair in others for number in pair)
