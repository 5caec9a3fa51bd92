"""The page "Canary…": who gets it, what it shows, what it refuses, and what its buttons do."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs import canaries
from jobs.clock import database_now
from jobs.models import Canary, Job, Run
from jobs.models.choices import CanaryState
from tests.db.admin_site import client_with, page, told
from tests.endings import ended_run
from tests.factories import make_job

pytestmark = pytest.mark.django_db

PAGE = "admin:jobs_job_canary"
FIELDS = {
    "percent": "10",
    "queue": "new",
    "task": "",
    "args": "",
    "kwargs": "",
    "timeout": "",
    "least_runs": "10",
    "failure_margin": "10",
    "duration_margin": "50",
}


def send(client: Client, job: Job, **fields: str) -> HttpResponse:
    return client.post(reverse(PAGE, args=[job.pk]), fields)  # type: ignore[return-value]


def start(client: Client, job: Job, **fields: str) -> Any:
    return send(client, job, **FIELDS | fields)


def running(job: Job, **fields: Any) -> Canary:
    return canaries.start(Canary(job=job, **{"percent": 10, "queue": "new"} | fields), "ann")


def test_the_button_leads_to_it_and_it_shows_the_form(admin_client: Client) -> None:
    job = make_job(name="nightly")
    button = f'<a href="{reverse(PAGE, args=[job.pk])}">Canary…</a>'
    assert button in page(admin_client, "admin:jobs_job_change", job.pk)
    html = page(admin_client, PAGE, job.pk)
    assert "Canary of nightly" in html
    assert 'name="failure_margin" value="10"' in html
    assert "[]</textarea>" not in html, "what is not written stays the job's own"


def test_who_may_only_see_the_job_sees_the_figures_and_changes_nothing() -> None:
    job = make_job()
    client = client_with("view_job", name="reader")
    assert "None is running" in page(client, PAGE, job.pk)
    assert start(client, job).status_code == 403
    canary = running(job, kwargs={"password": "hunter2"})
    html = page(client, PAGE, job.pk)
    assert "Promote" not in html
    assert "hunter2" not in html
    assert send(client, job, end="promote", canary=str(canary.pk)).status_code == 403
    assert Canary.objects.get().state == CanaryState.RUNNING


@pytest.mark.parametrize("permissions", [(), ("trigger_job",), ("view_run",)])
def test_without_the_permission_to_see_the_job_there_is_no_page(permissions: tuple[str, ...]) -> None:
    job = make_job()
    client = client_with(*permissions)
    assert client.get(reverse(PAGE, args=[job.pk])).status_code == 403
    assert start(client, job).status_code == 403


def test_anonymous_people_other_methods_and_unknown_jobs(admin_client: Client) -> None:
    job = make_job()
    assert "/login/" in Client().get(reverse(PAGE, args=[job.pk]))["Location"]
    assert admin_client.put(reverse(PAGE, args=[job.pk])).status_code == 405
    assert admin_client.get(reverse(PAGE, args=[job.pk + 1])).status_code == 302


def test_it_starts_one_and_logs_it() -> None:
    job = make_job()
    client = client_with("view_job", "change_job", name="editor")
    answer = start(client, job, args="[]", timeout="60", duration_margin="")
    assert answer["Location"] == reverse(PAGE, args=[job.pk])
    canary = Canary.objects.get()
    assert (canary.percent, canary.queue, canary.args, canary.kwargs, canary.timeout) == (10, "new", [], None, 60)
    assert (canary.made_by, canary.duration_margin) == ("editor", None)
    assert "10 % of the ticks go to it" in told(client)
    assert "Canary started" in LogEntry.objects.get().get_change_message()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"queue": ""}, "queue", "differs from the job"),
        ({"percent": ""}, "percent", "not split into shards"),
        ({"percent": "101"}, "percent", "less than or equal to 100"),
        ({"args": "{}"}, "args", "must be a JSON list"),
        ({"kwargs": "[1"}, "kwargs", "Line 1"),
        ({"least_runs": ""}, "least_runs", "required"),
    ],
)
def test_what_is_wrong_is_told_on_its_field(
    admin_client: Client, fields: dict[str, str], field: str, words: str
) -> None:
    answer = start(admin_client, make_job(), **fields)
    assert answer.status_code == 200
    assert words in answer.context["errors"][field][0]
    assert not Canary.objects.exists()


def test_a_second_one_is_refused(admin_client: Client) -> None:
    job = make_job()
    running(job)
    answer = start(admin_client, job)
    assert "has a canary already" in str(answer.context["errors"])
    assert Canary.objects.count() == 1


def test_the_figures_stand_side_by_side(admin_client: Client) -> None:
    job = make_job()
    canary = running(job)
    now = database_now()
    runs = [ended_run(job, now, failed=place < 2, took=1 + place) for place in range(5)]
    for place, run in enumerate(runs):
        Run.objects.filter(pk=run.pk).update(
            trigger="schedule", scheduled_for=now + timedelta(seconds=place), canary=canary if place < 4 else None
        )
    html = page(admin_client, PAGE, job.pk)
    for name, own, others in (
        ("Runs finished", "4", "1"),
        ("Failed", "2", "0"),
        ("Failure rate", "50 %", "0 %"),
        ("Median duration", "3.5 s", "5.0 s"),
    ):
        assert f'<th scope="row">{name}</th><td>{own}</td><td>{others}</td>' in html


def test_it_is_promoted(admin_client: Client) -> None:
    job = make_job()
    canary = running(job)
    send(admin_client, job, end="promote", canary=str(canary.pk))
    assert Job.objects.get().queue == "new"
    assert "the job has its definition now" in told(admin_client)
    html = page(admin_client, PAGE, job.pk)
    assert "promoted by admin" in html
    assert 'value="Start"' in html
    send(admin_client, job, end="promote", canary=str(canary.pk))
    assert "it had ended already" in told(admin_client)


def test_it_is_reverted_with_a_reason(admin_client: Client) -> None:
    job = make_job()
    canary = running(job)
    send(admin_client, job, end="revert", canary=str(canary.pk), why="wrong <image>")
    assert Canary.objects.get().reason == "reverted by admin: wrong <image>"
    assert "wrong &lt;image&gt;" in page(admin_client, PAGE, job.pk)
    assert Job.objects.get().queue == "celery"


@pytest.mark.parametrize("number", ["", "0", "x", "9" * 30])
def test_a_canary_that_is_none_of_the_jobs_is_left_alone(admin_client: Client, number: str) -> None:
    job, other = make_job(), make_job()
    canary = running(other)
    for asked in (number, str(canary.pk)):
        send(admin_client, job, end="promote", canary=asked)
        assert "there is no such canary" in told(admin_client)
    assert Canary.objects.get().state == CanaryState.RUNNING


def test_a_promotion_that_would_break_the_job_says_so(admin_client: Client) -> None:
    job = make_job()
    canary = running(job, args=["{nope}"])
    Job.objects.update(templated=True)
    send(admin_client, job, end="promote", canary=str(canary.pk))
    assert "would not make sense with it (args:" in told(admin_client)
    assert Job.objects.get().args == [1, 2]


def test_a_job_with_a_canary_can_be_deleted(admin_client: Client) -> None:
    job = make_job()
    running(job)
    admin_client.post(reverse("admin:jobs_job_delete", args=[job.pk]), {"post": "yes"})
    assert not Job.objects.exists()
    assert not Canary.objects.exists()
