"""Arguments with the tick in them, from the job's form to what the task is called with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Retry
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs import transitions
from jobs.births import Birth, insert, new_run_id
from jobs.broker import ATTEMPT, WORKER, WORKER_NAME
from jobs.current import current_run, executing
from jobs.execute import filled_in
from jobs.models import Attempt, Job, Run
from jobs.policies.templates import PLACEHOLDERS, TemplateError
from jobs.states import State, Trigger
from jobs.tasks import JobTask
from tests import probes
from tests.db.admin_site import JOB_FORM, page
from tests.factories import NOON, claimant_of, make_job, make_worker, planned_job, queued_run, reload, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)

TICK = datetime(2026, 6, 30, 23, 0, tzinfo=UTC)
"""02:00 of 1 July in Riga."""


def nightly(**fields: Any) -> Job:
    """A templated job at 02:00 in Riga, which the beat has planned."""
    fields = {"schedule": "0 2 * * *", "timezone": "Europe/Riga", "templated": True, "args": []} | fields
    return planned_job(TICK + timedelta(days=1), **fields)


def tick_of(job: Job) -> Run:
    """The run of the tick, sent."""
    birth = Birth(new_run_id(NOON), job.pk, TICK)
    insert([birth], NOON)
    assert transitions.queue([transitions.Ticket(birth.id, 1)], NOON, patience=30) == 1
    return reload(birth.id)


def claimed(run: Run) -> transitions.Claim:
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(make_worker()), 40, now=NOON)
    assert claim is not None
    return claim


def deliver(task: Any, run: Run) -> Any:
    """Execute the run's task as a worker's pool process does for the run's message."""
    assert isinstance(task, JobTask)
    worker = make_worker(datetime.now(UTC))
    attempt = {ATTEMPT: run.attempt, WORKER: str(worker.pk), WORKER_NAME: worker.name}
    task.push_request(id=str(run.pk), called_directly=False, **attempt)
    try:
        return task()
    finally:
        task.pop_request()


def test_the_claim_knows_what_the_templates_tell_and_asks_nothing_more() -> None:
    run = tick_of(nightly(name="sales", args=["{previous:%d} {scheduled_for}"], kwargs={"to": ["{job}/{run}/{shard}"]}))
    worker = make_worker()
    with CaptureQueriesContext(connection) as captured:
        claim = transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=NOON)
        assert claim is not None
        ready = filled_in(claim)
    assert len(captured) == 1
    assert ready.args == ["30 2026-07-01T02:00:00+03:00"]
    assert ready.kwargs == {"to": [f"sales/{run.pk}/0"]}
    assert reload(run).args == ["{previous:%d} {scheduled_for}"]


def test_the_arguments_of_a_job_that_is_not_templated_are_the_row_s_own() -> None:
    claim = claimed(tick_of(nightly(templated=False, args=["{yesterday}"])))
    assert filled_in(claim) is claim


def test_the_previous_tick_is_that_of_the_schedule_by_which_the_beat_goes() -> None:
    job = nightly(args=["{previous:%H:%M}"])
    run = tick_of(job)
    job.schedule = "0 5 * * *"
    job.save()
    assert filled_in(claimed(run)).args == ["02:00"]


def test_a_job_that_was_never_planned_goes_by_its_schedule_as_written() -> None:
    claim = claimed(queued_run(TICK, templated=True, args=["{interval_start}"], schedule="@hourly", timezone="UTC"))
    assert filled_in(claim).args == ["2026-06-30T22:00:00+00:00"]


def test_the_task_is_called_with_and_sees_what_was_filled_in() -> None:
    run = tick_of(nightly(task="probe.arguments", args=["{scheduled_for:%Y-%m-%d}"], kwargs={"n": "{attempt}"}))
    deliver(probes.arguments, run)
    run = reload(run)
    assert run.state == State.SUCCEEDED
    assert run.result == [["2026-07-01"], {"n": "1"}]


def test_each_attempt_is_filled_in_with_its_own_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITNESS", str(tmp_path / "witness"))
    run = tick_of(nightly(task="probe.fail", args=["attempt {attempt}"], retry_policy="immediate", max_retries=2))
    for number in (1, 2):
        with pytest.raises(Retry):
            deliver(probes.fail, reload(run))
        assert reload(run).attempt == number + 1
    told = Attempt.objects.order_by("number").values_list("error", flat=True)
    assert list(told) == ["ValueError: attempt 1", "ValueError: attempt 2"]


def test_a_template_that_cannot_be_filled_in_fails_the_run_without_a_retry() -> None:
    run = tick_of(nightly(task="probe.fail", kwargs={"message": "{yesterday}"}, retry_policy="immediate"))
    with pytest.raises(TemplateError, match="yesterday"):
        deliver(probes.fail, run)
    run = reload(run)
    assert (run.state, run.attempt, run.reason) == (State.FAILED, 1, "it would fail again")
    assert run.error.startswith(
        'the arguments cannot be filled in: kwargs["message"]: unknown placeholder "{yesterday}"; known are '
    )
    assert Attempt.objects.count() == 1


def test_what_a_task_asks_to_be_called_with_next_is_taken_as_it_is() -> None:
    run = tick_of(nightly(task="probe.ask_again", args=["{attempt}"]))
    with pytest.raises(Retry):
        deliver(probes.ask_again, run)
    deliver(probes.ask_again, reload(run))
    assert reload(run).result == ["{attempt} of {", {"{k}": ["}"]}]


def test_a_task_is_told_the_previous_tick_without_a_question() -> None:
    claim = claimed(tick_of(nightly(templated=False)))
    assert current_run().previous is None
    with executing(claim), CaptureQueriesContext(connection) as captured:
        assert current_run().previous == TICK - timedelta(days=1)
        assert str(current_run().previous).endswith("+00:00")
    assert len(captured) == 0


def test_the_first_tick_ever_has_no_previous_one() -> None:
    job = make_job(schedule="@at 2026-07-01T12:00", timezone="UTC")
    insert([Birth(new_run_id(NOON), job.pk, NOON, trigger=Trigger.MANUAL)], NOON)
    with executing(claimed(Run.objects.get())):
        assert current_run().previous is None


def errors_of(**fields: Any) -> dict[str, list[str]]:
    job = Job(name="new", task="probe.add", schedule="0 2 * * *", timezone="Europe/Riga", templated=True)
    for name, value in fields.items():
        setattr(job, name, value)
    try:
        job.full_clean()
    except ValidationError as error:
        return error.message_dict
    return {}


def test_the_form_refuses_a_wrong_template_on_its_field(admin_client: Client) -> None:
    form = JOB_FORM | {"kwargs": '{"day": "{yesterday}"}'}
    address = reverse("admin:jobs_job_add")
    answer: Any = admin_client.post(address, form | {"templated": "on"})
    (told,) = answer.context["adminform"].form.errors["kwargs"]
    assert told.startswith('kwargs["day"]: unknown placeholder "{yesterday}"; known are {scheduled_for}, ')
    assert not Job.objects.exists()


@pytest.mark.parametrize("templated", [True, False])
def test_the_page_of_a_run_says_that_its_arguments_are_a_template(admin_client: Client, templated: bool) -> None:
    run = tick_of(nightly(templated=templated, args=["{attempt}"]))
    html = page(admin_client, "admin:jobs_run_change", run.pk)
    assert "{attempt}" in html
    assert ("A template, filled in when an attempt starts." in html) is templated


def test_a_sound_template_is_saved() -> None:
    assert errors_of(args=["{scheduled_for:%Y-%m-%d}", 1], kwargs={"a": {"b": ["{run}-{shard:02d} {{}}"]}}) == {}


def test_every_placeholder_is_sound_for_an_ordinary_schedule() -> None:
    assert errors_of(args=[f"{{{name}}}" for name in PLACEHOLDERS]) == {}


def test_a_template_that_is_wrong_is_refused_on_its_field_with_its_place() -> None:
    errors = errors_of(args=[{"x": "{job.__class__}"}], kwargs={"day": "{yesterday}"})
    assert set(errors) == {"args", "kwargs"}
    assert errors["args"][0].startswith(
        'args[0]["x"]: unknown placeholder "{job.__class__}"; known are {scheduled_for}, '
    )
    assert errors["kwargs"][0].startswith(
        'kwargs["day"]: unknown placeholder "{yesterday}"; known are {scheduled_for}, '
    )


def test_what_the_next_tick_could_not_fill_in_is_refused() -> None:
    (refused,) = errors_of(schedule="@at 2090-07-01T02:00", args=["{previous}"])["args"]
    assert refused == ('args[0]: placeholder "{previous}": the schedule has no tick before 2090-07-01T02:00:00+03:00')
    assert errors_of(schedule="0 0 9 1 1 ? 2090-2092", args=["{previous}"])["args"]
    later = datetime(2091, 1, 1, tzinfo=UTC)
    assert errors_of(schedule="0 0 9 1 1 ? 2090-2092", args=["{previous}"], starts_at=later) == {}


def test_a_schedule_whose_ticks_are_over_is_tried_as_by_hand() -> None:
    assert errors_of(schedule="@at 2020-07-01T02:00", args=["{previous} {scheduled_for}"]) == {}


def test_a_wrong_schedule_is_told_alone() -> None:
    assert set(errors_of(schedule="99 * * * *", args=["{yesterday}"])) == {"schedule"}


def test_braces_are_nothing_special_where_arguments_are_no_templates() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert errors_of(templated=False, args=["{yesterday}", "{"]) == {}
    assert not any("clock_timestamp" in query["sql"] for query in captured.captured_queries)
