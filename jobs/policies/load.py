"""Load: how many runs come due in each minute, by the schedules of crowds of jobs."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.schedules import Schedule
from jobs.schedules.fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, YEAR, Field
from jobs.schedules.parser import MAX_LENGTH

SECONDS = 60
_MICROSECOND, _MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
_HASHED = re.compile(r"\bH\b", re.IGNORECASE)
_FIVE = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
_FIELDS: Mapping[int, tuple[Field, ...]] = {5: _FIVE, 6: (SECOND, *_FIVE), 7: (SECOND, *_FIVE, YEAR)}

PerMinute = Counter[int]
"""How many runs come due in the minutes of a window, which are counted from 0; those with none are absent."""


@dataclass(frozen=True, slots=True)
class Window:
    """So many `minutes` from `start` on, a whole minute in UTC."""

    start: datetime
    minutes: int

    @property
    def end(self) -> datetime:
        return self.start + self.minutes * _MINUTE

    @classmethod
    def after(cls, now: datetime, minutes: int) -> "Window":
        """The whole minutes that follow `now`."""
        begun = now.astimezone(UTC) + _MINUTE - _MICROSECOND
        return cls(begun.replace(second=0, microsecond=0), minutes)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Jobs with the same schedule, whose ticks t with after < t <= until count.

    Each tick makes `delays[s]` runs that are due s whole seconds later.
    """

    schedule: Schedule
    after: datetime
    until: datetime
    delays: Mapping[int, int]


def per_minute(crowd: Crowd, window: Window) -> PerMinute:
    """When the runs of these jobs come due."""
    latest = timedelta(seconds=max(crowd.delays, default=0))
    after = max(crowd.after, window.start - latest - _MICROSECOND)
    until = min(crowd.until, window.end - _MICROSECOND)
    on_time = set(crowd.delays) == {0}
    if on_time and crowd.schedule.count_between(after, until) > window.minutes:
        return _counted(crowd, window, after, until)
    return _walked(crowd, window, after, until)


def _counted(crowd: Crowd, window: Window, after: datetime, until: datetime) -> PerMinute:
    """For schedules with more than a tick a minute: the ticks are counted, not made."""
    counts: PerMinute = Counter()
    for minute in range(window.minutes):
        before = window.start + minute * _MINUTE - _MICROSECOND
        ticks = crowd.schedule.count_between(max(after, before), min(until, before + _MINUTE))
        counts[minute] += ticks * crowd.delays[0]
    return +counts


def _walked(crowd: Crowd, window: Window, after: datetime, until: datetime) -> PerMinute:
    """Ticks of the same second of a minute are late by the same numbers of minutes."""
    counts: PerMinute = Counter()
    origin = int(window.start.timestamp())
    minutes: dict[int, list[int]] = {}
    for tick in crowd.schedule.between(after, until):
        minute, second = divmod(int(tick.timestamp()) - origin, SECONDS)
        minutes.setdefault(second, []).append(minute)
    for second, ticks in minutes.items():
        for late, runs in _late(crowd.delays, second).items():
            for minute in ticks:
                if 0 <= minute + late < window.minutes:
                    counts[minute + late] += runs
    return counts


def _late(delays: Mapping[int, int], second: int) -> PerMinute:
    """How many runs are late by how many minutes, of a tick at this second of a minute."""
    late: PerMinute = Counter()
    for delay, runs in delays.items():
        late[(second + delay) // SECONDS] += runs
    return late


def without_hash(text: str, key: str) -> tuple[str, str]:
    """The schedule's text with each `H` replaced by what it stands for, and the key that it still needs: mostly none.

    So jobs that run at the same times have the same text. It stays as it is where that would be too long; ValueError
    says what cannot be read.
    """
    if not _HASHED.search(text):
        return text, ""
    words = text.upper().split()
    fields = _FIELDS.get(len(words), ())
    replaced = " ".join(_items(field, word, key) for field, word in zip(fields, words, strict=False))
    return (replaced, "") if 0 < len(replaced) <= MAX_LENGTH else (text, key)


def _items(field: Field, word: str, key: str) -> str:
    items = (_values(field.values(item, key)) if _is_hashed(item) else item for item in word.split(","))
    return ",".join(items)


def _is_hashed(item: str) -> bool:
    return item == "H" or item.startswith(("H/", "H("))


def _values(values: Iterable[int]) -> str:
    return ",".join(map(str, sorted(values)))
