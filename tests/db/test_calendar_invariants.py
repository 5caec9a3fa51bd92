"""Random freezes, policies, outages and edits: each tick has a row, nothing starts blocked, one stands for a block."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Calendar, Freeze, Job, Run
from jobs.plan import plan
from jobs.policies.on_calendar import POSTPONED
from jobs.states import State
from jobs.tick import tick
from tests.connections import together
from tests.factories import NOON, planned_job, running_run

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
STEPS = 24
"""Rounds, five minutes apart; the job ticks every ten."""

freezes = st.lists(st.tuples(st.integers(1, 90), st.integers(5, 60)), min_size=1, max_size=3)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    kind=st.sampled_from(["skip", "postpone", "before"]),
    missed=st.sampled_from(["skip", "latest", "earliest", "all"]),
    hours=freezes,
    away=st.sets(st.integers(0, STEPS), max_size=12),
    edited=st.dictionaries(st.integers(1, STEPS), st.integers(0, 90), max_size=2),
)
def test_whatever_happens_every_tick_has_its_row_and_nothing_starts_blocked(
    kind: str, missed: str, hours: list[tuple[int, int]], away: set[int], edited: dict[int, int]
) -> None:
    calendar = Calendar.objects.create(name="c")
    for begin, length in hours:
        start = NOON + begin * MINUTE
        Freeze.objects.create(calendar=calendar, starts_at=start, ends_at=start + length * MINUTE, reason="f")
    job = planned_job(
        schedule="*/10 * * * *", timezone="UTC", overlap="allow", missed=missed, grace=60,
        calendar=calendar, on_calendar=kind,
    )  # fmt: skip
    try:
        for step in range(STEPS + 1):
            now = NOON + 5 * step * MINUTE
            if step in edited:
                edit(calendar, edited[step])
                Job.objects.filter(planned=False).update(planned=False, planned_from=now, owed_until=now)
            if step not in away:
                known = set(Run.objects.values_list("pk", flat=True))
                beats = [lambda: round_at(now)] * (2 if step % 4 == 0 else 1)  # noqa: B023 - called at once
                together(*beats)
                round_at(now)
                assert_nothing_new_starts_blocked(job, known)
        assert_every_tick_has_one_row(job, away)
    finally:
        job.delete()
        calendar.delete()


def edit(calendar: Calendar, begin: int) -> None:
    start = NOON + begin * MINUTE
    Freeze.objects.create(calendar=calendar, starts_at=start, ends_at=start + 45 * MINUTE, reason="more")


def round_at(now: datetime) -> None:
    plan(now)
    tick(now)


def assert_nothing_new_starts_blocked(job: Job, known: set[UUID]) -> None:
    value = Job.objects.get(pk=job.pk).work_calendar()
    assert value is not None
    live = Run.objects.filter(job=job).filter(state__in=(State.SCHEDULED, State.WAITING))
    for run in live.exclude(pk__in=known):
        assert value.blocking(run.due_at) is None, run
    waiting = [run.due_at for run in live if POSTPONED in run.note and run.due_at > run.created_at]
    assert len(waiting) == len(set(waiting)), "two runs stand for one block"


def assert_every_tick_has_one_row(job: Job, away: set[int]) -> None:
    runs = list(Run.objects.filter(job=job))
    told = sorted(run.scheduled_for for run in runs)
    assert len(told) == len(set(told))
    last = NOON + 5 * max((step for step in range(STEPS + 1) if step not in away), default=-1) * MINUTE
    ticks = [NOON + 10 * number * MINUTE for number in range(STEPS) if NOON + 10 * number * MINUTE <= last]
    assert sum(run.ticks for run in runs if run.scheduled_for <= last) == len(ticks)


def test_a_worker_finds_the_tick_before_by_the_business_days_of_the_calendar() -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", timezone="UTC")
    _, claim = running_run(NOON.replace(month=1, day=5), schedule="0 9 B * *", timezone="UTC", calendar=calendar)
    previous = claim.schedule().previous_before(claim.scheduled_for.replace(hour=9))
    assert previous is not None
    assert f"{previous:%Y-%m-%d}" == "2025-12-30", "the 31st, the 1st and the 2nd are holidays"
