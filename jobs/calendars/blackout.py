"""What blocks again and again, beginning at each fire time of a schedule."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.calendars.errors import CalendarError
from jobs.calendars.span import Span
from jobs.schedules import Schedule

MICROSECOND = timedelta(microseconds=1)
MOST_WITHOUT_BREAK = timedelta(days=28)
MOST_JOINED = 2_000


@dataclass(frozen=True, slots=True)
class Blackout:
    """A schedule, how long each stretch lasts, and why."""

    schedule: Schedule
    length: timedelta
    reason: str

    def spans(self, first: datetime, last: datetime) -> Iterator[Span]:
        """The stretches that have a part between the two moments; those that touch or overlap are one."""
        start = self.schedule.next_after(first - self.length)
        while start is not None and start < last:
            span = self._joined(start.astimezone(UTC), last)
            yield span
            start = self.schedule.next_after(span.end)

    def _joined(self, start: datetime, last: datetime, most: int | None = None) -> Span:
        latest, joined = start, 1
        while latest + self.length < last and (most is None or joined < most):
            later = self.schedule.previous_before(latest + self.length + MICROSECOND)
            if later is None or later <= latest:
                break
            latest, joined = later.astimezone(UTC), joined + 1
        return Span(start, latest + self.length, self.reason)

    def check(self, now: datetime) -> None:
        """CalendarError if it never begins after `now`, or leaves no break in sight."""
        start = self.schedule.next_after(now)
        if start is None:
            raise CalendarError(f"'{self.schedule}' has no fire time any more, so it would block nothing")
        begin = start.astimezone(UTC)
        span = self._joined(begin, begin + MOST_WITHOUT_BREAK, MOST_JOINED)
        if self.schedule.count_between(span.end - self.length, span.end) > 0:
            raise CalendarError(
                "each begins before the one before it has ended, without a break; write a freeze instead"
            )
