"""Adjust: what people decide for single ticks of a job: skip, run later, other arguments, run early; and take it back.

Everything is decided under the lock of the job's row, which the tick takes too: a tick that is adjusted has not been
handled yet, and its run obeys. One decision for a tick: a second one is refused until the first is taken back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest

from jobs.births import Birth, insert, new_run_id
from jobs.line import lines
from jobs.models import Adjustment, Job, Run
from jobs.models.choices import Adjust
from jobs.policies.missed import MICROSECOND
from jobs.policies.overlap import Skip
from jobs.schedules import Schedule
from jobs.schedules.fields import FIRST_YEAR, LAST_YEAR
from jobs.states import State, Trigger
from jobs.tick_rules import adjustments, calendars, fan_out, upstreams
from jobs.trigger import RequestRefused, read_json, try_key, try_templates

_NAMES = {"last": "until", "moved_to": "until", "reason": "why", "made_by": "by"}
"""What the model's fields are called by who asks."""


def skip(
    job_id: int, now: datetime, *, by: str, why: str, until: datetime | None = None, tick: datetime | None = None
) -> Adjustment:
    """Skip the job's next tick, or `tick`; with `until`, all from there to that moment.

    `tick` and `until` are aware. Raises Job.DoesNotExist, and RequestRefused when the tick has gone by, is none of
    the schedule in force, or has been decided on already.
    """
    draft = Adjustment(action=Adjust.SKIP, reason=why, made_by=by)
    if until is not None:
        draft.last = _moment("until", until, now)
    return _made(job_id, draft, tick, now)


def snooze(
    job_id: int, now: datetime, *, by: str, why: str, until: datetime, tick: datetime | None = None
) -> Adjustment:
    """Run the job's next tick, or `tick`, at `until`, which must be later than its own time; raises as `skip` does."""
    moved_to = _moment("until", until, now)
    return _made(job_id, Adjustment(action=Adjust.SNOOZE, moved_to=moved_to, reason=why, made_by=by), tick, now)


def give_arguments(
    job_id: int,
    now: datetime,
    *,
    by: str,
    why: str,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    tick: datetime | None = None,
) -> Adjustment:
    """Run the job's next tick, or `tick`, with other arguments; those that are None stay the job's.

    Raises as `skip` does, and refuses what is no JSON, or no template that can be filled in for that tick.
    """
    given = {"args": read_json("args", args), "kwargs": read_json("kwargs", kwargs)}
    return _made(job_id, Adjustment(action=Adjust.ARGUMENTS, reason=why, made_by=by, **given), tick, now)


def run_early(job_id: int, now: datetime, *, by: str, why: str, tick: datetime | None = None) -> Run:
    """Make the run of the job's next tick now, by its overlap policy; the tick itself then makes none.

    Of a tick that is split, the first run. Raises as `skip` does; refused are also a tick that is not the next one
    that runs, one that is due already, and one that the overlap policy would skip now, which would waste it.
    """
    draft = Adjustment(action=Adjust.EARLY, reason=why, made_by=by)
    with transaction.atomic():
        job, schedule = _locked(job_id)
        draft = _checked(job, schedule, draft, tick, now)
        if draft.first != _next_tick(job, schedule):
            raise RequestRefused("tick", "only the next tick can be run early")
        if draft.first <= now:
            raise RequestRefused("tick", "it is due already, and runs at once")
        birth = _early_birth(job, draft, schedule, now)
        _save(job, draft)
        upcoming = next(_ticks(job, schedule, draft.first + MICROSECOND), None)
        Job.objects.filter(pk=job.pk).update(next_run_at=calendars.wake(job, schedule, upcoming, now))
        return Run.objects.get(pk=birth.id)


def take_back(adjustment_id: int, now: datetime, *, by: str) -> Adjustment:
    """Take an adjustment back before it has had its effect; of a stretch of skipped ticks, what is left of it.

    Raises Adjustment.DoesNotExist, and RequestRefused when it is too late.
    """
    with transaction.atomic():
        job_id = Adjustment.objects.values_list("job_id", flat=True).get(pk=adjustment_id)
        job = Job.objects.select_for_update(no_key=True).get(pk=job_id)
        adjustment = Adjustment.objects.select_related("job").get(pk=adjustment_id)
        if adjustment.taken_back_at is not None:
            raise RequestRefused("adjustment", f"{adjustment.taken_back_by} has taken it back already")
        if not may_take_back(adjustment, job, now):
            raise RequestRefused("adjustment", "too late, it has had its effect, or its tick has gone by")
        adjustment.taken_back_at, adjustment.taken_back_by = now, by
        adjustment.save(update_fields=["taken_back_at", "taken_back_by"])
        return adjustment


def may_take_back(adjustment: Adjustment, job: Job, now: datetime) -> bool:
    """Whether a tick may still meet it."""
    if adjustment.taken_back_at is not None or adjustment.action == Adjust.EARLY:
        return False
    unhandled = now if job.next_run_at is None else min(now, job.next_run_at)
    if adjustment.last < unhandled:
        return False
    return adjustment.first < adjustment.last or row_of(adjustment) is None


def row_of(adjustment: Adjustment) -> Run | None:
    """The ledger's last row of a tick that it was for, which may be a stretch of missed ones; None if there is none."""
    ticks = Run.objects.filter(job_id=adjustment.job_id, trigger=Trigger.SCHEDULE, scheduled_for__lte=adjustment.last)
    run = ticks.order_by("-scheduled_for", "shard").first()
    met = run is not None and (run.last_scheduled_for or run.scheduled_for) >= adjustment.first
    return run if met else None


def coming_ticks(job: Job) -> Iterator[datetime]:
    """The job's ticks that the beat has not handled yet, in its zone, the next one first.

    They come from the schedule in force. None while the job is paused, has ended, is set aside or not yet planned.
    """
    if job.planned and job.next_run_at is not None:
        yield from _ticks(job, job.schedule_in_force(), job.next_run_at)


def _ticks(job: Job, schedule: Schedule, start: datetime) -> Iterator[datetime]:
    upcoming = schedule.next_after(start - MICROSECOND)
    while upcoming is not None and (job.ends_at is None or upcoming <= job.ends_at):
        yield upcoming
        upcoming = schedule.next_after(upcoming)


def _made(job_id: int, draft: Adjustment, tick: datetime | None, now: datetime) -> Adjustment:
    with transaction.atomic():
        job, schedule = _locked(job_id)
        draft = _checked(job, schedule, draft, tick, now)
        _try_arguments(job, draft, now)
        _save(job, draft)
        return draft


def _save(job: Job, draft: Adjustment) -> None:
    """The job's row tells up to when there are any, so that a tick of one that has none does not ask for them."""
    draft.save()
    Job.objects.filter(pk=job.pk).update(adjusted_until=Greatest("adjusted_until", Value(draft.last)))


def _locked(job_id: int) -> tuple[Job, Schedule]:
    """The job, which no beat handles until the transaction ends, and its schedule in force."""
    job = Job.objects.select_for_update(no_key=True).get(pk=job_id)
    if not job.planned:
        raise RequestRefused("tick", "the job was edited a moment ago; its next tick is known in a second")
    if job.next_run_at is None:
        raise RequestRefused("tick", "the job has no next tick")
    try:
        return job, job.schedule_in_force()
    except ValueError as error:
        raise RequestRefused("tick", str(error)) from error


def _checked(job: Job, schedule: Schedule, draft: Adjustment, tick: datetime | None, now: datetime) -> Adjustment:
    """The draft, for that tick, when nothing speaks against it."""
    draft.job = job
    draft.first = _next_tick(job, schedule) if tick is None else _known_tick(job, schedule, tick, now)
    # Only a stretch has its end; a field that is not given is None.
    draft.last = draft.last or draft.first
    try:
        draft.full_clean(exclude=("args", "kwargs"), validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise RequestRefused(_NAMES.get(field, field), " ".join(messages)) from error
    in_force = Adjustment.objects.filter(job=job, taken_back_at=None, last__gte=draft.first, first__lte=draft.last)
    if (other := in_force.first()) is not None:
        when = adjustments.written(max(other.first, draft.first), schedule.timezone)
        told = adjustments.told_of(other, schedule.timezone)
        raise RequestRefused("tick", f"the tick of {when} is {told}; take that back first")
    return draft


def _next_tick(job: Job, schedule: Schedule) -> datetime:
    """The first tick that has not been handled. `next_run_at` may be earlier: when the beat is to look at it."""
    upcoming = next(_ticks(job, schedule, job.next_run_at), None) if job.next_run_at is not None else None
    if upcoming is None:
        raise RequestRefused("tick", "the job has no next tick")
    return upcoming.astimezone(UTC)


def _known_tick(job: Job, schedule: Schedule, tick: datetime, now: datetime) -> datetime:
    asked, upcoming = _aware("tick", tick), _next_tick(job, schedule)
    found = next(_ticks(job, schedule, asked), None)
    is_tick = found is not None and found.astimezone(UTC) == asked
    if is_tick and asked >= upcoming:
        return asked
    when, then = (adjustments.written(moment, schedule.timezone) for moment in (asked, upcoming))
    gone_by = "has gone by" if asked <= now else "has its run already"
    what = f"the tick of {when} {gone_by}" if is_tick else f"the schedule has no tick at {when}"
    raise RequestRefused("tick", f"{what}; the next one is {then}")


def _moment(field: str, moment: datetime, now: datetime) -> datetime:
    aware = _aware(field, moment)
    if aware <= now:
        raise RequestRefused(field, "has passed")
    return aware


def _aware(field: str, moment: datetime) -> datetime:
    """The moment in UTC, because two times of one zone compare by the clock on the wall."""
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise RequestRefused(field, f"must be a datetime with a time zone, not {moment!r:.80}")
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        raise RequestRefused(field, f"its year must be in {FIRST_YEAR + 1}-{LAST_YEAR - 1}")
    return moment.astimezone(UTC)


def _try_arguments(job: Job, draft: Adjustment, now: datetime) -> None:
    """Refuse arguments that cannot be filled in, or that lack what the job's key needs."""
    birth = Birth(new_run_id(now), job.pk, draft.first, args=draft.args, kwargs=draft.kwargs)
    try:
        if job.templated:
            try_templates(job, [birth])
        if job.key:
            try_key(job, [birth])
    except RequestRefused as refused:
        raise RequestRefused(refused.field, refused.why) from refused


def _early_birth(job: Job, draft: Adjustment, schedule: Schedule, now: datetime) -> Birth:
    """Insert the tick's runs, due now; the first of them. What forbids it is refused instead."""
    told = adjustments.told_of(draft, schedule.timezone)
    birth = Birth(new_run_id(now), job.pk, draft.first, note=told, due_at=now)
    line = lines([job], now)[job.pk]
    if isinstance(decision := line.decide(), Skip):
        raise RequestRefused("tick", f"it would be skipped now: {decision.reason}")
    births = fan_out.load([job], now)(job, birth)
    if births[0].state is State.SKIPPED:
        raise RequestRefused("tick", f"it would be skipped now: {births[0].reason}")
    line.join(births)
    line.cancel_replaced(now)
    below = upstreams.of_tick(job, births, now)
    if birth.id not in insert([*line.births.values(), *below], now):
        raise RequestRefused("tick", "it has run already")
    return birth
