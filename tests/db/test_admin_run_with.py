"""The page "Run with…": who gets it, what it shows, what it refuses, and the run it makes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs.admin.wall_clock import write_wall_clock
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State, Trigger
from tests.db.admin_site import client_with, page, told
from tests.factories import make_job, scheduled_run

pytestmark = pytest.mark.django_db

PAGE = "admin:jobs_job_run_with"
EMPTY = {"args": "", "kwargs": "", "at": ""}


def send(client: Client, job: Job, **fields: str) -> HttpResponse:
    return client.post(reverse(PAGE, args=[job.pk]), EMPTY | fields)  # type: ignore[return-value]


def errors(client: Client, job: Job, **fields: str) -> dict[str, list[str]]:
    """What the form is told for these texts."""
    answer: Any = send(client, job, **fields)
    assert answer.status_code == 200
    return dict(answer.context["errors"])


def operator() -> Client:
    """Somebody who may run jobs and see them, no more."""
    return client_with("view_job", "trigger_job", "view_run", name="operator")


def test_the_button_is_for_those_who_may_run_the_job() -> None:
    job = make_job()
    button = f'<a href="{reverse(PAGE, args=[job.pk])}">Run with…</a>'
    assert button in page(operator(), "admin:jobs_job_change", job.pk)
    others = client_with("view_job", "change_job", "pause_job", name="editor")
    assert "Run with" not in page(others, "admin:jobs_job_change", job.pk)


@pytest.mark.parametrize("permissions", [("view_job", "change_job", "pause_job", "operate_run"), ("trigger_job",)])
def test_it_needs_the_permission_to_run_the_job_and_to_see_it(permissions: tuple[str, ...]) -> None:
    job = make_job()
    client = client_with(*permissions)
    assert client.get(reverse(PAGE, args=[job.pk])).status_code == 403
    assert send(client, job).status_code == 403
    assert not Run.objects.exists()


def test_anonymous_people_are_sent_to_the_login() -> None:
    job = make_job()
    for answer in (Client().get(reverse(PAGE, args=[job.pk])), send(Client(), job)):
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]
    assert not Run.objects.exists()


def test_looking_makes_no_run_and_other_methods_are_refused() -> None:
    job = make_job()
    client = operator()
    page(client, PAGE, job.pk, args="[1]")
    assert client.put(reverse(PAGE, args=[job.pk])).status_code == 405
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()


def test_the_csrf_token_is_required() -> None:
    job = make_job()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator().cookies
    assert send(strict, job).status_code == 403
    assert "csrfmiddlewaretoken" in page(strict, PAGE, job.pk)
    assert not Run.objects.exists()


def test_it_makes_the_run_logs_it_and_links_to_it() -> None:
    job = make_job(name="nightly", args=[1, 2], kwargs={"days": 7})
    client = operator()
    answer = send(client, job, args="[40, 2]", kwargs='{"token": "s3cret"}')
    assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
    run = Run.objects.get()
    assert (run.args, run.kwargs, run.trigger) == ([40, 2], {"token": "s3cret"}, Trigger.MANUAL)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == (str(job.pk), "operator")
    assert "Run with…: a run was made" in entry.get_change_message()
    assert "s3cret" not in entry.change_message
    html = page(client, "admin:jobs_job_change", job.pk)
    assert f'<a href="{reverse("admin:jobs_run_change", args=[run.pk])}">nightly</a>' in html


def test_empty_fields_mean_the_jobs_own_arguments_and_at_once() -> None:
    job = make_job(args=[1, 2], kwargs={"password": "hunter2"})
    assert send(operator(), job, args=" ", at=" ").status_code == 302
    run = Run.objects.get()
    assert (run.args, run.kwargs) == ([1, 2], {"password": "hunter2"})
    assert run.due_at <= database_now()


def test_none_at_all_can_be_written() -> None:
    job = make_job(args=[1, 2], kwargs={"a": 1})
    send(operator(), job, args="[]", kwargs="{}")
    assert (Run.objects.get().args, Run.objects.get().kwargs) == ([], {})


def test_who_may_change_the_job_finds_its_arguments(admin_client: Client) -> None:
    job = make_job(args=["ā"], kwargs={"password": "hunter2"})
    html = page(admin_client, PAGE, job.pk)
    assert "[&quot;ā&quot;]" in html
    assert "{&quot;password&quot;: &quot;hunter2&quot;}" in html
    assert "not shown" not in html


def test_who_may_not_change_the_job_sees_no_arguments_not_even_after_an_error() -> None:
    job = make_job(args=["redis://me:hunter2@host"], kwargs={"password": "hunter3"})
    client = operator()
    bad = send(client, job, args="[").content.decode()
    for html in (page(client, PAGE, job.pk), bad):
        assert "hunter" not in html
        assert "They are not shown, because you may not change the job." in html


def test_the_moment_is_in_the_jobs_own_zone(admin_client: Client) -> None:
    job = make_job(timezone="Europe/Riga")
    send(admin_client, job, args="[1, 1]", at="2190-07-01 12:00")
    run = Run.objects.get()
    assert run.due_at == run.scheduled_for == datetime(2190, 7, 1, 9, tzinfo=UTC)
    assert "a run was made for 2190-07-01 12:00:00 (Europe/Riga)" in told(admin_client)
    assert "where it is now 2" in page(admin_client, PAGE, job.pk)


def test_a_job_with_an_unknown_zone_has_the_page_too(admin_client: Client) -> None:
    job = make_job()
    Job.objects.update(timezone="Mars/Olympus")
    assert "In the job's time zone: UTC" in page(admin_client, PAGE, job.pk)
    send(admin_client, job, at="2190-07-01 12:00")
    assert Run.objects.get().due_at == datetime(2190, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("args", "[1,", "Line 1, column 4"),
        ("args", "[1]\n[2]", "Line 2, column 1"),
        ("args", "['a']", "double quotes"),
        ("args", '{"a": 1}', "must be a JSON list"),
        ("args", "null", "must be a JSON list"),
        ("args", "[NaN]", "NaN is not JSON"),
        ("args", "[1e999]", "not JSON"),
        ("args", "[" * 100_000, "nested deeper"),
        ("args", "[" * 101 + "]" * 101, "nested deeper"),
        ("args", "[" + "9" * 5000 + "]", "digits"),
        ("args", '["\\ud800"]', "surrogate"),
        ("args", '["\\u0000"]', "NUL"),
        ("args", '["\x00"]', "invalid control character"),
        ("kwargs", "[]", "must be a JSON object"),
        ("kwargs", '{"a" 1}', "Line 1, column 6"),
        ("kwargs", '{"\\u0000": 1}', "NUL"),
        ("at", "soon", "write it as 2027-01-31 09:00"),
        ("at", "2020-01-01 00:00", "has passed"),
        ("at", "9999-12-31 23:59", "1970-2199"),
        ("at", "2199-12-31T23:59-05:00", "after the year 2199"),
        ("at", "\x00", "Null characters"),
        ("at", "1" * 5000, "at most 40 characters"),
    ],
)
def test_bad_input_is_refused_at_its_field(admin_client: Client, field: str, text: str, words: str) -> None:
    wrong = errors(admin_client, make_job(), **{field: text})
    assert list(wrong) == [field]
    assert words in " ".join(wrong[field])
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()


def test_what_was_typed_stays_when_it_is_refused(admin_client: Client) -> None:
    html = send(admin_client, make_job(args=[1, 2]), args="[7, ", kwargs='{"a": 8}').content.decode()
    assert "[7, " in html
    assert "{&quot;a&quot;: 8}" in html


def test_large_numbers_and_odd_letters_arrive_as_they_were_typed(admin_client: Client) -> None:
    job = make_job()
    send(admin_client, job, args="[" + "9" * 4000 + ', "\N{GRINNING FACE}", "\\u2028"]')
    assert Run.objects.get().args == [int("9" * 4000), "\N{GRINNING FACE}", "\u2028"]


def test_html_is_escaped(admin_client: Client) -> None:
    evil = "</textarea><script>alert(1)</script>"
    job = make_job(name=evil, args=[evil], kwargs={evil: evil})
    Job.objects.update(timezone="<script>alert(2)")
    html = page(admin_client, PAGE, job.pk)
    refused = send(admin_client, job, args=evil, kwargs=f'["{evil}"]', at=evil[:40]).content.decode()
    assert send(admin_client, job, args=f'["{evil}"]').status_code == 302
    for text in (html, refused, page(admin_client, "admin:jobs_job_change", job.pk)):
        assert "<script>alert" not in text


def test_the_overlap_policy_is_told() -> None:
    job = make_job(overlap="skip")
    first = scheduled_run(job=job)
    client = operator()
    send(client, job)
    assert f"skipped, because the earlier run {first.pk} had not ended" in told(client)
    Job.objects.update(overlap="queue_one")
    send(client, job)
    assert "a run was made; it waits for the run" in told(client)
    assert set(Run.objects.values_list("state", flat=True)) == {State.SCHEDULED, State.SKIPPED, State.WAITING}
    assert LogEntry.objects.count() == 2


def test_a_run_for_later_is_made_beside_a_live_one() -> None:
    job = make_job(overlap="skip", timezone="Europe/Riga")
    scheduled_run(job=job)
    later = database_now() + timedelta(hours=1)
    assert send(operator(), job, at=later.isoformat()).status_code == 302
    run = Run.objects.order_by("due_at").last()
    assert run is not None
    assert (run.state, write_wall_clock(run.due_at, UTC)) == (State.WAITING, write_wall_clock(later, UTC))


def test_a_job_that_is_gone_is_told() -> None:
    client = operator()
    for number in ("4711", "nightly"):
        answer = client.post(reverse(PAGE, args=[number]), EMPTY)
        assert answer.status_code == 302
        assert "Perhaps it was deleted" in told(client)
