"""The lease: one row says that a worker, and all it executes, is alive."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from jobs import transitions
from jobs.lease import Registration, executing, ownership, register, renew, retire
from jobs.models import Worker
from jobs.rescue import bury_workers
from jobs.states import State
from jobs.transitions import Ticket
from tests.factories import NOON, claimant_of, make_worker, queued_run, reload, running_run, ticket_of

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def test_a_worker_registers_with_what_it_tells_and_a_fresh_lease(settings: Settings) -> None:
    settings.CARILLON = {"LEASE": 20}
    worker_id = register(Registration("w@h", "h", 7, "threads", 4, ["a", "b"], ["t.x", "t.y"], "celery 5"), NOON)
    worker = Worker.objects.get()
    assert worker.pk == worker_id
    assert (worker.name, worker.host, worker.pid, worker.pool, worker.concurrency) == ("w@h", "h", 7, "threads", 4)
    assert (worker.queues, worker.tasks, worker.version) == (["a", "b"], ["t.x", "t.y"], "celery 5")
    assert (worker.started_at, worker.heartbeat_at, worker.lease_until) == (NOON, NOON, NOON + 20 * SECOND)
    assert (worker.running, worker.draining) == (0, False)


def test_without_a_moment_the_lease_is_by_the_database_s_clock() -> None:
    worker = Worker.objects.get(pk=register(Registration("w@h", "h", 7, "solo", 1, [], [], "celery")))
    assert worker.lease_until - worker.heartbeat_at == 15 * SECOND
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - %s", [worker.heartbeat_at])
        (age,) = cursor.fetchone()
    assert timedelta(0) <= age < 60 * SECOND


def test_a_worker_that_registers_twice_is_a_new_one() -> None:
    assert make_worker().pk != make_worker().pk


def test_a_renewal_is_one_statement_and_covers_whatever_the_worker_runs() -> None:
    worker = make_worker()
    for _ in range(3):
        running_run(worker=worker)
    with CaptureQueriesContext(connection) as captured:
        assert renew(worker.pk, running=3, draining=True, now=NOON + 5 * SECOND)
    assert len(captured) == 1
    worker.refresh_from_db()
    assert (worker.heartbeat_at, worker.lease_until) == (NOON + 5 * SECOND, NOON + 20 * SECOND)
    assert (worker.running, worker.draining) == (3, True)


def test_a_worker_that_was_declared_dead_learns_so_at_its_next_renewal() -> None:
    worker = make_worker()
    bury_workers(NOON + 16 * SECOND)
    assert not renew(worker.pk, running=0, draining=False, now=NOON + 17 * SECOND)
    assert not Worker.objects.exists()


def test_a_renewal_of_one_worker_leaves_the_others_alone() -> None:
    one, other = make_worker(), make_worker()
    renew(one.pk, running=0, draining=False, now=NOON + 5 * SECOND)
    other.refresh_from_db()
    assert other.lease_until == NOON + 15 * SECOND


def test_a_worker_that_stops_takes_its_row_away() -> None:
    worker, other = make_worker(), make_worker()
    retire(worker.pk)
    assert list(Worker.objects.all()) == [other]
    retire(worker.pk)


def test_what_a_worker_executes_is_what_the_ledger_has_running_on_it() -> None:
    worker = make_worker()
    (mine, _), _ = running_run(worker=worker), running_run()
    queued_run()
    assert executing(worker.pk) == [ticket_of(mine)]


def test_a_worker_in_agreement_with_the_ledger_has_nothing_to_do() -> None:
    worker = make_worker()
    _run, claim = running_run(worker=worker)
    found = ownership(worker.pk, [claim.ticket])
    assert (found.cancelled, found.gone, found.unknown_here) == (frozenset(), frozenset(), frozenset())


def test_a_cancelled_run_and_one_that_was_removed_are_to_be_killed() -> None:
    worker = make_worker()
    run, claim = running_run(worker=worker)
    transitions.cancel(run.pk, "cancelled by someone")
    removed = Ticket(uuid4(), 1)
    assert ownership(worker.pk, [claim.ticket, removed]).cancelled == {claim.ticket, removed}


def test_an_attempt_that_was_given_to_another_is_gone() -> None:
    worker = make_worker()
    run, claim = running_run(worker=worker)
    transitions.try_again(claim.ticket, [State.RUNNING], 0, {}, NOON)
    assert ownership(worker.pk, [claim.ticket]).gone == {claim.ticket}
    other = make_worker(name="other@test")
    assert transitions.claim(ticket_of(reload(run)), run.task, claimant_of(other), 40, now=NOON)
    assert ownership(worker.pk, [claim.ticket]).gone == {claim.ticket}


def test_the_same_attempt_on_another_worker_is_gone_here() -> None:
    _elsewhere, claim = running_run(worker=make_worker(name="other@test"))
    assert ownership(make_worker().pk, [claim.ticket]).gone == {claim.ticket}


def test_what_the_ledger_has_here_and_no_process_executes_is_told() -> None:
    worker = make_worker()
    _run, claim = running_run(worker=worker)
    assert ownership(worker.pk, []).unknown_here == {claim.ticket}


def test_an_attempt_that_has_just_finished_here_is_neither_killed_nor_gone() -> None:
    worker = make_worker()
    _, claim = running_run(worker=worker)
    transitions.succeed(claim.ticket, {}, NOON)
    found = ownership(worker.pk, [claim.ticket])
    assert (found.cancelled, found.gone) == (frozenset(), frozenset())
