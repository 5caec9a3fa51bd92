"""Rows of earlier schemas keep working through the migrations."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from jobs.admit import admit
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.plan import plan
from jobs.states import State
from jobs.tick import tick

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = ("jobs", "0002_housekeeping")
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def migrate(target: tuple[str, str]) -> Apps:
    """Bring the tables to this state; the models as they were then."""
    executor = MigrationExecutor(connection)
    executor.migrate([target])
    return MigrationExecutor(connection).loader.project_state([target]).apps


def newest() -> tuple[str, str]:
    nodes = MigrationExecutor(connection).loader.graph.leaf_nodes("jobs")
    return str(nodes[0][0]), str(nodes[0][1])


@pytest.fixture
def first_schema() -> Iterator[Apps]:
    """The tables as the first engine had them; brought up to date again at the end, whatever happens."""
    yield migrate(FIRST)
    migrate(newest())


def old_job(apps: Apps, **fields: Any) -> Any:
    defaults = {"task": "probe.add", "args": [1, 2], "schedule": "* * * * *", "timezone": "UTC", "name": str(uuid4())}
    return apps.get_model("jobs", "Job").objects.create(**defaults | fields)


def test_planned_and_unplanned_jobs_and_their_runs_live_on(first_schema: Apps) -> None:
    planned = old_job(
        first_schema,
        planned=True,
        next_run_at=NOON,
        planned_schedule="* * * * *",
        planned_timezone="UTC",
        overlap="skip",
        missed="latest",
    )
    unplanned = old_job(first_schema, schedule="30 2 * * *", timezone="Europe/Riga")
    held = first_schema.get_model("jobs", "Run").objects.create(
        id=uuid4(), job=unplanned, trigger="manual", scheduled_for=NOON, due_at=NOON, state="held",
        task="probe.add", args=[1, 2], kwargs={}, queue="celery", priority=5, timeout=60,
    )  # fmt: skip

    migrate(newest())

    now = database_now()
    assert plan(now).planned == 1
    assert tick(now).fired == 1
    jobs = {job.pk: job for job in Job.objects.all()}
    assert (jobs[planned.pk].error, jobs[unplanned.pk].error) == ("", "")
    next_run_at = jobs[unplanned.pk].next_run_at
    assert next_run_at is not None
    assert next_run_at > now
    assert Run.objects.filter(job_id=planned.pk, state=State.SCHEDULED).count() == 1
    assert Run.objects.get(job_id=planned.pk, state=State.MISSED).ticks > 1
    assert Run.objects.get(pk=held.pk).state == State.HELD
    assert admit(now) == 0
