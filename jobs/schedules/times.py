"""The times of day at which a cron text fires, as seconds from the day's first."""

from array import array
from bisect import bisect_left
from functools import lru_cache

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400


class TimesOfDay:
    """An ordered sequence of times that is never written out: `* * * * * *` has 86,400 of them."""

    __slots__ = ("_minutes", "_seconds", "first", "last", "total")

    def __init__(self, hours: frozenset[int], minutes: frozenset[int], seconds: frozenset[int]) -> None:
        self._minutes = array("H", sorted(60 * hour + minute for hour in hours for minute in minutes))
        self._seconds = tuple(sorted(seconds))
        self.total = len(self._minutes) * len(self._seconds)
        self.first = self._at(0)
        self.last = self._at(self.total - 1)

    def at_or_after(self, time: int) -> int | None:
        rank = self.count_before(time)
        return self._at(rank) if rank < self.total else None

    def at_or_before(self, time: int) -> int | None:
        rank = self.count_before(time + 1)
        return self._at(rank - 1) if rank else None

    def count_before(self, time: int) -> int:
        minute, second = divmod(time, MINUTE_SECONDS)
        minutes, seconds = self._minutes, self._seconds
        index = bisect_left(minutes, minute)
        rank = index * len(seconds)
        if index < len(minutes) and minutes[index] == minute:
            rank += bisect_left(seconds, second)
        return rank

    def _at(self, rank: int) -> int:
        minute, second = divmod(rank, len(self._seconds))
        return self._minutes[minute] * MINUTE_SECONDS + self._seconds[second]


@lru_cache(maxsize=4096)
def times_of_day(hours: frozenset[int], minutes: frozenset[int], seconds: frozenset[int]) -> TimesOfDay:
    """The times of these fields, shared by all the schedules that have the same."""
    return TimesOfDay(hours, minutes, seconds)
