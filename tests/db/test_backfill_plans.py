"""A backfill's questions use their indexes on a ledger of a hundred thousand rows."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from jobs.backfill.standing import _EACH, _NUMBERS, _STANDINGS
from jobs.backfill.steer import STARTABLE
from jobs.backfill.step import _LIVE_TICKS, _WITH_WORK
from jobs.models import Backfill, Job, Run
from jobs.states import LIVE
from tests.db.test_query_plans import check, many_rows, plan_of
from tests.factories import NOON

__all__ = ["many_rows"]

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def busy_job() -> int:
    """A job with runs."""
    return Run.objects.values_list("job_id", flat=True)[0]


def explained(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
        return plan


@pytest.fixture(scope="module", autouse=True)
def many_retries(many_rows: None) -> None:
    """A tenth of the ledger are retries by hand."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_run SET trigger = 'retry' WHERE get_byte(uuid_send(id), 0) < 26")
        cursor.execute("ANALYZE jobs_run")


def test_how_a_batch_of_ticks_stands_is_found_by_the_indexes_of_ticks_and_of_their_retries() -> None:
    ticks = [NOON - number * HOUR for number in range(500)]
    parameters = {"job": busy_job(), "ticks": ticks, "live": sorted(LIVE)}
    plan = explained(_STANDINGS.format(moments="= ANY(%(ticks)s)") + _EACH, parameters)
    check(plan, "run_one_per_tick", "run_tick_retried")


def test_how_a_range_stands_is_counted_along_the_same_indexes() -> None:
    parameters = {"first": NOON - 9 * HOUR, "last": NOON, "begins": [], "ends": [], "live": sorted(LIVE)}
    sql = _STANDINGS.format(moments="BETWEEN %(first)s AND %(last)s") + _NUMBERS
    check(explained(sql, {"job": busy_job(), **parameters}), "run_one_per_tick", "run_tick_retried")


def test_stretches_of_missed_ticks_are_found_by_their_index() -> None:
    missed = Run.objects.filter(job_id=busy_job(), ticks__gt=1, scheduled_for__lte=NOON, last_scheduled_for__gte=NOON)
    check(plan_of(missed.values_list("scheduled_for", "last_scheduled_for")), "run_stretch")


def test_what_the_backfills_have_to_do_is_found_without_reading_the_ledger() -> None:
    job = Job.objects.get(pk=busy_job())
    common = {"job": job, "first": NOON - HOUR, "last": NOON, "total": 1, "made_by": "ann"}
    Backfill.objects.bulk_create(Backfill(**common, state="done", finished_at=NOON) for _ in range(2000))
    one = Backfill.objects.create(**common, position=NOON)
    parameters = {"live": sorted(LIVE), "startable": list(STARTABLE), "id": one.pk}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_backfill")
    check(explained(_WITH_WORK, parameters), "run_backfill", "backfill_open")
    check(explained(_LIVE_TICKS, parameters), "run_backfill")
