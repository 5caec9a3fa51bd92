"""Emit: turn the due ticks of some jobs into rows of the ledger, by each job's policies. Shared by tick and plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from jobs.births import Birth, insert, new_run_id
from jobs.conf import conf
from jobs.line import Line, lines
from jobs.models import Job, Run
from jobs.models.choices import Missed, Overlap
from jobs.models.job_ticks import MOST_MADE_UP
from jobs.policies import missed
from jobs.schedules import Schedule
from jobs.states import State, Trigger
from jobs.tick_rules import adjustments, breakers, calendars, canaries, fan_out, jitter, upstreams

LEAST_URGENT = 9
STEPS = (adjustments.load, calendars.load, breakers.load, canaries.load)
"""What may change a tick's run or forbid it, in this order; each is asked once for all jobs of a batch."""

DueJob = tuple[Job, Schedule, datetime, datetime]
"""A job, the schedule its ticks come from, its first due tick, and the moment up to which ticks are due."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """What was written, and where each job goes on."""

    fired: int = 0
    skipped: int = 0
    missed: int = 0
    upcoming: dict[int, datetime | None] = field(default_factory=dict)
    broken: dict[Job, Exception] = field(default_factory=dict)
    stopped: tuple[UUID, ...] = ()
    """Runs that were replaced, whose processes are to be stopped."""


def emit(due: Sequence[DueJob], now: datetime) -> Emitted:
    """Write the rows of all due ticks of these jobs, whose own rows the caller has locked."""
    burst = conf().burst
    joining = _Joining([job for job, *_ in due], now)
    recorded = _recorded(due)
    stretches: list[Birth] = []
    upcoming: dict[int, datetime | None] = {}
    broken: dict[Job, Exception] = {}
    for job, schedule, first, until in due:
        try:
            _check_numbers(job)
            decision = missed.decide(schedule, first, until, _rules(job, now - until), burst)
            ahead = calendars.ahead(job, schedule, decision.upcoming, now)
            due_now = [*_births(job, decision, now), *ahead.births]
            births = [birth for birth in due_now if (job.pk, birth.scheduled_for) not in recorded]
            shaped = [joining.shaped(job, schedule, birth) for birth in births]
        except Exception as error:  # noqa: BLE001 - one bad job must not stop the others
            broken[job] = error
            continue
        for stretch in decision.missed:
            stretches.append(_stretch(job, stretch, now))
            joining.children.take(job, stretches[-1:])
        for tick in shaped:
            joining.join(job, tick)
        upcoming[job.pk] = ahead.upcoming
    return _written(stretches, joining, now, Emitted(upcoming=upcoming, broken=broken))


def _check_numbers(job: Job) -> None:
    """Refuse what no form lets through, but a row may hold: by such a number the beat would work for hours."""
    if job.missed == Missed.ALL and not 1 <= job.missed_limit <= MOST_MADE_UP:
        raise ValueError(f"missed_limit: {job.missed_limit} is not in 1-{MOST_MADE_UP}")


class _Joining:
    """What the ticks of a batch of jobs become: runs with their place in their job's line, and those below them."""

    def __init__(self, jobs: Sequence[Job], now: datetime) -> None:
        self.now = now
        self.lines = lines(jobs, now)
        self._steps = [load(jobs, now) for load in STEPS]
        self._fan_out = fan_out.load(jobs, now)
        self._canary_shard = canaries.load_shards(jobs)
        self.children = upstreams.load(jobs, now)

    def shaped(self, job: Job, schedule: Schedule, birth: Birth) -> list[Birth]:
        """The runs of one tick, as the job's rules have them."""
        for step in self._steps:
            if birth.state is State.SCHEDULED:
                birth = step(job, schedule, birth)
        return self._canary_shard(job, self._fan_out(job, birth))

    def join(self, job: Job, births: Sequence[Birth]) -> None:
        """Give the runs of one tick their place, and take along those of the jobs that run after it."""
        line = self.lines[job.pk]
        if births[0].state is not State.SCHEDULED:
            line.set_down(births)
        elif births[0].due_at is not None and births[0].due_at > self.now:
            line.set_down(for_later(job, births))
        else:
            line.join([jitter.spread(job, birth) for birth in births])
        self.children.take(job, births)


def for_later(job: Job, births: Iterable[Birth]) -> list[Birth]:
    """Runs for a later time: when that has come they wait for their turn, where runs must not overlap."""
    if job.overlap == Overlap.ALLOW:
        return list(births)
    return [replace(birth, state=State.WAITING, reason="waits for its time") for birth in births]


def _recorded(due: Sequence[DueJob]) -> set[tuple[int, datetime]]:
    """The ticks that have rows already, of the jobs where a second look at one would cancel a run."""
    replacing = {job.pk: first for job, _, first, _ in due if job.overlap == Overlap.REPLACE}
    if not replacing:
        return set()
    ticks = Run.objects.filter(job_id__in=replacing, scheduled_for__gte=min(replacing.values()))
    return set(ticks.filter(trigger=Trigger.SCHEDULE).values_list("job_id", "scheduled_for"))


def _rules(job: Job, behind: timedelta) -> missed.MissedRules:
    """The job's rules. Ticks are judged at `until`, which may lie `behind` now: so much less grace is left."""
    grace = max(timedelta(0), timedelta(seconds=job.grace) - behind)
    return missed.MissedRules(job.missed, grace, job.missed_limit)


def _births(job: Job, due: missed.Due, now: datetime) -> Iterable[Birth]:
    """Live ticks come first: what is made up for never takes their place."""
    for tick in due.fire:
        yield Birth(new_run_id(now), job.pk, tick)
    priority = LEAST_URGENT if job.missed == Missed.ALL else None
    for tick in due.made_up:
        yield Birth(new_run_id(now), job.pk, tick, due_at=now, priority=priority)


def _stretch(job: Job, stretch: missed.Stretch, now: datetime) -> Birth:
    what = "the tick was" if stretch.count == 1 else f"{stretch.count:,} ticks were"
    return Birth(
        new_run_id(now),
        job.pk,
        stretch.first,
        state=State.MISSED,
        reason=f"{what} not handled within the grace of {job.grace} s; policy: {job.get_missed_display().lower()}",
        last_scheduled_for=stretch.last,
        ticks=stretch.count,
    )


def _written(stretches: Sequence[Birth], joining: _Joining, now: datetime, emitted: Emitted) -> Emitted:
    joined: Sequence[Line] = list(joining.lines.values())
    stopped = tuple(run for line in joined for run in line.cancel_replaced(now))
    births = [*stretches, *(birth for line in joined for birth in line.births.values())]
    new = insert([*births, *joining.children.births()], now)
    counts = dict.fromkeys(State, 0)
    for birth in births:
        counts[birth.state] += birth.ticks if birth.id in new else 0
    return replace(
        emitted,
        fired=counts[State.SCHEDULED] + counts[State.WAITING],
        skipped=counts[State.SKIPPED],
        missed=counts[State.MISSED],
        stopped=stopped,
    )
