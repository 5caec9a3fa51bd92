"""What people have decided for single ticks: skip it, run it later, with other arguments, or it was run early."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from jobs.births import Birth
from jobs.models import Adjustment, Job
from jobs.models.choices import Adjust
from jobs.schedules import Schedule
from jobs.states import State
from jobs.tick_rules.step import Step, leave


def load(jobs: Sequence[Job], now: datetime) -> Step:
    """The step for these jobs."""
    in_force = _in_force(jobs, now)
    if not in_force:
        return leave

    def adjusted(job: Job, schedule: Schedule, birth: Birth) -> Birth:
        tick = birth.scheduled_for
        found = (one for one in in_force.get(job.pk, ()) if one.first <= tick <= one.last)
        adjustment = next(found, None)
        return birth if adjustment is None else apply(adjustment, birth, schedule.timezone)

    return adjusted


def apply(adjustment: Adjustment, birth: Birth, zone: tzinfo) -> Birth:
    """The tick's run as somebody wants it; moments are told in the job's zone."""
    told = told_of(adjustment, zone)
    match adjustment.action:
        case Adjust.SKIP:
            return replace(birth, state=State.SKIPPED, reason=told)
        case Adjust.SNOOZE:
            return replace(birth, due_at=adjustment.moved_to, note=told, moved=True)
        case Adjust.ARGUMENTS:
            noted = f"{told}; {birth.note}" if birth.note else told
            return replace(birth, args=adjustment.args, kwargs=adjustment.kwargs, note=noted)
    # It has its row. A second look at it must neither skip, replace nor queue anything: as a run that has ended it
    # stands in nobody's way, and the ledger's unique key drops it.
    return replace(birth, state=State.SKIPPED, reason=told)


def told_of(adjustment: Adjustment, zone: tzinfo) -> str:
    """What the ledger says of it: "snoozed by ann until 2026-07-01 15:30:00 EEST: the source is late"."""
    until = adjustment.moved_to if adjustment.action == Adjust.SNOOZE else adjustment.last
    stretch = adjustment.action == Adjust.SNOOZE or adjustment.first < adjustment.last
    told = f" until {written(until, zone)}" if stretch and until else ""
    return f"{_DONE[Adjust(adjustment.action)]} by {adjustment.made_by}{told}: {adjustment.reason}"


def written(moment: datetime, zone: tzinfo) -> str:
    """A moment for a sentence, as the clock of the zone shows it."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def run_early(jobs: Sequence[Job]) -> dict[int, set[datetime]]:
    """The ticks from now on, in UTC, of these jobs that have been run early, so that no plan comes to them again."""
    found: dict[int, set[datetime]] = {}
    adjusted = _adjusted(jobs, {job.pk: job.planned_from for job in jobs})
    if adjusted:
        early = Adjustment.objects.filter(action=Adjust.EARLY, taken_back_at=None, job_id__in=adjusted)
        for job_id, tick in early.filter(last__gte=min(adjusted.values())).values_list("job_id", "first"):
            found.setdefault(job_id, set()).add(tick.astimezone(UTC))
    return found


_DONE = {
    Adjust.SKIP: "skipped",
    Adjust.SNOOZE: "snoozed",
    Adjust.ARGUMENTS: "other arguments",
    Adjust.EARLY: "run early",
}


def _in_force(jobs: Sequence[Job], now: datetime) -> dict[int, list[Adjustment]]:
    """Those that these jobs' ticks may meet: a tick that is due is never before the job's `next_run_at`."""
    in_force: dict[int, list[Adjustment]] = {}
    adjusted = _adjusted(jobs, {job.pk: job.next_run_at or now for job in jobs})
    if adjusted:
        start = min(adjusted.values())
        for one in Adjustment.objects.filter(job_id__in=adjusted, taken_back_at=None, last__gte=start):
            in_force.setdefault(one.job_id, []).append(one)
    return in_force


def _adjusted(jobs: Sequence[Job], starts: Mapping[int, datetime]) -> dict[int, datetime]:
    """The jobs, with their starts, that have adjustments from there on. Mostly there are none, and nothing is asked."""
    known = ((job.pk, job.adjusted_until) for job in jobs)
    return {pk: starts[pk] for pk, until in known if until is not None and until >= starts[pk]}
