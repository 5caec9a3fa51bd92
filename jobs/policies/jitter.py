"""Jitter: a job's own fixed delay, and whether it could pass the job's next tick."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise

from jobs.schedules import Schedule

MOST_TICKS = 1000
"""How many ticks are looked at, from each place on."""
DAYS = 400
"""In how many days the clock's changes are looked for: ticks that a change moves come closer together."""
AROUND = timedelta(hours=3)

_DAY, _MINUTE, _MICROSECOND = timedelta(days=1), timedelta(minutes=1), timedelta(microseconds=1)


def delay_of(name: str, jitter: int) -> timedelta:
    """A job's delay, in milliseconds from zero to `jitter` seconds, by a stable hash of its name."""
    if not jitter:
        return timedelta(0)
    drawn = int.from_bytes(hashlib.sha256(f"jitter {name}".encode()).digest()[:8], "big")
    return timedelta(milliseconds=drawn % (jitter * 1000 + 1))


def passed_ticks(schedule: Schedule, jitter: int, after: datetime) -> tuple[datetime, datetime] | None:
    """Two neighbouring ticks of which the first, `jitter` seconds late, would come no earlier than the second.

    Looked at are the next 1,000 ticks, and those near the changes of the clock in the next 400 days. None when there
    are no such two.
    """
    places = chain([_ticks(schedule, after)], (_around(schedule, change) for change in _changes(schedule, after)))
    pairs = (pair for place in places for pair in pairwise(place))
    limit = timedelta(seconds=jitter)
    return next((pair for pair in pairs if pair[1].astimezone(UTC) - pair[0].astimezone(UTC) <= limit), None)


def _ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    return islice(schedule.between(after, after + MOST_TICKS * DAYS * _DAY), MOST_TICKS)


def _around(schedule: Schedule, change: datetime) -> Iterator[datetime]:
    first = schedule.previous_before(change - AROUND)
    last = schedule.next_after(change + AROUND)
    start = change - AROUND if first is None else first.astimezone(UTC) - _MICROSECOND
    return islice(schedule.between(start, change + AROUND if last is None else last), 10 * MOST_TICKS)


def _changes(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The moments, to a minute, at which the clock of the schedule's zone changes."""
    start = after.astimezone(UTC)
    for day in range(DAYS):
        low, high = start + day * _DAY, start + (day + 1) * _DAY
        if _offset(schedule, low) != _offset(schedule, high):
            while high - low > _MINUTE:
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(schedule, middle) == _offset(schedule, low) else (low, middle)
            yield high


def _offset(schedule: Schedule, moment: datetime) -> timedelta | None:
    return moment.astimezone(schedule.timezone).utcoffset()
