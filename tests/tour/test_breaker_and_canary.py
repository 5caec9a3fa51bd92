"""A circuit breaker that opens and closes by itself, and a canary that reverts itself, as the README tells of them."""

from typing import Any

from jobs import canaries
from jobs.models import Canary, Job, Pool
from jobs.models.choices import CanaryState, Circuit
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

FAILING: dict[str, Any] = {"task": "probe.fail", "args": [], "schedule": "* * * * * *", "max_retries": 0}


def test_a_breaker_opens_skips_ticks_with_the_reason_and_closes_after_its_probe(system: System) -> None:
    system.worker()
    system.beat()
    job = make_job(**FAILING, breaker_failures=3, breaker_pause=2, breaker_exceptions="ValueError")
    skipped = job.runs.filter(
        state=State.SKIPPED,
        reason__regex=r"^circuit open since .* UTC: 3 failures with ValueError in a row; a probe at .* UTC$",
    )
    wait_until(skipped.exists, 30, "a tick is skipped by the open circuit")
    Job.objects.filter(pk=job.pk).update(task="probe.note")
    wait_until(Job.objects.filter(pk=job.pk, circuit=Circuit.CLOSED).exists, 30, "the circuit is closed")
    probe = job.runs.filter(note__startswith="the probe of the circuit", state=State.SUCCEEDED).get()
    job.refresh_from_db()
    assert job.circuit_reason == f"the probe {probe.pk} succeeded"


def test_a_pools_breaker_holds_its_jobs_and_lets_them_go_on(system: System) -> None:
    system.worker()
    system.beat()
    pool = Pool.objects.create(name="erp", breaker_failures=2, breaker_pause=5)
    failing = make_job(**FAILING, pool=pool, overlap="allow")
    held = make_job(task="probe.note", args=[], schedule="* * * * * *", pool=pool, overlap="allow", enabled=False)
    wait_until(Pool.objects.filter(pk=pool.pk, circuit=Circuit.OPEN).exists, 30, "the pool's circuit is open")
    Job.objects.filter(pk=failing.pk).update(task="probe.note")
    failing.runs.filter(state=State.WAITING).delete()  # they would fail once more, as they were made
    Job.objects.filter(pk=held.pk).update(enabled=True)
    waiting = held.runs.filter(state=State.WAITING, reason__contains="circuit breaker")
    wait_until(waiting.exists, 20, "a run says what it waits for")
    wait_until(held.runs.filter(state=State.SUCCEEDED).exists, 30, "it goes on")


def test_a_canary_that_fails_more_often_reverts_itself(system: System) -> None:
    system.worker()
    system.beat()
    job = make_job(task="probe.note", args=[], schedule="* * * * * *", overlap="allow", max_retries=0)
    canary = canaries.start(Canary(job=job, percent=50, task="probe.fail", least_runs=4), "ann")
    reverted = Canary.objects.filter(pk=canary.pk, state=CanaryState.REVERTED)
    wait_until(reverted.exists, 40, "the canary has reverted")
    canary.refresh_from_db()
    assert "canary runs failed" in canary.reason
    assert canary.finished_at is not None
    after = job.runs.filter(scheduled_for__gt=canary.finished_at, state=State.SUCCEEDED)
    wait_until(lambda: after.count() >= 3, 30, "all ticks run by the job's definition")
    assert not job.runs.filter(scheduled_for__gt=canary.finished_at, canary=canary).exists()
