"""The table "What a job decides" of the README: each policy on a job of its own, and what the ledger says of it."""

from datetime import timedelta
from typing import Any

import pytest

from jobs import trigger
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State
from tests.factories import make_job, planned_job
from tests.process.system import System
from tests.waiting import wait_until

EVERY_SECOND: dict[str, Any] = {"task": "probe.nap", "args": [600], "schedule": "* * * * * *"}


def told(job: Job, state: State, words: str) -> Run:
    """A run of the job in this state whose row says so, when there is one."""
    runs = job.runs.filter(state=state, reason__contains=words)
    return wait_until(runs.first, 30, f"{job}: {state}, {words}")


@pytest.mark.parametrize(
    ("overlap", "state", "words"),
    [
        ("skip", State.SKIPPED, "had not ended"),
        ("queue_one", State.SKIPPED, "was waiting already"),
        ("queue_all", State.SKIPPED, "2 runs were waiting already"),
        ("queue_all", State.WAITING, "waits for the run"),
        ("replace", State.CANCELLED, "replaced by the run"),
    ],
)
def test_overlap_says_why(system: System, overlap: str, state: State, words: str) -> None:
    system.worker()
    system.beat()
    job = make_job(**EVERY_SECOND, overlap=overlap, overlap_limit=2)
    told(job, state, words)


def test_missed_ticks_are_made_up_for_as_the_job_says(system: System) -> None:
    hour_ago = database_now() - timedelta(hours=1)
    jobs = {
        kind: planned_job(
            hour_ago, schedule="*/10 * * * *", timezone="UTC", overlap="allow", missed=kind, missed_limit=2, grace=1
        )
        for kind in ("skip", "latest", "earliest", "all")
    }
    system.worker()
    system.beat()
    due = Job.objects.filter(next_run_at__lte=database_now())
    wait_until(lambda: not due.exists(), 20, "the beat has caught up")
    made_up = {kind: job.runs.exclude(state=State.MISSED).count() for kind, job in jobs.items()}
    assert made_up == {"skip": 0, "latest": 1, "earliest": 1, "all": 2}
    ticks = {kind: sum(run.ticks for run in job.runs.all()) for kind, job in jobs.items()}
    assert len(set(ticks.values())) == 1, "every tick is in the ledger, whatever became of it"


def test_a_start_deadline_a_timeout_and_a_refused_retry_say_so(system: System) -> None:
    now = database_now()
    late = trigger.run_now(make_job(**EVERY_SECOND, enabled=False, queue="nobody", expires=1).pk, now)
    system.worker()
    system.beat()
    slow = trigger.run_now(make_job(**EVERY_SECOND, enabled=False, timeout=1, max_retries=0).pk, now)
    refused = trigger.run_now(make_job(task="probe.fail", args=[], enabled=False, never_retry="ValueError").pk, now)
    assert told(late.job, State.MISSED, "had not started by its start deadline")
    assert told(slow.job, State.FAILED, "not to retry").error == "the timeout was exceeded"
    assert told(refused.job, State.FAILED, "never retries ValueError")


def test_arguments_are_filled_in_and_a_run_by_hand_may_have_its_own(system: System) -> None:
    system.worker()
    system.beat()
    job = make_job(
        task="probe.arguments",
        args=["{job}", "{attempt}"],
        templated=True,
        name="sales",
        overlap="allow",
        enabled=False,
    )
    now = database_now()
    own = trigger.run(job.pk, now)
    other = trigger.run(job.pk, now, args=["{scheduled_for:%Y}"], idempotency_key="order 4711")
    assert trigger.run(job.pk, now, idempotency_key="order 4711").pk == other.pk
    wait_until(lambda: job.runs.filter(state=State.SUCCEEDED).count() == 2, 20, "both have run")
    results = dict(job.runs.values_list("pk", "result"))
    assert "sales" in str(results[own.pk])
    assert f"{now:%Y}" in str(results[other.pk])
