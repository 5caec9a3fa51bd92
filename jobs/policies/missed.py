"""The missed-tick policy: which of the ticks that are due are run, and which only go into the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from jobs.schedules import Schedule

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring ticks that are not run: the first, the last, and how many."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Due:
    """What becomes of a job's due ticks."""

    fire: tuple[datetime, ...]
    missed: Stretch | None
    upcoming: datetime | None
    """The next tick to look at; at or before now when the burst was full."""


@dataclass(frozen=True, slots=True)
class MissedRules:
    """A job's missed-tick policy: `kind` is skip or latest; a tick is late after `grace`."""

    kind: str
    grace: timedelta


def decide(schedule: Schedule, first: datetime, now: datetime, rules: MissedRules, burst: int) -> Due:
    """Sort the ticks from `first` to `now` into those that run and a stretch that does not.

    On time is what is due within the grace. Late ones are missed; with `latest`, the last of them runs when no
    tick is on time. At most `burst` ticks fire at once; the rest stay due. All in UTC, because two times of one zone
    compare, and add up, by the clock on the wall, which goes back in autumn.
    """
    first, now = first.astimezone(UTC), now.astimezone(UTC)
    on_time_from = max(first, now - rules.grace)
    late = _stretch(schedule, first, on_time_from - MICROSECOND)
    on_time = islice(schedule.between(on_time_from - MICROSECOND, now), burst)
    fire = tuple(tick.astimezone(UTC) for tick in on_time)
    if late and not fire and rules.kind == "latest":
        fire = (late.last,)
        late = _stretch(schedule, first, late.last - MICROSECOND)
    seen = max((*fire, late.last if late else first - MICROSECOND))
    upcoming = schedule.next_after(seen if len(fire) == burst else now)
    return Due(fire, late, upcoming)


def _stretch(schedule: Schedule, first: datetime, until: datetime) -> Stretch | None:
    """The ticks from `first` to `until`, both included."""
    if until < first:
        return None
    count = schedule.count_between(first - MICROSECOND, until)
    if count == 0:
        return None
    begin = schedule.next_after(first - MICROSECOND)
    last = schedule.previous_before(until + MICROSECOND)
    return None if begin is None or last is None else Stretch(begin.astimezone(UTC), last.astimezone(UTC), count)
