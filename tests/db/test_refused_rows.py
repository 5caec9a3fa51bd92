"""One row that the database or the broker refuses never stops the others."""

from collections.abc import Sequence

import pytest
from django.db import connection

from jobs.dispatch import Message, dispatch
from jobs.exceptions import BrokerUnavailable
from jobs.models import Job, Run
from jobs.rescue import rescue
from jobs.states import State
from jobs.tick import tick
from tests.factories import NOON, make_worker, planned_job, queued_run, reload, running_run, scheduled_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def refusing() -> None:
    """The database refuses every run of the job named `bad`, as a constraint of the user's own might."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE jobs_run ADD CONSTRAINT no_bad CHECK (task <> 'bad' OR state <> 'scheduled')")


def test_a_tick_that_the_database_refuses_sets_its_job_aside(refusing: None, caplog: pytest.LogCaptureFixture) -> None:
    good = [planned_job(NOON) for _ in range(3)]
    bad = planned_job(NOON, task="bad", args=["a secret"])
    result = tick(NOON)
    assert (result.fired, result.set_aside) == (3, 1)
    assert set(Run.objects.values_list("job_id", flat=True)) == {job.pk for job in good}
    bad.refresh_from_db()
    assert bad.error == 'IntegrityError: new row for relation "jobs_run" violates check constraint "no_bad"'
    assert "secret" not in caplog.text
    assert bad.next_run_at is None
    assert not Job.objects.due(NOON).exists()


def test_a_message_that_cannot_be_made_fails_its_run_and_the_others_go() -> None:
    good = [scheduled_run() for _ in range(3)]
    bad = scheduled_run(task="bad")
    sent: list[Message] = []

    def publish(messages: Sequence[Message]) -> None:
        if any(message.task == "bad" for message in messages):
            raise TypeError("not JSON")
        sent.extend(messages)

    assert dispatch(NOON, publish).sent == 3
    assert {message.ticket.run_id for message in sent} == {run.pk for run in good}
    assert {reload(run).state for run in good} == {State.QUEUED}
    failed = reload(bad)
    assert (failed.state, failed.error) == (State.FAILED, "TypeError: not JSON")


def test_a_broker_that_goes_away_meanwhile_fails_no_run() -> None:
    runs = [scheduled_run(), scheduled_run(task="bad")]

    def publish(messages: Sequence[Message]) -> None:
        if len(messages) > 1:
            raise TypeError("not JSON")
        raise BrokerUnavailable("gone")

    with pytest.raises(BrokerUnavailable):
        dispatch(NOON, publish)
    assert {reload(run).state for run in runs} == {State.SCHEDULED}


def test_a_run_that_cannot_be_rescued_leaves_the_others_to_be(refusing: None) -> None:
    worker = make_worker()
    good, _ = running_run(worker=worker)
    queued_run()
    bad, _ = running_run(worker=worker)
    Run.objects.filter(pk=bad.pk).update(task="bad")
    later = reload(good).started_at
    assert later is not None
    result = rescue(worker.lease_until.replace(year=2027), lambda queues: dict.fromkeys(queues, 10))
    assert result.lost == 1
    assert reload(good).state == State.SCHEDULED
    assert reload(bad).state == State.RUNNING
