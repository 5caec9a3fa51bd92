"""However many runs wait, what a round reads of them for the limits is little: who holds slots, and who is first."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from jobs import limits
from jobs.limits_sql import CANDIDATES, REASONS
from jobs.models import Job, Pool, Run
from jobs.slot_reasons import POOL
from tests.factories import NOON, planned_job

pytestmark = pytest.mark.django_db

WAITING = 5_000
KEYS = 50
SLOTS = 10

_RUNS = """
INSERT INTO jobs_run (id, job_id, trigger, scheduled_for, task, args, kwargs, queue, priority, timeout, state, due_at,
                      started_at, finished_at, pool_id, limited, limit_key, reason)
SELECT gen_random_uuid(), %(job)s, 'manual', %(noon)s, 'probe.add', '[]', '{}', 'celery', 5, 60, %(state)s,
       %(noon)s - n * interval '1 second',
       CASE WHEN %(state)s = 'succeeded' THEN %(noon)s - n * interval '1 second' END,
       CASE WHEN %(state)s = 'succeeded' THEN %(noon)s - n * interval '1 second' END,
       %(pool)s, TRUE, 'tenant:' || n %% %(keys)s, %(reason)s
  FROM generate_series(1, %(number)s) AS n
"""


def insert(job: Job, state: str, number: int, reason: str = "") -> None:
    values = {"job": job.pk, "pool": job.pool_id, "noon": NOON, "keys": KEYS}
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, {**values, "state": state, "number": number, "reason": reason})


@pytest.fixture(scope="module", autouse=True)
def crowd(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A full pool and a free one, each with a job for which many wait, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        for name in ("full", "free"):
            pool = Pool.objects.create(name=name, slots=SLOTS)
            job = planned_job(pool=pool, overlap="allow", name=name, key="{args[0]}", key_limit=3)
            insert(job, "succeeded", WAITING)
            insert(job, "waiting", WAITING, f"waits for a slot in the pool {name} ({SLOTS})")
            if name == "full":
                insert(job, "scheduled", SLOTS)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE jobs_job, jobs_run, jobs_pool")
        yield
        transaction.set_rollback(True)
    connection.close()


def read(sql: str) -> dict[str, float]:
    """How many rows of the ledger each index gave, what was filtered away included; and what was read through."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", limits._parameters(NOON, None))
        plan = cursor.fetchone()[0][0]["Plan"]
    found: dict[str, float] = {}
    for node in nodes(plan):
        if node.get("Relation Name") == "jobs_run" and node["Actual Loops"]:
            name = node.get("Index Name", node["Node Type"])
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            found[name] = found.get(name, 0) + rows * node["Actual Loops"]
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_a_full_pool_costs_a_count_of_its_holders_and_a_free_one_its_keys() -> None:
    found = read(CANDIDATES)
    assert "Seq Scan" not in found, json.dumps(found)
    assert sum(found.values()) < SLOTS + KEYS * 10, json.dumps(found)


def test_what_waiting_runs_say_is_compared_without_reading_them() -> None:
    found = read(REASONS)
    assert "Seq Scan" not in found, json.dumps(found)
    assert sum(found.values()) < 100, json.dumps(found)


def test_where_nobody_waits_it_is_one_look_at_an_index() -> None:
    with transaction.atomic():
        Run.objects.filter(state="waiting").delete()
        found = read(CANDIDATES)
        transaction.set_rollback(True)
    assert sum(found.values()) <= 2 * SLOTS, json.dumps(found)


def test_the_reason_is_the_one_that_the_engine_writes() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {POOL} FROM jobs_pool AS pool WHERE name = 'full'")
        assert cursor.fetchone() == (f"waits for a slot in the pool full ({SLOTS})",)
