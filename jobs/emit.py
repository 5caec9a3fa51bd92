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
from jobs.policies import missed
from jobs.schedules import Schedule
from jobs.states import State, Trigger

LEAST_URGENT = 9

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
    joined = lines([job for job, *_ in due], now)
    recorded = _recorded(due)
    stretches: list[Birth] = []
    upcoming: dict[int, datetime | None] = {}
    broken: dict[Job, Exception] = {}
    for job, schedule, first, until in due:
        try:
            decision = missed.decide(schedule, first, until, _rules(job, now - until), burst)
        except Exception as error:  # noqa: BLE001 - one bad job must not stop the others
            broken[job] = error
            continue
        stretches += [_stretch(job, stretch, now) for stretch in decision.missed]
        for birth in _births(job, decision, now):
            if (job.pk, birth.scheduled_for) not in recorded:
                joined[job.pk].join(birth)
        upcoming[job.pk] = decision.upcoming
    return _written(stretches, list(joined.values()), now, Emitted(upcoming=upcoming, broken=broken))


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


def _written(stretches: Sequence[Birth], joined: Sequence[Line], now: datetime, emitted: Emitted) -> Emitted:
    stopped = tuple(run for line in joined for run in line.cancel_replaced(now))
    births = [*stretches, *(birth for line in joined for birth in line.births.values())]
    new = insert(births, now)
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
