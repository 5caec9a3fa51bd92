"""Limits: slots of a job and of a pool, and a pool's rate; and what those say that wait."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from jobs import lease, limits, transitions
from jobs.admit import admit
from jobs.losses import give_back
from jobs.models import Pool, Worker
from jobs.round import next_due, work
from jobs.states import State
from jobs.trigger import run
from tests.factories import NOON, make_worker, reload, ticket_of
from tests.limited import SECOND, admitted, ask, end, end_all, limited_job, reasons, start

pytestmark = pytest.mark.django_db


def test_a_limited_run_is_born_waiting_and_gets_its_slot_from_the_next_round() -> None:
    job = limited_job(max_running=2)
    runs = ask(job, 5)
    assert {one.state for one in runs} == {State.WAITING}
    assert {one.reason for one in runs} == {"waits for a slot of the job (limit 2)"}
    assert admit(NOON) == 2
    assert admitted(runs) == runs[:2], "the one that was asked for first is the first"
    first = reload(runs[0])
    assert (first.state, first.reason, first.admitted_at) == (State.SCHEDULED, "", NOON)
    assert admit(NOON) == 0


def test_a_slot_is_free_when_its_run_has_ended_or_waits_for_another_attempt_or_is_held() -> None:
    job, worker = limited_job(max_running=3), make_worker()
    runs = ask(job, 9)
    assert admit(NOON) == 3
    start(worker, *runs[:2])
    end(runs[0])
    assert transitions.try_again(ticket_of(runs[1]), [State.RUNNING], 60, {}, NOON)
    assert transitions.hold(runs[2].pk, "by ann")
    assert reload(runs[1]).state == State.WAITING
    assert admit(NOON) == 3
    assert admitted(runs) == runs[3:6]


def test_a_retry_needs_a_slot_again_and_a_lost_message_keeps_it() -> None:
    job, worker = limited_job(max_running=1), make_worker()
    first, second = ask(job, 2)
    admit(NOON)
    start(worker, first)
    transitions.try_again(ticket_of(first), [State.RUNNING], 60, {}, NOON)
    assert admit(NOON) == 1
    assert admitted([first, second]) == [second]
    assert transitions.queue([ticket_of(second)], NOON, 30) == 1
    assert transitions.resend([second.pk], NOON) == 1
    assert admit(NOON + 2 * timedelta(minutes=1)) == 0
    transitions.cancel(second.pk, "by ann", NOON)
    assert admit(NOON + 2 * timedelta(minutes=1)) == 1
    assert reload(first).attempt == 2


@pytest.mark.parametrize("told", ["at a heartbeat after the cancel", "by its death"])
def test_a_cancelled_run_holds_its_slot_until_its_process_has_stopped_for_certain(told: str) -> None:
    job, worker = limited_job(max_running=1), make_worker()
    first, _ = ask(job, 2)
    admit(NOON)
    start(worker, first, now=NOON)
    lease.renew(worker.pk, 1, draining=False, now=NOON + 2 * SECOND, executing=[ticket_of(first)])
    transitions.cancel(first.pk, "by ann", NOON + 3 * SECOND)
    assert admit(NOON + 4 * SECOND) == 0
    lease.renew(worker.pk, 1, draining=False, now=NOON + 5 * SECOND, executing=[ticket_of(first)])
    assert admit(NOON + 6 * SECOND) == 0
    if told == "by its death":
        Worker.objects.all().delete()
    else:
        lease.renew(worker.pk, 0, draining=False, now=NOON + 7 * SECOND)
    assert admit(NOON + 8 * SECOND) == 1


def test_a_cancelled_run_of_which_its_worker_has_not_told_yet_holds_its_slot() -> None:
    job, worker = limited_job(max_running=1), make_worker()
    first, _ = ask(job, 2)
    admit(NOON)
    start(worker, first)
    transitions.cancel(first.pk, "by ann", NOON + SECOND)
    assert admit(NOON + SECOND) == 0
    lease.renew(worker.pk, 0, draining=False, now=NOON + 2 * SECOND)
    assert admit(NOON + 2 * SECOND) == 1


def test_a_pool_is_shared_by_its_jobs_and_a_change_of_its_slots_counts_at_once() -> None:
    pool = Pool.objects.create(name="erp", slots=3)
    jobs = [limited_job(pool=pool) for _ in range(2)]
    runs = [*ask(jobs[0], 5), *ask(jobs[1], 5)]
    assert admit(NOON) == 3
    Pool.objects.update(slots=5)
    assert admit(NOON) == 2
    Pool.objects.update(slots=0)
    end_all(runs)
    assert admit(NOON) == 0, "a pool without slots is stopped"
    assert reasons(*jobs) == {"waits for a slot in the pool erp (0)": 5}
    Pool.objects.update(slots=None)
    assert admit(NOON) == 5


def test_a_pool_a_job_and_a_key_limit_together() -> None:
    pool = Pool.objects.create(name="erp", slots=10)
    job = limited_job(
        pool=pool, max_running=4, key="tenant:{kwargs[tenant]}", key_limit=2, kwargs={"tenant": 0}, args=[]
    )
    other = limited_job(pool=pool)
    runs = [*ask(job, 5, tenant=1), *ask(job, 5, tenant=2), *ask(job, 5, tenant=3), *ask(other, 9)]
    assert admit(NOON) == 10
    held = admitted(runs)
    assert Counter(one.job_id for one in held) == {job.pk: 4, other.pk: 6}
    assert max(Counter(one.limit_key for one in held if one.job_id == job.pk).values()) <= 2


def test_the_rate_of_a_pool_holds_in_every_window_whatever_waits_to_start() -> None:
    pool = Pool.objects.create(name="api", rate=3, period=10)
    job, worker = limited_job(pool=pool), make_worker()
    runs = ask(job, 9)
    assert admit(NOON) == 3
    assert admit(NOON + 60 * SECOND) == 0, "three may start at any moment"
    start(worker, *runs[:2], now=NOON + 60 * SECOND)
    start(worker, runs[2], now=NOON + 65 * SECOND)
    end(*runs[:2], now=NOON + 66 * SECOND)
    assert admit(NOON + 69 * SECOND) == 0, "how long they run is no matter"
    assert admit(NOON + 70 * SECOND) == 2
    assert reasons(job) == {"waits for the rate of the pool api (3 in 10 s)": 4}


def test_each_attempt_counts_for_the_rate() -> None:
    pool = Pool.objects.create(name="api", rate=2, period=10)
    job, worker = limited_job(pool=pool), make_worker()
    first, _ = ask(job, 2)
    admit(NOON)
    start(worker, first)
    assert give_back(ticket_of(first), "it stops", NOON + SECOND)
    assert admit(NOON + SECOND) == 0, "one has started, and one may"
    assert admit(NOON + 10 * SECOND) == 1
    start(worker, first, now=NOON + 10 * SECOND)
    assert admit(NOON + 11 * SECOND) == 0


def test_a_waiting_run_says_what_it_waits_for_and_its_row_is_written_once() -> None:
    pool = Pool.objects.create(name="erp", slots=2)
    keyed = limited_job(pool=pool, key="tenant:{kwargs[tenant]}", key_limit=1, kwargs={"tenant": 0}, args=[])
    runs = ask(keyed, 3, tenant=7)
    assert {one.reason for one in runs} == {"waits for a slot in the pool erp (2)"}
    admit(NOON)
    assert reasons(keyed) == {"waits for the key tenant:7 (limit 1)": 2}
    assert limits.explain(NOON) == 0
    other = limited_job(pool=pool)
    ask(other, 2)
    admit(NOON)
    assert reasons(other) == {"waits for a slot in the pool erp (2)": 1}
    assert reasons(keyed) == {"waits for the key tenant:7 (limit 1)": 2}
    Pool.objects.update(circuit="open")
    assert reasons(other) == {"waits for the pool erp, which is paused by its circuit breaker": 1}
    assert limits.explain(NOON) == 0


def test_a_run_for_later_says_so_and_gets_no_slot_before() -> None:
    job = limited_job(max_running=1)
    later = run(job.pk, NOON, delay=timedelta(hours=1))
    assert (later.state, later.reason) == (State.WAITING, "waits for its time")
    assert admit(NOON) == 0
    assert limits.explain(NOON) == 0
    assert next_due(NOON) == NOON + timedelta(hours=1)
    assert admit(NOON + timedelta(hours=1)) == 1


def test_a_beat_looks_again_soon_while_runs_wait_for_slots() -> None:
    ask(limited_job(max_running=1), 2)
    admit(NOON)
    assert next_due(NOON) == NOON + 0.1 * SECOND


def test_a_round_sends_what_it_admits() -> None:
    sent: list[Any] = []
    ask(limited_job(max_running=2), 5)
    result = work(lambda: NOON, lambda: True, sent.extend)
    assert (result.admitted, result.sent, len(sent)) == (2, 2, 2)
