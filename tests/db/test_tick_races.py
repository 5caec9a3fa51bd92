"""Several beats at once: what one has locked the others pass by, and no tick is lost or doubled."""

from collections import Counter
from datetime import timedelta

import pytest
from pytest_django import Settings

from jobs.models import Job, Run
from jobs.plan import plan
from jobs.tick import TickResult, tick
from tests.connections import locks_held, together
from tests.factories import NOON, make_job, planned_job

pytestmark = pytest.mark.django_db(transaction=True)

DUE = 2_000


def many_due_jobs() -> None:
    model = planned_job(overlap="allow")
    fields = {field.attname for field in Job._meta.concrete_fields} - {"id", "name"}
    values = {name: getattr(model, name) for name in fields}
    Job.objects.bulk_create(Job(name=f"due {number}", **values) for number in range(DUE - 1))


def tick_until_done() -> int:
    fired = 0
    while Job.objects.due(NOON).exists():
        fired += tick(NOON).fired
    return fired


def test_two_beats_over_two_thousand_due_jobs_double_none_and_lose_none(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 25}
    many_due_jobs()
    shares = together(tick_until_done, tick_until_done)
    assert sum(shares) == DUE
    assert min(shares) > 0, "one of the two did everything: they never met"
    per_job = Counter(Run.objects.values_list("job_id", flat=True))
    assert len(per_job) == DUE
    assert set(per_job.values()) == {1}
    assert set(Job.objects.values_list("next_run_at", flat=True)) == {NOON + timedelta(minutes=1)}


def test_a_job_that_another_beat_has_locked_is_passed_by_without_waiting() -> None:
    locked, free = planned_job(), planned_job()
    with locks_held("SELECT 1 FROM jobs_job WHERE id = %s FOR UPDATE", [locked.pk]):
        assert tick(NOON) == TickResult(fired=1)
        assert Run.objects.get().job_id == free.pk
    assert tick(NOON) == TickResult(fired=1)
    assert set(Run.objects.values_list("job_id", flat=True)) == {locked.pk, free.pk}


def test_a_job_whose_edit_is_not_committed_is_not_planned_and_stops_nobody() -> None:
    edited, other = make_job(), make_job()
    with locks_held("UPDATE jobs_job SET schedule = '@daily' WHERE id = %s", [edited.pk]):
        assert plan(NOON).planned == 1
    assert set(Job.objects.filter(planned=True)) == {other}


def test_two_beats_planning_at_once_share_the_jobs(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 10}
    for _ in range(60):
        make_job()

    def plan_until_done() -> int:
        planned = 0
        while Job.objects.unplanned().exists():
            planned += plan(NOON).planned
        return planned

    assert sum(together(plan_until_done, plan_until_done)) == 60
    assert not Job.objects.filter(next_run_at=None).exists()
