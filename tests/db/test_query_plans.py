"""The loops' questions use their indexes on a hundred thousand rows: none reads a big table through."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from pytest_django import DjangoDbBlocker

from jobs.descend import _STUCK
from jobs.ledger import _OF_TICKS, _RECORDED
from jobs.models import Job, Run, Worker
from jobs.round import _NEXT_DUE
from jobs.states import State
from tests.factories import NOON, make_job, make_worker

ROWS = 100_000
BIG = {"jobs_job", "jobs_run"}
WORKER = UUID(int=4711)

_JOBS = """
INSERT INTO jobs_job (name, description, task, args, kwargs, schedule, timezone, enabled, queue, priority, timeout,
                      retry_policy, max_retries, retry_delay, retry_cap, retry_jitter, overlap, missed, grace, keep,
                      next_run_at, planned, planned_schedule, planned_timezone)
SELECT 'job number ' || n, '', 'probe.add', '[]', '{}', '* * * * *', 'UTC', true, 'celery', 5, 60,
       'none', 0, 10, 60, true, 'skip', 'skip', 60, 30,
       CASE WHEN n %% 10 > 0 THEN %(noon)s + (n - 500) * interval '1 second' END, n > 300, '* * * * *', 'UTC'
  FROM generate_series(1, %(rows)s) AS n
"""
# Nearly all of a ledger has ended; some thousand runs are live.
_RUNS = """
INSERT INTO jobs_run (id, job_id, trigger, scheduled_for, task, args, kwargs, queue, priority, timeout, state,
                      due_at, expires_at, deadline_at, started_at, finished_at, worker_id, pid)
SELECT gen_random_uuid(), (SELECT min(id) FROM jobs_job) + n %% 50000, 'schedule', %(noon)s - n * interval '1 second',
       'probe.add', '[]', '{}', 'celery', 5, 60, state,
       %(noon)s + (n - 2000) * interval '1 second',
       CASE WHEN n %% 2 = 0 THEN %(noon)s + n * interval '1 second' END,
       CASE WHEN state IN ('queued', 'running') THEN %(noon)s + n * interval '1 second' END, %(noon)s,
       CASE WHEN state IN ('succeeded', 'failed') THEN %(noon)s END,
       CASE WHEN n %% 500 = 0 THEN %(worker)s::uuid ELSE gen_random_uuid() END, 1
  FROM (SELECT n, CASE WHEN n <= 2000 THEN 'scheduled' WHEN n <= 3000 THEN 'queued' WHEN n <= 4000 THEN 'running'
                       WHEN n %% 20 = 0 THEN 'failed' ELSE 'succeeded' END AS state
          FROM generate_series(1, %(rows)s) AS n) AS numbered
"""


@pytest.fixture(scope="module", autouse=True)
def many_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A hundred thousand jobs and runs, in a transaction that is rolled back after this module."""
    with django_db_blocker.unblock(), transaction.atomic():
        make_job()
        make_worker()
        with connection.cursor() as cursor:
            values: dict[str, Any] = {"noon": NOON, "rows": ROWS, "worker": str(WORKER)}
            cursor.execute(_JOBS, values)
            cursor.execute(_RUNS, values)
            cursor.execute("ANALYZE jobs_job, jobs_run")
        yield
        transaction.set_rollback(True)
    connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def check(plan: dict[str, Any], *indexes: str) -> None:
    """The plan uses these indexes, and reads no big table through."""
    found = list(nodes(plan))
    used = {node["Index Name"] for node in found if "Index Name" in node}
    read_through = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"} & BIG
    assert set(indexes) <= used, f"used {used}: {json.dumps(plan, indent=1)}"
    assert not read_through, json.dumps(plan, indent=1)


def plan_of(question: QuerySet[Any, Any]) -> dict[str, Any]:
    return json.loads(question.explain(format="json"))[0]["Plan"]  # type: ignore[no-any-return]


def test_due_jobs_are_found_locked_and_in_order_by_their_index() -> None:
    due = Job.objects.due(NOON).select_for_update(skip_locked=True)[:500]
    check(plan_of(due), "job_due")
    assert not [node for node in nodes(plan_of(due)) if "Sort" in node["Node Type"]]
    assert len(due) > 0


def test_unplanned_jobs_are_found_by_their_index() -> None:
    unplanned = Job.objects.unplanned().select_for_update(skip_locked=True)[:500]
    check(plan_of(unplanned), "job_unplanned")
    assert len(unplanned) > 0


def test_due_runs_are_found_in_order_by_their_index() -> None:
    due = Run.objects.due(NOON).values_list("id", "attempt", "task", "queue", "priority", "timeout")[:500]
    check(plan_of(due), "run_due")
    assert len(due) > 0


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_overdue_runs_are_found_by_their_index(state: State) -> None:
    overdue = Run.objects.overdue(NOON + timedelta(seconds=3500)).filter(state=state)[:500]
    check(plan_of(overdue), "run_deadline")
    assert len(overdue) > 0


def test_runs_past_their_start_deadline_are_found_by_their_index() -> None:
    expired = Run.objects.expired(NOON + timedelta(seconds=50)).values_list("pk", flat=True)[:500]
    check(plan_of(expired), "run_expiry")
    assert len(expired) > 0


def test_the_live_runs_of_a_batch_of_jobs_are_found_by_their_index() -> None:
    first = Job.objects.order_by("id").values_list("id", flat=True)[1]
    live = Run.objects.live().filter(job_id__in=list(range(first, first + 500))).values_list("job_id", "id")
    check(plan_of(live), "run_live")
    assert len(live) > 0


def test_the_live_run_of_one_job_is_found_by_an_index() -> None:
    job = Run.objects.live().values_list("job_id", flat=True)[0]
    check(plan_of(Run.objects.live().filter(job_id=job).values_list("pk", flat=True)[:1]))


def test_what_a_worker_executes_is_found_by_its_index() -> None:
    mine = Run.objects.held_by([WORKER]).values_list("id", "attempt")
    check(plan_of(mine), "run_running")
    assert len(mine) > 0


def test_attempts_without_a_worker_are_found_by_an_index() -> None:
    alive = Worker.objects.filter(pk=OuterRef("worker_id"))
    orphans = Run.objects.filter(~Exists(alive), state=State.RUNNING).values_list("id", "attempt", "worker_name")
    check(plan_of(orphans[:500]))
    assert len(orphans[:500]) > 0


def test_the_next_due_moment_is_found_by_both_indexes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + _NEXT_DUE, {"now": NOON})
        check(cursor.fetchone()[0][0]["Plan"], "job_due", "run_due")


def test_runs_to_be_pruned_are_found_by_their_index() -> None:
    old = Run.objects.filter(finished_at__lt=NOON, job__keep=30).order_by("finished_at").values_list("pk", flat=True)
    check(plan_of(old[:5000]), "run_finished")


def test_the_queued_runs_of_each_queue_are_counted_by_an_index() -> None:
    queued = Run.objects.filter(state=State.QUEUED).order_by().values_list("queue")
    check(plan_of(queued))


@pytest.mark.parametrize(
    ("question", "parameters", "indexes"),
    [
        (_STUCK, (500,), ["run_one_per_tick"]),
        (_RECORDED, ([1] * 500, [NOON] * 500), ["run_one_per_tick"]),
        (_OF_TICKS, ([1] * 500, [NOON] * 500, [None] * 500), ["run_one_per_tick"]),
        (_OF_TICKS, ([1], [NOON], [str(WORKER)]), ["run_taken_along"]),
    ],
)
def test_what_upstreams_have_come_to_is_found_by_indexes(
    question: str, parameters: tuple[Any, ...], indexes: list[str]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + question, parameters)
        check(cursor.fetchone()[0][0]["Plan"], *indexes)
