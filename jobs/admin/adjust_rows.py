"""What has been decided for a job's ticks, as its page lists it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import adjust
from jobs.admin.adjust_form import ComingTick
from jobs.admin.display import moment, zone_of
from jobs.admin.masking import masked_json
from jobs.admin.run_columns import link_to_run
from jobs.models import Adjustment, Job
from jobs.models.choices import Adjust
from jobs.policies.missed import MICROSECOND
from jobs.states import State, Trigger

TICKS = 10
MOST_LISTED = 50
MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """One decision, ready to be read."""

    pk: int
    tick: SafeString
    what: SafeString
    why: str
    by: str
    made: SafeString
    fate: SafeString | str
    may_take_back: bool


def coming(job: Job) -> list[ComingTick]:
    """The next ticks, each with what has been decided for it; none where the schedule in force cannot be read."""
    try:
        ticks = list(islice(adjust.coming_ticks(job), TICKS))
    except ValueError:
        return []
    if not ticks:
        return []
    in_force = list(job.adjustments.filter(taken_back_at=None, last__gte=ticks[0], first__lte=ticks[-1]))
    return [ComingTick(tick, _decided(tick, in_force)) for tick in ticks]


def _decided(tick: datetime, in_force: Sequence[Adjustment]) -> Adjustment | None:
    return next((one for one in in_force if one.first <= tick <= one.last), None)


def adjustment_rows(job: Job, now: datetime, *, shows_arguments: bool) -> list[AdjustmentRow]:
    """The newest ones, the last made first."""
    return [
        _row(one, job, now, shows_arguments=shows_arguments) for one in job.adjustments.order_by("-pk")[:MOST_LISTED]
    ]


def _row(one: Adjustment, job: Job, now: datetime, *, shows_arguments: bool) -> AdjustmentRow:
    zone = zone_of(job.timezone)
    tick = moment(one.first, zone)
    if one.last > one.first:
        tick = format_html("{} to {}", tick, moment(one.last, zone))
    return AdjustmentRow(
        one.pk,
        tick,
        _what(one, zone, shows_arguments=shows_arguments),
        one.reason,
        one.made_by,
        moment(one.created_at, zone),
        _fate(one, job, now),
        adjust.may_take_back(one, job, now),
    )


def _what(one: Adjustment, zone: Any, *, shows_arguments: bool) -> SafeString:
    if one.action == Adjust.SNOOZE:
        return format_html("{}: {}", one.get_action_display(), moment(one.moved_to, zone))
    if one.action != Adjust.ARGUMENTS or not shows_arguments:
        return format_html("{}", one.get_action_display())
    given = [masked_json(value) for value in (one.args, one.kwargs) if value is not None]
    return format_html("{}<pre>{}</pre>", one.get_action_display(), "\n".join(given))


def _fate(one: Adjustment, job: Job, now: datetime) -> SafeString | str:
    """What has become of it."""
    if one.taken_back_at is not None:
        when = moment(one.taken_back_at, zone_of(job.timezone))
        return format_html("taken back by {}, {}", one.taken_back_by, when)
    if one.first < one.last:
        return _skipped(one, job, waits=adjust.may_take_back(one, job, now))
    if (run := adjust.row_of(one)) is not None:
        return link_to_run(run)
    if adjust.may_take_back(one, job, now):
        return "waits for its tick" if _is_tick(one, job) else "the schedule has no such tick now"
    old = one.last < now - timedelta(days=job.keep)
    return "its row is not kept any more" if old else "not met: the schedule had no such tick any more"


def _skipped(one: Adjustment, job: Job, *, waits: bool) -> str:
    ticks = job.runs.filter(trigger=Trigger.SCHEDULE, scheduled_for__gte=one.first, scheduled_for__lte=one.last)
    count = ticks.filter(state=State.SKIPPED, reason__startswith="skipped by ")[:MOST_COUNTED].count()
    told = (
        f"{count:,} tick{'' if count == 1 else 's'} skipped" if count < MOST_COUNTED else f"{count:,} or more skipped"
    )
    return f"{told} so far" if waits else told


def _is_tick(one: Adjustment, job: Job) -> bool:
    try:
        return job.schedule_in_force().count_between(one.first - MICROSECOND, one.first) > 0
    except ValueError:
        return False
