"""Families: jobs with those that run after them, and by which schedules all of them come to their ticks.

A job that runs after others has a tick when all its upstreams have one at that moment; so, in the end, when all the
jobs with fire times of their own that it descends from do. Where one between them is paused, or has lost its
upstreams, there is none; nor in a cycle, should one have come past the checks.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.db.models import Prefetch, prefetch_related_objects

from jobs.models import Calendar, Job
from jobs.models.job_graph import Edge, downwards, edges_above, edges_below, upwards
from jobs.policies.missed import MICROSECOND
from jobs.policies.upstream import runs_after_others
from jobs.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a job's ticks come from: the jobs with schedules, and the bounds that those between them set."""

    roots: frozenset[int]
    first: datetime | None = None
    last: datetime | None = None

    def within(self, tick: datetime) -> bool:
        """Whether no bound forbids the tick."""
        return (self.first is None or tick >= self.first) and (self.last is None or tick <= self.last)


@dataclass(frozen=True)
class Family:
    """Some jobs, all that run after them, and all that those run after."""

    jobs: Mapping[int, Job] = field(default_factory=dict)
    edges: Collection[Edge] = ()

    @cached_property
    def above(self) -> dict[int, set[int]]:
        """The jobs right before each."""
        return upwards(self.edges)

    @cached_property
    def below(self) -> dict[int, set[int]]:
        """The jobs right after each."""
        return downwards(self.edges)

    @cached_property
    def lineages(self) -> dict[int, Lineage]:
        """Those of the jobs that run after others and have ticks, upstreams before those that run after them."""
        found: dict[int, Lineage] = {}
        left = {pk: len(self.above.get(pk, ())) for pk in self.jobs}
        ready = [pk for pk, number in left.items() if not number]
        while ready:
            pk = ready.pop()
            if lineage := self._lineage(pk, found):
                found[pk] = lineage
            for child in self.below.get(pk, ()):
                left[child] -= 1
                if not left[child]:
                    ready.append(child)
        return {pk: lineage for pk, lineage in found.items() if self._follows(pk)}

    def _follows(self, pk: int) -> bool:
        return runs_after_others(self.jobs[pk].schedule)

    def _lineage(self, pk: int, found: Mapping[int, Lineage]) -> Lineage | None:
        job, upstreams = self.jobs[pk], self.above.get(pk, set())
        if not self._follows(pk):
            return Lineage(frozenset({pk}))
        if not job.enabled or not upstreams or not upstreams <= found.keys():
            return None
        before = [found[upstream] for upstream in upstreams]
        firsts = [first for first in (job.starts_at, *(one.first for one in before)) if first]
        lasts = [last for last in (job.ends_at, *(one.last for one in before)) if last]
        roots = frozenset[int]().union(*(one.roots for one in before))
        return Lineage(roots, max(firsts, default=None), min(lasts, default=None))

    @cached_property
    def offspring(self) -> dict[int, list[int]]:
        """The jobs that have ticks with each job that has a schedule."""
        found: dict[int, list[int]] = {}
        for pk, lineage in self.lineages.items():
            for root in lineage.roots:
                found.setdefault(root, []).append(pk)
        return found

    def upstream_names(self, pk: int) -> list[str]:
        """What the job waits for."""
        return [self.jobs[upstream].name for upstream in self.above.get(pk, ())]

    def before(self, pk: int, tick: datetime) -> datetime | None:
        """Where the data interval of the job's tick begins: at the tick before, of the root whose lies longest ago."""
        schedules = (_schedule(self.jobs[root]) for root in self.lineages[pk].roots)
        found = (schedule.previous_before(tick) for schedule in schedules if schedule)
        return min((previous for previous in found if previous), default=None)

    def coming(self, pk: int, tick: datetime) -> bool:
        """Whether the job's tick, which has no row yet, will get one."""
        if not self._follows(pk):
            return to_come(self.jobs[pk], tick)
        lineage = self.lineages.get(pk)
        return lineage is not None and any(to_come(self.jobs[root], tick) for root in lineage.roots)


def family_of(job_ids: Collection[int]) -> Family:
    """The jobs' family; an empty one, after one question, if nothing runs after them."""
    below = edges_below(job_ids)
    return _family({*job_ids, *(edge.job_id for edge in below)}, below) if below else Family()


def ancestry_of(job_ids: Collection[int]) -> Family:
    """The jobs and all that they run after."""
    return _family(set(job_ids), ())


def _family(job_ids: set[int], known: Iterable[Edge]) -> Family:
    edges = {*known, *edges_above(job_ids)}
    everyone = job_ids | {pk for edge in edges for pk in edge}
    jobs = Job.objects.in_bulk(everyone)
    with_calendar = [job for job in jobs.values() if job.calendar_id is not None]
    prefetch_related_objects(with_calendar, Prefetch("calendar", Calendar.objects.light()))
    return Family(jobs, [edge for edge in edges if {*edge} <= jobs.keys()])


def to_come(job: Job, tick: datetime) -> bool:
    """Whether a job with a schedule has a tick at this moment that has no row yet, and will get one."""
    if job.planned or job.owed_until is None or tick > job.owed_until:
        in_force, until = job.planned, job.ends_at
    else:
        in_force, until = True, job.owed_until
    begun = job.next_run_at is not None and job.next_run_at <= tick if in_force else _planned_for(job, tick)
    return begun and (until is None or tick <= until) and fires(_schedule(job, in_force=in_force), tick)


def _planned_for(job: Job, tick: datetime) -> bool:
    """Whether the edit that the beat has not seen yet lets the job have ticks by then."""
    return job.enabled and tick > job.planned_from and (job.starts_at is None or tick >= job.starts_at)


def fires(schedule: Schedule | None, tick: datetime) -> bool:
    """Whether this is one of its fire times."""
    return schedule is not None and schedule.next_after(tick - MICROSECOND) == tick


def _schedule(job: Job, *, in_force: bool = True) -> Schedule | None:
    """The job's schedule; none when it makes no sense: the beat sets the job aside."""
    try:
        return job.schedule_in_force() if in_force and job.planned_schedule else job.parsed_schedule()
    except ValueError:
        return None


def schedule_of(job: Job) -> Schedule | None:
    """The schedule by which its ticks are made; none when it makes no sense."""
    return _schedule(job)
