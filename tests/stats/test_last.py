"""The last few things of each of thousands."""

import sys
from collections import deque

from app.stats.bounded import Last


def test_only_the_last_are_kept() -> None:
    last: Last[int] = Last(3)
    for one in range(5):
        last.append(one)
    assert last == [2, 3, 4]
    assert last[-1] == 4


def test_an_empty_one_is_much_smaller_than_a_deque() -> None:
    assert 4 * sys.getsizeof(Last(128)) < sys.getsizeof(deque(maxlen=128))
