"""The questions of breakers and canaries use their indexes on a hundred thousand rows."""

from typing import Any

import pytest
from django.db import connection

from jobs import breakers, canaries, circuits
from jobs.models import Canary, Job, Pool, Run
from jobs.models.choices import Circuit
from tests.db.test_query_plans import check, many_rows, nodes, plan_of
from tests.factories import NOON

__all__ = ["many_rows"]

pytestmark = pytest.mark.django_db


def explained(sql: str, parameters: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
        return plan


def busy_job() -> Job:
    """A job to which a large part of the ledger belongs."""
    job = Job.objects.order_by("id")[1]
    Run.objects.filter(state__in=("succeeded", "failed"), scheduled_for__gte=NOON).update(job=job)
    job.breaker_failures = 5
    return job


def test_the_last_outcomes_of_a_job_are_read_in_order_from_their_index() -> None:
    job = busy_job()
    for exceptions in ("", "OSError, ValueError"):
        job.breaker_exceptions = exceptions
        plan = plan_of(circuits._outcomes(job, job.breaker_rules()).values_list("state", flat=True)[:20])
        check(plan, "run_outcome")
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}, "nothing but those of one moment is sorted"


def test_the_last_outcomes_of_a_pool_are_read_in_order_from_their_index() -> None:
    pool = Pool.objects.create(name="erp", breaker_failures=5)
    Run.objects.filter(state__in=("succeeded", "failed")).update(pool=pool)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_run")
    plan = plan_of(circuits._outcomes(pool, pool.breaker_rules()).values_list("state", flat=True)[:20])
    check(plan, "run_pool_outcome")


def test_a_round_finds_the_circuits_that_are_not_closed_by_their_index() -> None:
    Job.objects.filter(pk__in=Job.objects.order_by("id")[:50].values("pk")).update(circuit=Circuit.OPEN)
    check(explained(breakers._TO_TURN, {"now": NOON, "limit": 500}), "job_circuit")


def test_the_runs_of_a_probe_are_found_by_the_key_of_its_tick() -> None:
    probe = Run.objects.filter(state="queued")[0].pk
    check(explained(circuits._RUNS_OF_TICKS, [[str(probe)]]), "run_one_per_tick")


def test_a_canary_and_the_others_are_compared_by_their_indexes() -> None:
    canary = Canary.objects.create(job=busy_job(), percent=10, queue="new", made_by="ann")
    values = {"job": canary.job_id, "canary": canary.pk, "since": NOON, "latest": 1000, "before": 100}
    check(explained(canaries._FIGURES, values), "run_outcome", "run_canary")
