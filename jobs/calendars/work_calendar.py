"""A calendar as a value: what blocks at a moment, from when until when, and which days are business days."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from jobs.calendars.blackout import Blackout
from jobs.calendars.events import Events
from jobs.calendars.regions import Region, holidays_in
from jobs.calendars.span import DAY, Span, whole_days

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
HORIZON = 53
"""How many weeks a stretch is followed each way: about a year. What goes on longer has no end that is known."""
MOST_REASONS = 3
MOST_KEPT = 2_000
"""How many weeks are remembered."""


class Block(NamedTuple):
    """A stretch that is blocked without a break: all that adjoins and overlaps is one.

    `start` and `end` (in UTC; the end is free) are None where it goes on for more than a year that way. `reason` tells
    what blocks at the moment that was asked for.
    """

    start: datetime | None
    end: datetime | None
    reason: str


class _Stretch(NamedTuple):
    start: datetime
    end: datetime
    spans: list[Span]

    def reason(self, moment: datetime) -> str:
        reasons = dict.fromkeys(span.reason for span in self.spans if span.start <= moment < span.end)
        return "; ".join(islice(reasons, MOST_REASONS))


@dataclass(frozen=True, eq=False)
class WorkCalendar:
    """What a calendar says. Two with the same key are equal, so it can be told apart in caches.

    Weekends are no business days, and block nothing. What blocks is worked out week by week, each when it is first
    asked for, so that the answer does not depend on what was asked before.
    """

    key: Hashable
    name: str
    zone: tzinfo
    regions: tuple[Region, ...] = ()
    weekend: frozenset[int] = frozenset({5, 6})
    events: Events | None = None
    freezes: tuple[Span, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    _weeks: dict[int, Sequence[_Stretch]] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkCalendar) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __call__(self, day: date) -> bool:
        """Whether it is a business day."""
        return self.is_business_day(day)

    def is_business_day(self, day: date) -> bool:
        """Whether it is neither a day of the weekend, nor a holiday, nor covered by an event that lasts whole days."""
        if day.weekday() in self.weekend or any(day in holidays_in(region, day.year) for region in self.regions):
            return False
        return self.events is None or not self.events.covers(day)

    def blocking(self, moment: datetime) -> Block | None:
        """The stretch that blocks this moment, if any does."""
        moment = moment.astimezone(UTC)
        number = (moment - EPOCH) // WEEK
        for stretch in self._week(number):
            if stretch.start <= moment < stretch.end:
                return Block(self._start(number, stretch), self._end(number, stretch), stretch.reason(moment))
        return None

    def coming(self, after: datetime) -> Iterator[Block]:
        """The stretches that block at `after`, or begin within about a year from then."""
        moment: datetime | None = after.astimezone(UTC)
        until = after + HORIZON * WEEK
        while moment is not None and moment < until:
            if block := self.blocking(moment):
                yield block
            moment = block.end if block else self._next_start(moment, until)

    def told(self, moment: datetime) -> str:
        """A moment as the clocks of the calendar's zone show it."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"

    def _next_start(self, moment: datetime, until: datetime) -> datetime | None:
        for number in range((moment - EPOCH) // WEEK, (until - EPOCH) // WEEK + 1):
            for stretch in self._week(number):
                if stretch.start >= moment:
                    return stretch.start
        return None

    def _start(self, number: int, stretch: _Stretch) -> datetime | None:
        for week in range(number, number - HORIZON, -1):
            before = self._week(week - 1)
            if stretch.start > EPOCH + week * WEEK or not before or before[-1].end < stretch.start:
                return stretch.start
            stretch = before[-1]
        return None

    def _end(self, number: int, stretch: _Stretch) -> datetime | None:
        for week in range(number + 1, number + 1 + HORIZON):
            after = self._week(week)
            if stretch.end < EPOCH + week * WEEK or not after or after[0].start > stretch.end:
                return stretch.end
            stretch = after[0]
        return None

    def _week(self, number: int) -> Sequence[_Stretch]:
        found = self._weeks.get(number)
        if found is None:
            if len(self._weeks) >= MOST_KEPT:
                self._weeks.clear()
            first = EPOCH + number * WEEK
            found = self._weeks[number] = _joined(self._spans(first, first + WEEK), first, first + WEEK)
        return found

    def _spans(self, first: datetime, last: datetime) -> Iterator[Span]:
        yield from self._holidays(first, last)
        yield from (span for span in self.freezes if span.start < last and span.end > first)
        if self.events is not None:
            yield from self.events.spans(first, last)
        for blackout in self.blackouts:
            yield from blackout.spans(first, last)

    def _holidays(self, first: datetime, last: datetime) -> Iterator[Span]:
        day = first.astimezone(self.zone).date() - DAY
        while day <= last.astimezone(self.zone).date():
            names = [name for region in self.regions if (name := holidays_in(region, day.year).get(day))]
            if names:
                yield whole_days(day, 1, self.zone, "; ".join(names))
            day += DAY


def _joined(spans: Iterable[Span], first: datetime, last: datetime) -> Sequence[_Stretch]:
    """The spans as stretches with breaks between them, cut to what lies between the two moments."""
    stretches: list[_Stretch] = []
    for span in sorted(spans):
        start, end = max(span.start, first), min(span.end, last)
        if start >= end:
            continue
        if stretches and start <= stretches[-1].end:
            before = stretches.pop()
            before.spans.append(span)
            stretches.append(_Stretch(before.start, max(before.end, end), before.spans))
        else:
            stretches.append(_Stretch(start, end, [span]))
    return stretches
