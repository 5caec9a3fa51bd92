"""The schedule: what the rest of the project sees of this package."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from jobs.schedules.days import BusinessCalendar
from jobs.schedules.fires import FIRST_INSTANT, LAST_INSTANT, Fires, Gap
from jobs.schedules.times import DAY_SECONDS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SkippedTimes:
    """Times of a schedule that the clock skips when it goes forward.

    `gap_end` is the moment right after the gap, in the schedule's zone, `first` the first of the times (naive, as no
    clock shows it), `count` their number, and `run` tells whether they run, once, at `gap_end`.
    """

    gap_end: datetime
    first: datetime
    count: int
    run: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule's text in a time zone, and its fire times: whole seconds of the years 1970 to 2199.

    Two are equal if they have the same normalised text and zone, where `H` is used the same key, and for fixed times
    the same `gap` and `repeated`; these have their default values where times follow the clock, whatever was asked.
    Where it has business days, they also have equal calendars.
    Fire times are aware, in the schedule's zone, with `fold` set in the second of two repeated hours. Compare them as
    UTC: Python compares two datetimes of one zone by the clock on the wall. Naive datetimes are refused (ValueError).
    """

    text: str
    timezone: tzinfo
    key: str = field(repr=False)
    gap: str = field(repr=False)
    repeated: str = field(repr=False)
    _fires: Fires = field(repr=False, compare=False)
    _words: Callable[[], str] = field(repr=False, compare=False)
    calendar: BusinessCalendar | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    def describe(self) -> str:
        """The schedule in one line of English, such as "At 02:00 on Monday to Friday"."""
        return self._words()

    def next_after(self, moment: datetime) -> datetime | None:
        """The first fire time strictly after; None if there is none until the end of 2199."""
        instant = max(_floor(moment) + 1, FIRST_INSTANT)
        if instant > LAST_INSTANT:
            return None
        found = self._fires.at_or_after(instant)
        return None if found is None else self._local(found)

    def previous_before(self, moment: datetime) -> datetime | None:
        """The last fire time strictly before; None if there is none since the start of 1970."""
        instant = min(_ceiling(moment) - 1, LAST_INSTANT)
        if instant < FIRST_INSTANT:
            return None
        found = self._fires.at_or_before(instant)
        return None if found is None else self._local(found)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The fire times t with after < t <= until, in order, made as they are asked for."""
        first, last = _window(after, until)
        return self._walk(first, last)

    def count_between(self, after: datetime, until: datetime) -> int:
        """How many fire times `between` has, without making them."""
        first, last = _window(after, until)
        return self._fires.count(first, last) if first <= last else 0

    def skipped_between(self, after: datetime, until: datetime) -> Iterator[SkippedTimes]:
        """What the clock skips of the schedule in gaps that end at t with after < t <= until, one for each gap."""
        first, last = _window(after, until)
        return map(self._skipped, self._fires.gaps(first, last))

    def _skipped(self, gap: Gap) -> SkippedTimes:
        wall = _EPOCH.replace(tzinfo=None) + timedelta(seconds=gap.wall)
        return SkippedTimes(self._local(gap.end), wall, gap.times, gap.run)

    def _walk(self, first: int, last: int) -> Iterator[datetime]:
        while first <= last:
            found = self._fires.at_or_after(first)
            if found is None or found > last:
                return
            yield self._local(found)
            first = found + 1

    def _local(self, instant: int) -> datetime:
        return datetime.fromtimestamp(instant, self.timezone)


def _window(after: datetime, until: datetime) -> tuple[int, int]:
    return max(_floor(after) + 1, FIRST_INSTANT), min(_floor(until), LAST_INSTANT)


def _floor(moment: datetime) -> int:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{moment!r} is naive; a schedule needs an aware datetime")
    since = moment - _EPOCH
    return since.days * DAY_SECONDS + since.seconds


def _ceiling(moment: datetime) -> int:
    return _floor(moment) + (moment.microsecond > 0)
