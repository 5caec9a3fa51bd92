"""`@at 2027-01-01T09:00`: once."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.schedules.clock_changes import Clock
from jobs.schedules.errors import ScheduleError
from jobs.schedules.fields import FIRST_YEAR, LAST_YEAR

_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class AtFires:
    instant: int

    def at_or_after(self, instant: int) -> int | None:
        return self.instant if self.instant >= instant else None

    def at_or_before(self, instant: int) -> int | None:
        return self.instant if self.instant <= instant else None

    def count(self, first: int, last: int) -> int:
        return int(first <= self.instant <= last)


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


def instant_of(moment: datetime, clock: Clock) -> int:
    """Seconds from the epoch. As for every fixed time: in a gap right after it, if repeated the first one."""
    if moment.tzinfo is None:
        return clock.first_instant((moment.replace(tzinfo=UTC) - _EPOCH) // _SECOND)
    return (moment - _EPOCH) // _SECOND
