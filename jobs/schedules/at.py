"""`@at 2027-01-01T09:00`: once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.schedules.change_rule import ChangeRule
from jobs.schedules.clock_changes import Clock
from jobs.schedules.errors import ScheduleError
from jobs.schedules.fields import FIRST_YEAR, LAST_YEAR
from jobs.schedules.fires import Gap

_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class AtFires:
    instant: int
    gap: Gap | None = None

    def at_or_after(self, instant: int) -> int | None:
        return self.instant if self.instant >= instant else None

    def at_or_before(self, instant: int) -> int | None:
        return self.instant if self.instant <= instant else None

    def count(self, first: int, last: int) -> int:
        return int(first <= self.instant <= last)

    def gaps(self, first: int, last: int) -> Iterator[Gap]:
        if self.gap is not None and first <= self.gap.end <= last:
            yield self.gap


def read_moment(text: str) -> datetime:
    """The moment as written: naive if it names no offset, so that it is local time of the schedule's zone."""
    found = _MOMENT.fullmatch(text.upper())
    if not found:
        raise ScheduleError(
            f"@at: '{text}' is not understood; allowed are 2027-01-01T09:00, with seconds (09:00:30) "
            "and an offset (Z or +02:00) if need be"
        )
    try:
        moment = datetime.fromisoformat(f"{found['date']}T{found['time']}{found['offset'] or ''}")
    except ValueError as error:
        raise ScheduleError(f"@at: {text} is not a date, time and offset that exist") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ScheduleError(f"@at: year {moment.year} is not in {FIRST_YEAR}-{LAST_YEAR}")
    return moment


def write_moment(moment: datetime) -> str:
    text = moment.replace(tzinfo=None).isoformat(timespec="seconds" if moment.second else "minutes")
    if moment.tzinfo is None:
        return text
    return text + ("Z" if moment.tzinfo is UTC else moment.isoformat()[-6:])


def at_fires(moment: datetime, clock: Clock, rule: ChangeRule) -> AtFires:
    """The one fire time. As for every fixed time the rule decides in a gap; if repeated, once is the first or second.

    ScheduleError if the clock skips it and the rule does so, too: it would never come.
    """
    if moment.tzinfo is not None:
        return AtFires((moment - _EPOCH) // _SECOND)
    wall = (moment.replace(tzinfo=UTC) - _EPOCH) // _SECOND
    if instants := clock.shown(wall):
        return AtFires(instants[0] if rule.runs_first else instants[-1])
    if not rule.runs_skipped:
        raise ScheduleError(
            f"@at: the clock skips {write_moment(moment)}, so with gap skip it never comes; write a time that exists"
        )
    after = clock.first_instant(wall)
    return AtFires(after, Gap(after, wall, 1, run=True))
