"""The pages of jobs: the list, its filters, the form, what it refuses, and deletion."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs import transitions
from jobs.admin.masking import looks_secret, masked
from jobs.clock import database_now
from jobs.models import Attempt, Job, Run, Worker
from jobs.models.attempt import Outcome
from jobs.states import State
from tests.db.admin_site import JOB_FORM, JOBS, client_with, page, told
from tests.factories import NOON, make_job, make_worker, planned_job, reload, running_run, scheduled_run

pytestmark = pytest.mark.django_db


def add(client: Client, **fields: str) -> dict[str, list[str]]:
    """Send the form of a new job; the errors by field, none when it was saved."""
    return _sent(client, reverse("admin:jobs_job_add"), fields)


def change(client: Client, job: Job, **fields: str) -> dict[str, list[str]]:
    return _sent(client, reverse("admin:jobs_job_change", args=[job.pk]), fields)


def _sent(client: Client, address: str, fields: dict[str, str]) -> dict[str, list[str]]:
    answer: Any = client.post(address, JOB_FORM | fields)
    return {} if answer.status_code == 302 else dict(answer.context["adminform"].form.errors)


def finished(job: Job, minutes_ago: int, *, failed: bool = False) -> Run:
    """A run of the job that has ended."""
    when = database_now() - timedelta(minutes=minutes_ago)
    run, claim = running_run(when, job)
    if failed:
        assert transitions.fail(claim.ticket, [State.RUNNING], {"error": "it broke", "reason": "given up"}, when)
    else:
        assert transitions.succeed(claim.ticket, {}, when)
    return reload(run)


def test_the_list_tells_state_schedule_next_run_and_results(admin_client: Client) -> None:
    job = planned_job(datetime(2030, 1, 1, tzinfo=UTC), name="nightly", schedule="0 2 * * *", timezone="Europe/Riga")
    finished(job, 30, failed=True)
    last = finished(job, 20)
    html = page(admin_client, JOBS)
    assert "Enabled" in html
    assert "At 02:00 every day" in html
    assert "<code>0 2 * * *</code> Europe/Riga" in html
    assert "2030-01-01 02:00:00" in html
    assert reverse("admin:jobs_run_change", args=[last.pk]) in html
    assert "20 min ago" in html
    assert "50 %" in html
    assert "1 of 2 succeeded" in html


def test_the_state_is_told_with_its_error(admin_client: Client) -> None:
    make_job(name="new one")
    planned_job(name="paused one", enabled=False)
    Job.objects.filter(pk=planned_job(name="broken").pk).update(error="minute: 61 is not in 0-59", next_run_at=None)
    Job.objects.filter(pk=planned_job(name="over").pk).update(next_run_at=None)
    html = page(admin_client, JOBS)
    for told_once in (
        "Planning",
        "Paused</span>",
        "Set aside</span>",
        "minute: 61 is not in 0-59",
        "No ticks left</span>",
    ):
        assert told_once in html


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"condition": "set-aside"}, {"broken"}),
        ({"condition": "paused"}, {"paused one"}),
        ({"condition": "enabled"}, {"good one", "reporting"}),
        ({"queue": "reports"}, {"reporting"}),
        ({"overlap": "allow"}, {"paused one"}),
        ({"q": "one"}, {"paused one", "good one"}),
        ({"q": "sleep"}, {"reporting"}),
    ],
)
def test_filters_and_search(admin_client: Client, query: dict[str, str], names: set[str]) -> None:
    make_job(name="good one")
    make_job(name="paused one", enabled=False, overlap="allow")
    make_job(name="reporting", queue="reports", task="probe.sleep")
    Job.objects.filter(pk=make_job(name="broken").pk).update(error="bad")
    answer: Any = admin_client.get(reverse(JOBS), query)
    assert {job.name for job in answer.context["cl"].result_list} == names


def test_html_in_a_name_or_an_error_is_escaped(admin_client: Client) -> None:
    job = make_job(name="<script>alert(1)</script>", task="<script>alert(2)</script>", kwargs={"x": "<script>alert(3)"})
    Job.objects.filter(pk=job.pk).update(error="<script>alert(4)</script>", timezone="<script>alert(5)")
    sees = client_with("view_job")
    for client in (admin_client, sees):
        assert "<script>alert" not in page(client, JOBS)
        assert "<script>alert" not in page(client, "admin:jobs_job_change", job.pk)


def test_a_saved_job_is_marked_for_planning(admin_client: Client) -> None:
    assert add(admin_client) == {}
    job = Job.objects.get(name="nightly")
    assert (job.args, job.kwargs, job.planned, job.timezone) == ([1, 2], {}, False, "Europe/Riga")


def test_saving_does_not_write_back_what_the_beat_has_done_meanwhile(admin_client: Client) -> None:
    job = planned_job(name="nightly", schedule="0 2 * * *", timezone="Europe/Riga")
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON + timedelta(days=5), planned=True)
    assert change(admin_client, job, description="Only words.") == {}
    job.refresh_from_db()
    assert (job.next_run_at, job.planned, job.description) == (NOON + timedelta(days=5), True, "Only words.")
    assert change(admin_client, job, schedule="0 3 * * *") == {}
    job.refresh_from_db()
    assert (job.next_run_at, job.planned) == (NOON + timedelta(days=5), False)


def test_an_unknown_task_is_saved_with_a_warning(admin_client: Client) -> None:
    assert add(admin_client, task="elsewhere.task") == {}
    assert "No task named elsewhere.task is known here or to a live worker" in told(admin_client)
    make_worker()
    Worker.objects.update(tasks=["elsewhere.other"])
    assert add(admin_client, name="second", task="elsewhere.other") == {}
    assert "No task named" not in told(admin_client)


def test_the_tasks_of_the_site_and_of_workers_are_suggested(admin_client: Client) -> None:
    make_worker()
    Worker.objects.update(tasks=["elsewhere.other", "celery.chord"])
    html = page(admin_client, "admin:jobs_job_add")
    assert '<option value="elsewhere.other">' in html
    assert '<option value="examples.report_runs">' in html
    assert '<option value="celery.' not in html
    assert '<option value="Europe/Riga">' in html


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("args", "[1,", "Line 1, column 4"),
        ("args", "[1]\n[2]", "Line 2, column 1"),
        ("args", "['a']", "double quotes"),
        ("args", '{"a": 1}', "must be a JSON list"),
        ("args", "null", "must be a JSON list"),
        ("args", "[NaN]", "NaN is not JSON"),
        ("args", "[1e999]", "Infinity"),
        ("args", "[" * 100_000, "nested deeper"),
        ("args", "[" * 200 + "]" * 200, "nested deeper"),
        ("args", "[" + "9" * 5000 + "]", "digits"),
        ("args", '["\\ud800"]', "surrogate"),
        ("args", '["\\u0000"]', "NUL"),
        ("kwargs", "[]", "must be a JSON object"),
        ("kwargs", '{"a" 1}', "Line 1, column 6"),
        ("schedule", "0 25 * * *", "hour"),
        ("timezone", "Mars/Olympus", "Mars/Olympus"),
        ("starts_at", "soon", "write it as 2027-01-31 09:00"),
        ("ends_at", "99999-01-01", "write it as"),
        ("ends_at", "9999-12-31 23:59", "1970-2199"),
        ("max_retries", "-1", "greater than or equal to 0"),
        ("timeout", "99999999999999999999", "less than or equal to"),
        ("name", "a\x00b", "Null characters"),
    ],
)
def test_bad_input_is_refused_at_its_field(admin_client: Client, field: str, text: str, words: str) -> None:
    errors = add(admin_client, **{field: text})
    assert list(errors) == [field]
    assert words in " ".join(errors[field])
    assert not Job.objects.exists()


def test_empty_arguments_are_empty(admin_client: Client) -> None:
    assert add(admin_client, args="", kwargs=" ") == {}
    assert (Job.objects.get().args, Job.objects.get().kwargs) == ([], {})


def test_bounds_are_in_the_jobs_own_zone(admin_client: Client) -> None:
    assert add(admin_client, starts_at="2026-12-01 00:00", ends_at="2026-12-31T12:00:00Z") == {}
    job = Job.objects.get()
    assert job.starts_at == datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    assert job.ends_at == datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
    assert 'value="2026-12-01 00:00:00"' in page(admin_client, "admin:jobs_job_change", job.pk)


def test_a_bound_in_a_repeated_hour_stays_where_it_was(admin_client: Client) -> None:
    second_half_past_three = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    job = make_job(name="nightly", timezone="Europe/Riga", starts_at=second_half_past_three)
    assert change(admin_client, job, starts_at="2026-10-25 03:30:00", description="new words") == {}
    job.refresh_from_db()
    assert (job.starts_at, job.description) == (second_half_past_three, "new words")


def test_who_may_only_look_sees_no_secrets_and_cannot_save() -> None:
    job = make_job(kwargs={"password": "hunter2", "days": 7})
    client = client_with("view_job")
    html = page(client, "admin:jobs_job_change", job.pk)
    assert "hunter2" not in html
    assert "&quot;days&quot;: 7" in html
    assert client.post(reverse("admin:jobs_job_change", args=[job.pk]), JOB_FORM).status_code == 403
    assert client.post(reverse("admin:jobs_job_add"), JOB_FORM).status_code == 403


def test_a_job_is_deleted_with_its_runs_and_only_those() -> None:
    doomed, other = make_job(name="doomed"), scheduled_run()
    run = finished(doomed, 5, failed=True)
    Attempt.objects.create(run=run, number=1, outcome=Outcome.FAILED, finished_at=NOON)
    client = client_with("view_job", "delete_job")
    address = reverse("admin:jobs_job_delete", args=[doomed.pk])
    html = client.get(address).content.decode()
    assert "Runs: 1" in html
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert list(Run.objects.values_list("pk", flat=True)) == [other.pk]
    assert list(Job.objects.values_list("pk", flat=True)) == [other.job_id]
    assert not Attempt.objects.exists()


def test_jobs_are_deleted_by_the_action() -> None:
    jobs = [scheduled_run().job for _ in range(2)]
    client = client_with("view_job", "delete_job")
    chosen = {"action": "delete_selected", "_selected_action": [str(job.pk) for job in jobs]}
    assert "Runs: 2" in client.post(reverse(JOBS), chosen).content.decode()
    client.post(reverse(JOBS), chosen | {"post": "yes"})
    assert not Job.objects.exists()
    assert not Run.objects.exists()


def test_the_application_is_called_carillon(admin_client: Client) -> None:
    assert "Carillon" in page(admin_client, "admin:app_list", "jobs")


@pytest.mark.parametrize(
    "key",
    ["password", "db_password", "token", "accessToken", "SECRET_KEY", "key", "api-key", "apikey", "Authorization"],
)
def test_keys_that_look_secret(key: str) -> None:
    assert looks_secret(key)


@pytest.mark.parametrize("key", ["keyboard", "days", "monkey", "author", "path", "tokyo", "passenger"])
def test_keys_that_do_not(key: str) -> None:
    assert not looks_secret(key)


def test_secrets_are_masked_at_any_depth() -> None:
    value = {"a": [{"api_key": {"deep": "x"}, "n": 1}], "url": "redis://me:hunter2@host/0", "token": None}
    assert masked(value) == {"a": [{"api_key": "•••", "n": 1}], "url": "redis://me:•••@host/0", "token": "•••"}
