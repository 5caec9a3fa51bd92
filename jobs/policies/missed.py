"""The missed-tick policy: which of the ticks that are due are run, and which only go into the ledger."""

from collections.abc import Iterator
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
    """Those that are on time."""
    made_up: tuple[datetime, ...]
    """Late ones that are run after all, oldest first."""
    missed: tuple[Stretch, ...]
    upcoming: datetime | None
    """The next tick to look at; at or before now when the burst was full."""


@dataclass(frozen=True, slots=True)
class MissedRules:
    """A job's missed-tick policy: `kind` is skip, latest, earliest or all (of which `limit` at most are run).

    A tick is late after `grace`.
    """

    kind: str
    grace: timedelta
    limit: int = 100


def decide(schedule: Schedule, first: datetime, now: datetime, rules: MissedRules, burst: int) -> Due:
    """Sort the ticks from `first` to `now` into those that run and those that do not.

    On time is what is due within the grace. Late ones are missed; of them the last runs with `latest` (when no tick
    is on time, which would be later still), the first with `earliest`, the first `limit` with `all`. At most `burst`
    ticks that are on time fire at once; the rest stay due. All in UTC, because two times of one zone compare, and
    add up, by the clock on the wall, which goes back in autumn.
    """
    first, now = first.astimezone(UTC), now.astimezone(UTC)
    on_time_from = max(first, now - rules.grace)
    late = _stretch(schedule, first, on_time_from - MICROSECOND)
    on_time = islice(schedule.between(on_time_from - MICROSECOND, now), burst)
    fire = tuple(tick.astimezone(UTC) for tick in on_time)
    seen = max((*fire, late.last if late else first - MICROSECOND))
    upcoming = schedule.next_after(seen if len(fire) == burst else now)
    made_up = _made_up(schedule, late, rules, fire) if late else ()
    return Due(fire, made_up, tuple(_left(schedule, late, made_up)), upcoming)


def _made_up(schedule: Schedule, late: Stretch, rules: MissedRules, fire: tuple[datetime, ...]) -> tuple[datetime, ...]:
    match rules.kind:
        case "latest":
            return () if fire else (late.last,)
        case "earliest":
            return (late.first,)
        case "all":
            ticks = islice(schedule.between(late.first - MICROSECOND, late.last), rules.limit)
            return tuple(tick.astimezone(UTC) for tick in ticks)
        case _:
            return ()


def _left(schedule: Schedule, late: Stretch | None, made_up: tuple[datetime, ...]) -> Iterator[Stretch]:
    """The late ticks that are not made up for: before the first that is, or after the last."""
    if late is None:
        return
    before = _stretch(schedule, late.first, made_up[0] - MICROSECOND) if made_up else late
    after = _stretch(schedule, made_up[-1] + MICROSECOND, late.last) if made_up else None
    yield from (stretch for stretch in (before, after) if stretch is not None)


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
