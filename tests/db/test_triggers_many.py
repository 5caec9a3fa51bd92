"""Thousands of runs in one call: few statements, all or none, in order."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from jobs.models import Job, Run
from jobs.states import State
from jobs.trigger import Request, RequestRefused, run, run_many
from tests.factories import NOON, make_job, queued_run

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MANY = 5_000


def statements(requests: list[Request], job: Job) -> int:
    """How many statements it takes to ask for these."""
    with CaptureQueriesContext(connection) as captured:
        assert len(run_many(job.pk, requests, NOON)) == len(requests)
    return len([entry for entry in captured.captured_queries if "SAVEPOINT" not in entry["sql"]])


@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_thousands_of_runs_take_few_statements_and_little_time(overlap: str) -> None:
    job = make_job(overlap=overlap)
    requests = [Request(args=[number, 1], idempotency_key=f"key {number}") for number in range(MANY)]
    begun = time.monotonic()
    assert statements(requests, job) <= 1 + 4 * MANY // 500
    assert time.monotonic() - begun < 5
    assert Run.objects.filter(job=job).count() == MANY


def test_the_runs_come_in_the_order_of_the_requests_here_and_in_the_ledger() -> None:
    job = make_job(overlap="allow")
    requests = [Request(args=[number], delay=timedelta(seconds=number % 3)) for number in range(1_200)]
    runs = run_many(job.pk, (request for request in requests), NOON)
    assert [made.args[0] for made in runs] == list(range(1_200))
    assert [made.due_at - NOON for made in runs[:4]] == [timedelta(seconds=number) for number in (0, 1, 2, 0)]
    assert list(Run.objects.order_by("id").values_list("args__0", flat=True)) == list(range(1_200))


@override_settings(CARILLON={"BATCH": 3})
def test_a_job_that_skips_runs_the_first_and_skips_the_rest_with_the_reason() -> None:
    job = make_job(overlap="skip")
    later, first, *rest = run_many(job.pk, [Request(delay=HOUR), *[Request()] * 6], NOON)
    assert (later.state, first.state) == (State.WAITING, State.SCHEDULED)
    assert {made.state for made in rest} == {State.SKIPPED}
    assert {made.reason for made in rest} == {f"the earlier run {first.pk} had not ended"}


@override_settings(CARILLON={"BATCH": 3})
def test_a_job_with_a_line_lets_so_many_wait_and_skips_the_rest() -> None:
    job = make_job(overlap="queue_all", overlap_limit=4)
    states = [made.state for made in run_many(job.pk, [Request()] * 8, NOON)]
    assert states == [State.SCHEDULED, *[State.WAITING] * 4, *[State.SKIPPED] * 3]


@override_settings(CARILLON={"BATCH": 3})
def test_a_job_that_replaces_runs_the_last() -> None:
    job = make_job(overlap="replace")
    runs = run_many(job.pk, [Request()] * 7, NOON)
    assert list(Run.objects.live()) == [runs[-1]]
    assert Run.objects.count() == 7


@override_settings(CARILLON={"BATCH": 3})
def test_a_key_that_comes_more_than_once_is_one_run_and_takes_no_turn() -> None:
    job = make_job(overlap="queue_all", overlap_limit=2)
    known = run(job.pk, NOON, idempotency_key="a")
    keys = ["a", "b", "b", "b", "c", "a", "b"]
    runs = run_many(job.pk, [Request(args=[place], idempotency_key=key) for place, key in enumerate(keys)], NOON)
    assert [made.idempotency_key for made in runs] == keys
    assert len({made.pk for made in runs}) == 3
    assert runs[0] == known
    assert [made.state for made in runs[:5]] == [State.SCHEDULED, *[State.WAITING] * 4]
    assert [runs[1].args, runs[4].args] == [[1], [4]]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"args": "x"}, "request 3: args: must be a JSON list"),
    ({"delay": -HOUR}, "request 3: delay: must not be negative"),
    ({"idempotency_key": ""}, "request 3: idempotency_key: must have 1 to 200 characters"),
]


@pytest.mark.parametrize(("asked", "words"), BAD)
def test_one_request_that_makes_no_sense_refuses_all_and_is_named(asked: dict[str, Any], words: str) -> None:
    job = make_job()
    with pytest.raises(RequestRefused, match=words) as told:
        run_many(job.pk, [Request(), Request(), Request(), Request(**asked), Request(args=7)], NOON)  # type: ignore[arg-type]
    assert told.value.index == 3
    assert not Run.objects.exists()


@override_settings(CARILLON={"BATCH": 2})
def test_what_fails_in_a_later_batch_leaves_nothing_of_the_earlier_ones() -> None:
    job = make_job(overlap="replace")
    live = queued_run(job=job)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE jobs_run ADD CONSTRAINT no_seven CHECK (args <> '[7]')")
    with pytest.raises(IntegrityError, match="no_seven"):
        run_many(job.pk, [Request(args=[number]) for number in range(10)], NOON)
    assert list(Run.objects.values_list("pk", "state")) == [(live.pk, State.QUEUED)]


def test_no_requests_make_no_runs_and_an_unknown_job_is_told() -> None:
    assert run_many(make_job().pk, [], NOON) == []
    with pytest.raises(Job.DoesNotExist):
        run_many(4711, [Request()], NOON)
