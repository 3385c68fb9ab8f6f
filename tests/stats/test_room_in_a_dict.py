"""Dicts that forget what came first, without looking through what they forgot before."""

from app.stats.bounded import make_room


class _Counting(dict[int, int]):
    """Counts how often somebody begins at the front."""

    looks = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.looks += 1
        return super().__iter__()


def _fill(entries: dict[int, int], most: int, number: int) -> int:
    gone = 0
    for one in range(number):
        gone += make_room(entries, most)
        entries[one] = one
    return gone


def test_the_oldest_go_and_the_rest_stays_in_order() -> None:
    entries: dict[int, int] = {}
    gone = _fill(entries, 1024, 5000)
    assert len(entries) <= 1024
    assert list(entries) == list(range(gone, 5000))
    assert len(entries) > 1000


def test_a_small_one_loses_one_at_a_time() -> None:
    entries: dict[int, int] = {}
    _fill(entries, 2, 3)
    assert list(entries) == [1, 2]


def test_there_is_room_as_long_as_it_is_not_full() -> None:
    entries = {1: 1}
    assert make_room(entries, 2) == 0
    assert entries == {1: 1}


def test_the_front_is_looked_for_once_for_many() -> None:
    entries = _Counting()
    _fill(entries, 2560, 10_000)
    assert entries.looks <= 1 + (10_000 - 2560) // 10
