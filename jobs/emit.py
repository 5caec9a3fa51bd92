"""Emit: turn the due ticks of some jobs into rows of the ledger, by each job's policies. Shared by tick and plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from jobs.births import Birth, insert, new_run_id
from jobs.conf import conf
from jobs.models import Job, Run
from jobs.models.job import Overlap
from jobs.policies import missed, overlap
from jobs.schedules import Schedule
from jobs.states import State

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


def emit(due: Sequence[DueJob], now: datetime) -> Emitted:
    """Write the rows of all due ticks of these jobs, whose own rows the caller has locked."""
    live = _live_runs([job for job, *_ in due if job.overlap != Overlap.ALLOW])
    births: list[Birth] = []
    upcoming: dict[int, datetime | None] = {}
    broken: dict[Job, Exception] = {}
    for job, schedule, first, until in due:
        try:
            decision = missed.decide(schedule, first, until, _rules(job, now - until), conf().burst)
        except Exception as error:  # noqa: BLE001 - one bad job must not stop the others
            broken[job] = error
            continue
        births += _births(job, decision, live.get(job.pk), now)
        upcoming[job.pk] = decision.upcoming
    return _written(births, now, upcoming, broken)


def _rules(job: Job, behind: timedelta) -> missed.MissedRules:
    """The job's rules. Ticks are judged at `until`, which may lie `behind` now: so much less grace is left."""
    return missed.MissedRules(job.missed, max(timedelta(0), timedelta(seconds=job.grace) - behind))


def _live_runs(jobs: Iterable[Job]) -> dict[int, UUID]:
    runs = Run.objects.live().filter(job_id__in=[job.pk for job in jobs])
    return dict(runs.values_list("job_id", "id"))


def _births(job: Job, due: missed.Due, live: UUID | None, now: datetime) -> Iterable[Birth]:
    if due.missed:
        yield _missed(job, due.missed, now)
    for tick in due.fire:
        run_id = new_run_id(now)
        reason = overlap.reason_to_skip(job.overlap, live)
        yield Birth(run_id, job.pk, tick, state=State.SKIPPED if reason else State.SCHEDULED, reason=reason)
        live = live or run_id


def _missed(job: Job, stretch: missed.Stretch, now: datetime) -> Birth:
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


def _written(
    births: Sequence[Birth], now: datetime, upcoming: dict[int, datetime | None], broken: dict[Job, Exception]
) -> Emitted:
    new = insert(births, now)
    counts = dict.fromkeys(State, 0)
    for birth in births:
        counts[birth.state] += birth.ticks if birth.id in new else 0
    return Emitted(counts[State.SCHEDULED], counts[State.SKIPPED], counts[State.MISSED], upcoming, broken)
