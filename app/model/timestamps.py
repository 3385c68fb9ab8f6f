"""Times at the border: integer nanoseconds inside, RFC 3339 in UTC with microseconds outside."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST_NS = 253402300799_999999000  # 9999-12-31T23:59:59.999999Z, the last one RFC 3339 can write


def rfc3339(ns: int) -> str | None:
    """`2026-11-20T15:04:05.000123Z`; None for 0 ("never") and for what no calendar holds."""
    if not 0 < ns <= _LAST_NS:
        return None
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    """Times of a capture are many within the same seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def parse_time(text: str) -> int:
    """Nanoseconds of an RFC 3339 time or of seconds since the epoch (`1700000000.5`). `ValueError` says what is allowed."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not 0 <= seconds < _LAST_NS / 1e9:
            raise ValueError(f"{text!r} is not a time: seconds since 1970 or RFC 3339")
        return int(seconds * 1e9)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time: seconds since 1970 or RFC 3339, such as 2026-01-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
