"""Doubled messages and late answers: who holds one message of an attempt does not speak for who executes it."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Ignore

from jobs.broker import WORKER
from jobs.losses import Teller, lose
from jobs.models import Attempt
from jobs.states import State
from jobs.tasks import _Body
from jobs.worker.lease_clock import LEASE_CLOCK
from jobs.worker.news import GivenBack, Lost, News, TimedOut, UnknownTask
from jobs.worker.pool import teller_of
from tests.factories import NOON, queued_run, reload, running_run, ticket_of

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)
TOLD = ["lost", "given back", "timed out", "unknown task"]


def news_of(ticket: Any, by: Teller) -> dict[str, News]:
    news = (Lost(ticket, "x", by), GivenBack(ticket, "w", by), TimedOut(ticket, "x", by), UnknownTask(ticket, "w", by))
    return dict(zip(TOLD, news, strict=True))


@pytest.mark.parametrize("told", TOLD)
def test_what_another_worker_tells_of_a_doubled_message_does_not_end_the_attempt(told: str) -> None:
    run, claim = running_run()
    news_of(claim.ticket, Teller(uuid4(), claim.claimant.pid))[told].write()
    assert (reload(run).state, reload(run).attempt) == (State.RUNNING, 1)
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("told", TOLD)
def test_the_end_of_another_process_of_the_same_worker_does_not_end_the_attempt(told: str) -> None:
    run, claim = running_run()
    news_of(claim.ticket, Teller(claim.claimant.worker_id, claim.claimant.pid + 1))[told].write()
    assert (reload(run).state, reload(run).attempt) == (State.RUNNING, 1)


@pytest.mark.parametrize("told", TOLD)
def test_the_end_of_the_process_that_executes_it_ends_the_attempt(told: str) -> None:
    run, claim = running_run(retry_policy="immediate")
    news_of(claim.ticket, Teller(claim.claimant.worker_id, claim.claimant.pid))[told].write()
    assert (reload(run).state, reload(run).attempt) == (State.SCHEDULED, 2)


def test_a_worker_whose_process_is_not_known_speaks_for_its_own_attempts() -> None:
    run, claim = running_run()
    assert lose(claim.ticket, "x", LATER, by=Teller(claim.claimant.worker_id))
    assert reload(run).attempt == 2


def test_anybody_who_had_the_message_speaks_for_a_run_that_nobody_executes() -> None:
    run = queued_run()
    assert lose(ticket_of(run), "x", LATER, by=Teller(uuid4(), 1))
    assert reload(run).attempt == 2


def test_a_request_tells_who_executes_it() -> None:
    worker_id = uuid4()
    request: Any = SimpleNamespace(request_dict={WORKER: str(worker_id)}, worker_pid=4712)
    assert teller_of(request) == Teller(worker_id, 4712)
    assert teller_of(SimpleNamespace(request_dict={}, worker_pid=4712)) is None  # type: ignore[arg-type]


@pytest.fixture
def _over() -> Iterator[None]:
    LEASE_CLOCK.stop_at(0)
    yield
    LEASE_CLOCK.stop_at(float("inf"))


@pytest.mark.usefixtures("_over")
def test_a_claim_that_is_heard_of_after_the_lease_has_ended_begins_nothing() -> None:
    def run_it() -> None:
        pytest.fail("the task was begun")

    run, claim = running_run()
    task: Any = SimpleNamespace(run=run_it, request=SimpleNamespace(update=lambda **_: None), name="probe.add")
    with pytest.raises(Ignore):
        _Body(task)(claim)
    assert reload(run).state == State.RUNNING
