"""Who is next where slots are few: priorities, turns, circuits, and the line of a job."""

from collections import Counter
from datetime import timedelta

import pytest

from jobs import circuits, lease, transitions
from jobs.admit import admit
from jobs.models import Job, Pool, Run
from jobs.states import State
from jobs.tick import tick
from jobs.trigger import Request, run_many, run_now
from tests.factories import NOON, make_worker, planned_job, reload, ticket_of
from tests.limited import SECOND, admitted, ask, end, limited_job, start

pytestmark = pytest.mark.django_db


def test_a_thousand_blocked_runs_hide_nobody() -> None:
    pool = Pool.objects.create(name="erp", slots=20)
    full = limited_job(pool=pool, max_running=1, priority=0)
    keyed = limited_job(pool=pool, key="{kwargs[tenant]}", key_limit=1, kwargs={"tenant": 0}, args=[], priority=0)
    late = limited_job(pool=pool, priority=9)
    ask(full, 600), ask(keyed, 600, tenant=1)
    last = [*ask(late, 1), *ask(keyed, 1, tenant=2)]
    assert admit(NOON) == 4
    assert admitted(last) == last


def test_the_more_urgent_job_first_until_the_other_has_waited_long_enough() -> None:
    pool = Pool.objects.create(name="erp", slots=1, ageing=60)
    urgent, patient = limited_job(pool=pool, priority=3), limited_job(pool=pool, priority=5)
    worker = make_worker()
    waiting, runs = run_now(patient.pk, NOON - SECOND), ask(urgent, 9)
    served = []
    for minute in range(5):
        now = NOON + minute * timedelta(minutes=1)
        lease.renew(worker.pk, 0, draining=False, now=now)
        admit(now)
        (held,) = admitted([waiting, *runs])
        served.append(held.job_id)
        start(worker, held, now=now)
        end(held, now=now + 59 * SECOND)
    assert served == [urgent.pk, urgent.pk, patient.pk, urgent.pk, urgent.pk]


def test_a_tenants_thousand_old_runs_do_not_stand_before_anothers_three() -> None:
    pool = Pool.objects.create(name="erp", slots=2, ageing=60)
    job = limited_job(pool=pool, key="tenant:{kwargs[tenant]}", kwargs={"tenant": 0}, args=[])
    worker = make_worker(NOON)
    many = ask(job, 1000, tenant="big")
    now = NOON + timedelta(hours=5)
    lease.renew(worker.pk, 0, draining=False, now=now)
    admit(now)
    start(worker, *admitted(many), now=now)
    few = run_many(job.pk, [Request(kwargs={"tenant": "small"})] * 3, now + SECOND)
    served = []
    for second in range(2, 8):
        now += second * SECOND
        running = list(Run.objects.filter(state=State.RUNNING).order_by("started_at", "id"))
        end(running[0], now=now)
        assert admit(now) == 1
        (held,) = Run.objects.filter(state=State.SCHEDULED)
        served.append(held.limit_key)
        start(worker, held, now=now)
    assert served[:5].count("tenant:small") == 3
    assert all(reload(one).state != State.WAITING for one in few)


def test_turns_are_taken_by_keys_of_a_job_without_a_pool() -> None:
    job = limited_job(max_running=4, key="{kwargs[tenant]}", kwargs={"tenant": 0}, args=[])
    runs = [*ask(job, 9, tenant=1), *ask(job, 9, tenant=2)]
    assert admit(NOON) == 4
    assert Counter(one.limit_key for one in admitted(runs)) == {"1": 2, "2": 2}


def test_an_open_circuit_admits_nobody_and_a_half_open_one_a_single_probe() -> None:
    pool = Pool.objects.create(name="erp", slots=5, breaker_failures=3, circuit="open", circuit_changed_at=NOON)
    job, worker = limited_job(pool=pool), make_worker()
    runs = ask(job, 5)
    assert {one.reason for one in runs} == {"waits for the pool erp, which is paused by its circuit breaker"}
    assert admit(NOON) == 0
    circuits.probe(pool, None, NOON)
    assert admit(NOON) == 1
    pool.refresh_from_db()
    assert pool.circuit_probe == admitted(runs)[0].pk == runs[0].pk
    assert admit(NOON) == 0
    start(worker, runs[0])
    assert transitions.try_again(ticket_of(runs[0]), [State.RUNNING], 10, {}, NOON)
    assert admit(NOON) == 0, "its probe waits for another attempt"
    assert admit(NOON + 10 * SECOND) == 1
    assert admitted(runs) == runs[:1]
    circuits.close(pool, "the probe succeeded", NOON)
    assert admit(NOON + 10 * SECOND) == 4


def test_the_line_holds_too() -> None:
    job, worker = limited_job(overlap="queue_all", max_running=3), make_worker()
    first, second = ask(job, 2)
    assert admit(NOON) == 1
    start(worker, first)
    assert admit(NOON) == 0
    assert reload(second).reason == f"waits for the run {first.pk} to end"
    end(first)
    assert admit(NOON) == 1


def test_a_run_between_two_attempts_keeps_its_place_in_the_line_though_it_has_no_slot() -> None:
    job, worker = limited_job(overlap="skip", max_running=1), make_worker()
    first = run_now(job.pk, NOON)
    admit(NOON)
    start(worker, first)
    transitions.try_again(ticket_of(first), [State.RUNNING], 60, {}, NOON)
    skipped = run_now(job.pk, NOON + SECOND)
    assert (skipped.state, skipped.reason) == (State.SKIPPED, f"the earlier run {first.pk} had not ended")
    Job.objects.filter(pk=job.pk).update(overlap="queue_all")
    run_now(job.pk, NOON + SECOND)
    assert admit(NOON + 2 * SECOND) == 0
    assert admit(NOON + 60 * SECOND) == 1
    assert reload(first).state == State.SCHEDULED


def test_shards_of_a_tick_get_slots_as_there_are_and_the_line_waits_for_all() -> None:
    job, worker = planned_job(overlap="queue_all", max_running=2, fan_out="shards", shards=3), make_worker()
    tick(NOON)
    tick(NOON + timedelta(minutes=1))
    now = NOON + timedelta(minutes=1)
    lease.renew(worker.pk, 0, draining=False, now=now)
    assert admit(now) == 2
    shards = list(Run.objects.filter(job=job, scheduled_for=NOON).order_by("shard"))
    first, second = admitted(shards)
    start(worker, first, now=now)
    end(first, now=now)
    assert admit(now) == 1
    assert first not in admitted(shards)
    assert second in admitted(shards)
