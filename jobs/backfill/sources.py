"""Sources: where a job's ticks come from: its own schedule, or those of the jobs it runs after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.models import Job, Upstream
from jobs.policies.backfill import Ticks
from jobs.policies.upstream import runs_after_others
from jobs.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Source:
    """The jobs whose schedules give a job's ticks, and the bounds of all jobs on the way to them."""

    jobs: tuple[Job, ...]
    schedules: tuple[Schedule, ...]
    """Without doubles. The job has a tick when all of them fire."""
    starts_at: datetime | None
    ends_at: datetime | None
    own: bool
    """Whether it is the job's own schedule."""

    def ticks(self, first: datetime, last: datetime) -> Ticks:
        """The job's ticks from `first` to `last`, both included."""
        first, last = first.astimezone(UTC), last.astimezone(UTC)
        if self.starts_at is not None:
            first = max(first, self.starts_at)
        if self.ends_at is not None:
            last = min(last, self.ends_at)
        return Ticks(self.schedules, first, last)

    def describe(self) -> str:
        """What the ticks depend on, as text, to see an edit by."""
        return "; ".join(sorted(_told(schedule) for schedule in self.schedules))

    def interval_start(self, tick: datetime) -> datetime | None:
        """Where the tick's data interval begins, if not by the job's own schedule: as `tick_rules.families` has it."""
        if self.own:
            return None
        before = (schedule.previous_before(tick) for schedule in self.schedules)
        return min((previous.astimezone(UTC) for previous in before if previous is not None), default=None)

    def handled(self, until: datetime) -> bool:
        """Whether the beat has given every tick up to `until` its row, as far as it ever will."""
        return all(job.planned and (job.next_run_at is None or job.next_run_at > until) for job in self.jobs)


def source_of(job: Job) -> Source:
    """Where the ticks come from, by the schedules as they are written now. ValueError when one cannot be read."""
    family = _family(job)
    scheduled = tuple(one for one in family if not runs_after_others(one.schedule))
    starts = [one.starts_at for one in family if one.starts_at is not None]
    ends = [one.ends_at for one in family if one.ends_at is not None]
    return Source(
        jobs=scheduled,
        schedules=tuple(dict.fromkeys(one.parsed_schedule() for one in scheduled)),
        starts_at=max(starts, default=None),
        ends_at=min(ends, default=None),
        own=scheduled == (job,),
    )


def _family(job: Job) -> Sequence[Job]:
    """The job and, where it runs after others, those and theirs; each once, also should they go round in a circle."""
    found = {job.pk: job}
    asked = [job] if runs_after_others(job.schedule) else []
    while asked:
        above = Upstream.objects.filter(job__in=asked).exclude(upstream__in=list(found)).values("upstream")
        new = list(Job.objects.filter(pk__in=above).order_by("pk"))
        found |= {one.pk: one for one in new}
        asked = [one for one in new if runs_after_others(one.schedule)]
    return list(found.values())


def _told(schedule: Schedule) -> str:
    options = [str(schedule.timezone), schedule.key, schedule.gap, schedule.repeated]
    return " ".join([schedule.text, *filter(None, options)])
