"""What a job's calendar blocks: the tick is skipped, postponed, or has run before."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Prefetch, prefetch_related_objects

from jobs.births import Birth, new_run_id
from jobs.calendars import Block
from jobs.models import Calendar, Job, Run
from jobs.models.choices import OnCalendar
from jobs.policies import on_calendar
from jobs.policies.jitter import delay_of
from jobs.policies.on_calendar import POSTPONED, CalendarRules
from jobs.schedules import Schedule
from jobs.states import State, Trigger
from jobs.tick_rules.step import Step, leave


class Ahead(NamedTuple):
    """Where a job goes on, and the run of its next tick, if that runs already now."""

    upcoming: datetime | None
    births: tuple[Birth, ...] = ()


def load(jobs: Sequence[Job], now: datetime) -> Step:
    """The step for these jobs."""
    with_calendar = [job for job in jobs if job.calendar_id is not None]
    if not with_calendar:
        return leave
    know_calendars(with_calendar)
    stand_ins = _StandIns([job for job in with_calendar if job.on_calendar == OnCalendar.POSTPONE], now)

    def obey(job: Job, schedule: Schedule, birth: Birth) -> Birth:
        rules = rules_of(job)
        if rules is None or birth.moved:
            return birth
        start = birth.due_at or birth.scheduled_for + rules.delay
        stands_in = stand_ins.of(job, rules.delay)
        match on_calendar.decide(rules, schedule, birth.scheduled_for, start, stands_in):
            case on_calendar.Skip(reason):
                return replace(birth, state=State.SKIPPED, reason=reason)
            case on_calendar.Postpone(due_at, note):
                stand_ins.add(birth, due_at)
                return replace(birth, due_at=due_at, note=_noted(birth, note))
        return birth

    return obey


def know_calendars(jobs: Sequence[Job]) -> None:
    """Read the calendars of these jobs, with one question for all, unless none has one."""
    with_calendar = [job for job in jobs if job.calendar_id is not None]
    # Without the imported files, which may be large: they are read when a calendar has changed.
    prefetch_related_objects(with_calendar, Prefetch("calendar", Calendar.objects.light()))


def rules_of(job: Job) -> CalendarRules | None:
    """The job's calendar rules, None without a calendar; ValueError when the calendar makes no sense."""
    calendar = job.work_calendar()
    if calendar is None:
        return None
    return CalendarRules(job.on_calendar, calendar, delay_of(job.name, job.jitter), job.starts_at, job.ends_at)


def ahead(job: Job, schedule: Schedule, upcoming: datetime | None, now: datetime) -> Ahead:
    """Where the job goes on if its next tick is to run before a block: at that moment, and there with its run.

    An unplanned job only settles what its old schedule owes, which the future is no part of.
    """
    if upcoming is None or upcoming <= now or not job.planned or job.on_calendar != OnCalendar.BEFORE:
        return Ahead(upcoming)
    rules = rules_of(job)
    found = on_calendar.early(rules, schedule, upcoming) if rules else None
    if found is None or found.before <= now:
        return Ahead(upcoming)
    if found.due_at > now:
        return Ahead(found.due_at)
    birth = Birth(new_run_id(now), job.pk, found.tick, due_at=now, note=found.note)
    return Ahead(schedule.next_after(found.tick), (birth,))


def wake(job: Job, schedule: Schedule, upcoming: datetime | None, now: datetime) -> datetime | None:
    """The first moment to look at a job whose next tick this is: earlier, where that is to run before a block.

    A tick that has its row already, because it has run before a block, is passed by.
    """
    rules = rules_of(job) if job.on_calendar == OnCalendar.BEFORE else None
    if rules is None or upcoming is None:
        return upcoming
    found = on_calendar.early(rules, schedule, upcoming)
    if found is None:
        return upcoming
    ticks = Run.objects.filter(job=job, scheduled_for=found.tick)
    if ticks.exclude(trigger__in=(Trigger.MANUAL, Trigger.RETRY)).exists():
        return schedule.next_after(found.tick)
    return upcoming if found.before <= now else found.due_at


def _noted(birth: Birth, note: str) -> str:
    return f"{birth.note}; {note}" if birth.note else note


class _StandIn(NamedTuple):
    """A run that was postponed. `waits` tells that it has not been tried, so that it is due at the end of its block."""

    scheduled_for: datetime
    due_at: datetime
    waits: bool = True

    def stands_for(self, block: Block, delay: timedelta) -> bool:
        if block.start is None or self.scheduled_for >= block.start - delay:
            return True
        return self.waits and self.due_at > block.start


@dataclass(slots=True)
class _StandIns:
    """The postponed runs of these jobs, asked for when the first tick is blocked."""

    jobs: Sequence[Job]
    now: datetime
    _known: dict[int, list[_StandIn]] | None = field(default=None, init=False)

    def of(self, job: Job, delay: timedelta) -> "_Stands":
        return _Stands(self, job, delay)

    def add(self, birth: Birth, due_at: datetime) -> None:
        self.known().setdefault(birth.job_id, []).append(_StandIn(birth.scheduled_for, due_at))

    def known(self) -> dict[int, list[_StandIn]]:
        if self._known is None:
            self._known = {}
            # A tick may be handled after its block, within its grace.
            since = self.now - timedelta(seconds=max((job.grace for job in self.jobs), default=0))
            noted = Run.objects.exclude(note="").filter(job__in=self.jobs, due_at__gt=since, note__contains=POSTPONED)
            for pk, tick, due, attempt in noted.values_list("job_id", "scheduled_for", "due_at", "attempt"):
                self._known.setdefault(pk, []).append(_StandIn(tick, due, attempt == 1))
        return self._known


@dataclass(frozen=True, slots=True)
class _Stands:
    """Whether a postponed run of a job stands for the ticks of a block."""

    stand_ins: _StandIns
    job: Job
    delay: timedelta

    def __call__(self, block: Block) -> bool:
        return any(run.stands_for(block, self.delay) for run in self.stand_ins.known().get(self.job.pk, ()))
