"""Load: the runs that are expected in each minute of the coming day, and what would flatten their peak.

Counted are the ticks to come of all jobs that make ticks, by the schedules in force, each with its jitter and its
shards, up to the job's end; and the runs that the ledger already has for a later time. Not counted are what follows
from a tick only later (retries, the jobs after others) and what forbids one (calendars, adjustments, open circuits).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Sum, Value, When

from jobs import schedules
from jobs.models import Job, Upstream, Worker
from jobs.models.choices import FanOut
from jobs.policies.flatten import Candidate, Member, Suggestion, suggest
from jobs.policies.jitter import delay_of
from jobs.policies.load import Crowd, PerMinute, Window, per_minute, without_hash
from jobs.policies.missed import MICROSECOND
from jobs.schedules import Schedule

logger = logging.getLogger(__name__)

MOST_HOURS = 24 * 31
HASHED = r"\mH\M"
"""Schedules with an `H` are each job's own."""
BUSINESS_DAYS = r"\m([0-9]+|L)?B\M"
"""What these are depends on the job's calendar."""

_SCHEDULE = ("planned_schedule", "planned_timezone", "planned_gap", "planned_repeated", "calendar_id")
_COMMON = _SCHEDULE[:-1]
_SPAN = ("next_run_at", "ends_at")
_IN_FORCE = Q(enabled=True, next_run_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Load:
    """How many runs are due in each minute from `start`, a whole minute in UTC, on."""

    start: datetime
    per_minute: tuple[int, ...]
    unread: int = 0
    """Jobs that are left out, because their schedules cannot be read."""

    @property
    def total(self) -> int:
        return sum(self.per_minute)

    @property
    def peak(self) -> int:
        """How many runs the busiest minute has."""
        return max(self.per_minute)

    @property
    def busiest(self) -> list[datetime]:
        """The minutes that have as many."""
        minutes = (minute for minute, runs in enumerate(self.per_minute) if runs == self.peak)
        return [self.start + timedelta(minutes=minute) for minute in minutes]


def expected(now: datetime, hours: int = 24) -> Load:
    """The load of so many hours, 1 to 744, from the next whole minute on."""
    window = _window(now, hours)
    total, unread = _ledger(window), 0
    for jobs, crowd in _crowds(window, now):
        if crowd is None:
            unread += jobs
        else:
            total.update(per_minute(crowd, window))
    return Load(window.start, tuple(total[minute] for minute in range(window.minutes)), unread)


def suggestions(now: datetime, hours: int = 24, most: int = 10, load: Load | None = None) -> list[Suggestion]:
    """What would flatten the peak most, step by step; `jobs.policies.flatten` tells which jobs may be moved.

    Each one counts on those before it, and on being done at `now`. `load` saves working it out once more.
    """
    window = _window(now, hours)
    known = load or expected(now, hours)
    return suggest(known.per_minute, list(_candidates(window, now)), most)


def _window(now: datetime, hours: int) -> Window:
    if not 1 <= hours <= MOST_HOURS:
        raise ValueError(f"hours: {hours} is not in 1-{MOST_HOURS}")
    return Window.after(now, hours * 60)


_LATER = """
SELECT floor(extract(epoch FROM due_at - %(start)s) / 60)::integer, count(*)
  FROM jobs_run
 WHERE state IN ('scheduled', 'waiting') AND due_at >= %(start)s AND due_at < %(end)s
 GROUP BY 1
"""


def _ledger(window: Window) -> PerMinute:
    """The runs that exist and wait for their time."""
    with connection.cursor() as cursor:
        cursor.execute(_LATER, {"start": window.start, "end": window.end})
        return Counter(dict(cursor.fetchall()))


def _crowds(window: Window, now: datetime) -> Iterator[tuple[int, Crowd | None]]:
    """The jobs in crowds, with how many they are; no crowd where a schedule cannot be read."""
    own = Q(jitter__gt=0) | Q(planned_schedule__iregex=HASHED)
    alike = Job.objects.filter(_IN_FORCE, next_run_at__lt=window.end).exclude(own)
    for row in _with_runs(alike, now, ()):
        yield row["jobs"], _crowd(row, {0: row["fired"]}, window)
    crowds: dict[tuple[Any, ...], tuple[dict[str, Any], Counter[int], int]] = {}
    each = Job.objects.filter(_IN_FORCE, own, next_run_at__lt=window.end)
    for row in _with_runs(each, now, ("name", "planned_key", "jitter")):
        row["planned_schedule"], row["planned_key"] = _own_text(row["planned_schedule"], row["planned_key"])
        same = tuple(row[name] for name in (*_SCHEDULE, *_SPAN, "planned_key"))
        _, delays, jobs = crowds.get(same, (row, Counter(), 0))
        delays[int(delay_of(row["name"], row["jitter"]).total_seconds())] += row["fired"]
        crowds[same] = (row, delays, jobs + 1)
    for row, delays, jobs in crowds.values():
        yield jobs, _crowd(row, delays, window)


def _own_text(text: str, key: str) -> tuple[str, str]:
    try:
        return without_hash(text, key)
    except ValueError:
        return text, key  # whoever reads the schedule tells what is wrong with it


def _with_runs(jobs: QuerySet[Job], now: datetime, more: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The jobs in groups that have all these columns in common: how many they are, and the runs of a tick of them."""
    broadcast = Case(When(fan_out=FanOut.WORKERS, then=F("queue")), default=Value(""))
    runs = Case(When(fan_out=FanOut.SHARDS, then=F("shards")), default=Value(1))
    grouped = jobs.order_by().annotate(broadcast=broadcast).values(*_SCHEDULE, *_SPAN, "broadcast", *more)
    alive = _alive(now) if jobs.filter(fan_out=FanOut.WORKERS).exists() else Counter[str]()
    for row in grouped.annotate(jobs=Sum(Value(1)), fired=Sum(runs)):
        if row["broadcast"]:
            row["fired"] *= alive[row["broadcast"]]
        yield row


def _alive(now: datetime) -> Counter[str]:
    """How many workers take runs that are for each worker of a queue."""
    workers = Worker.objects.filter(lease_until__gt=now, draining=False).exclude(direct_queue="")
    return Counter(queue for queues in workers.values_list("queues", flat=True) for queue in set(queues))


def _crowd(row: dict[str, Any], delays: dict[int, int], window: Window) -> Crowd | None:
    job = Job(**{name: row[name] for name in _SCHEDULE}, planned_key=row.get("planned_key", ""))
    try:
        schedule = job.schedule_in_force()
    except ValueError as error:
        logger.warning("the schedule %r is left out: %s", row["planned_schedule"], error)
        return None
    return Crowd(schedule, row["next_run_at"] - MICROSECOND, row["ends_at"] or window.end, delays)


_UNEDITED = Q(planned=True, planned_schedule=F("schedule"), planned_timezone=F("timezone"))


def _candidates(window: Window, now: datetime) -> Iterator[Candidate]:
    """The schedules that jobs have in common, of those jobs that have no end in sight and go by their schedule."""
    movable = Job.objects.filter(_IN_FORCE & _UNEDITED, jitter=0, ends_at=None).exclude(fan_out=FanOut.WORKERS)
    movable = movable.exclude(planned_schedule__iregex=HASHED).exclude(planned_schedule__iregex=BUSINESS_DAYS)
    crowds = cache(partial(_members, movable))
    for common in movable.order_by().values_list(*_COMMON).distinct():
        text, zone, gap, repeated = common
        parse = partial(schedules.parse, timezone=zone, gap=gap or "after", repeated=repeated or "first")
        upcoming = _upcoming(parse, text, now)
        if upcoming is not None and upcoming < window.end:
            yield Candidate(text, zone, window, now, parse, partial(_begun, crowds, common, upcoming))


def _upcoming(parse: Callable[[str], Schedule], text: str, now: datetime) -> datetime | None:
    try:
        return parse(text).next_after(now)
    except ValueError:
        return None  # the load has told of it


_Members = dict[tuple[Any, ...], list[tuple[datetime, Member]]]


def _members(jobs: QuerySet[Job]) -> _Members:
    """The jobs by what they have in common, each with its next tick: one question, asked when the first is needed.

    On the tick's own time hang arguments with the tick in them, calendars, and the jobs of a graph.
    """
    related = Upstream.objects.filter(Q(job=OuterRef("pk")) | Q(upstream=OuterRef("pk")))
    shards = Case(When(fan_out=FanOut.SHARDS, then=F("shards")), default=Value(1))
    fixed = Case(When(Q(templated=True) | Q(calendar__isnull=False) | Exists(related), then=True), default=False)
    found: _Members = {}
    for *common, upcoming, name, runs, stays in jobs.values_list(*_COMMON, "next_run_at", "name", shards, fixed):
        found.setdefault(tuple(common), []).append((upcoming, Member(name, runs, movable=not stays)))
    return found


def _begun(crowds: Callable[[], _Members], common: tuple[Any, ...], upcoming: datetime) -> list[Member]:
    """Those whose next tick is that of their schedule: one with a later one has not begun, or has run it early."""
    return [member for at, member in crowds().get(common, ()) if at <= upcoming]
