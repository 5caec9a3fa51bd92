"""The page "Next tick…": who gets it, what it offers and refuses, what it does, and how that is taken back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs import adjust
from jobs.clock import database_now
from jobs.models import Adjustment, Job, Run
from jobs.plan import plan
from jobs.states import State
from jobs.tick import tick
from tests.db.admin_site import client_with, page, told
from tests.factories import make_job, planned_job, queued_run

pytestmark = pytest.mark.django_db

PAGE = "admin:jobs_job_adjust"
CHANGE = "admin:jobs_job_change"
FIRST = datetime(2190, 7, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def daily(**fields: Any) -> Job:
    """A job whose next tick is at 03:00 in Riga, far off."""
    return planned_job(FIRST, **{"schedule": "0 3 * * *", "timezone": "Europe/Riga"} | fields)


def send(client: Client, job: Job, **fields: str) -> HttpResponse:
    form = {"tick": FIRST.isoformat(), "action": "skip", "until": "", "args": "", "kwargs": "", "why": "the source"}
    return client.post(reverse(PAGE, args=[job.pk]), form | fields)  # type: ignore[return-value]


def errors(client: Client, job: Job, **fields: str) -> dict[str, list[str]]:
    answer: Any = send(client, job, **fields)
    assert answer.status_code == 200
    return dict(answer.context["errors"])


def take_back(client: Client, made: Adjustment) -> HttpResponse:
    address = reverse("admin:jobs_job_take_back", args=[made.job_id, made.pk])
    return client.post(address)  # type: ignore[return-value]


def adjuster(*more: str) -> Client:
    """Somebody who may adjust ticks and see jobs, and what else is given."""
    return client_with("view_job", "adjust_job", *more, name="ann")


def test_the_button_is_for_those_who_may_adjust() -> None:
    job = daily()
    button = f'<a href="{reverse(PAGE, args=[job.pk])}">Next tick…</a>'
    assert button in page(adjuster(), CHANGE, job.pk)
    others = client_with("view_job", "change_job", "trigger_job", name="editor")
    assert "Next tick…" not in page(others, CHANGE, job.pk)


@pytest.mark.parametrize("permissions", [("view_job", "change_job", "trigger_job"), ("adjust_job", "trigger_job")])
def test_it_needs_the_permission_to_adjust_the_job_and_to_see_it(permissions: tuple[str, ...]) -> None:
    job = daily()
    made = adjust.skip(job.pk, database_now(), by="bob", why="no", tick=FIRST + 24 * HOUR)
    client = client_with(*permissions)
    assert client.get(reverse(PAGE, args=[job.pk])).status_code == 403
    assert send(client, job).status_code == 403
    assert take_back(client, made).status_code == 403
    assert Adjustment.objects.get().taken_back_at is None


def test_anonymous_people_other_methods_and_requests_without_a_token_are_refused() -> None:
    job = daily()
    assert "/login/" in send(Client(), job)["Location"]
    client = adjuster()
    assert client.put(reverse(PAGE, args=[job.pk])).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert send(strict, job).status_code == 403
    made = adjust.skip(job.pk, database_now(), by="bob", why="no")
    assert client.get(reverse("admin:jobs_job_take_back", args=[job.pk, made.pk])).status_code == 405
    assert Adjustment.objects.get().taken_back_at is None


def test_it_shows_the_next_ticks_in_the_jobs_zone() -> None:
    html = page(adjuster(), PAGE, daily().pk)
    assert "Thu 2190-07-01 03:00:00 EEST" in html
    assert html.count("<option") == 10


def test_the_first_tick_that_nobody_has_decided_on_is_chosen() -> None:
    job = daily()
    adjust.skip(job.pk, database_now(), by="bob", why="no")
    html = page(adjuster(), PAGE, job.pk)
    assert f'<option value="{(FIRST + 24 * HOUR).isoformat()}" selected>' in html
    assert "(skip)" in html


def test_a_tick_is_skipped_logged_and_told() -> None:
    job = daily()
    client = adjuster()
    answer = send(client, job)
    assert answer["Location"] == reverse(PAGE, args=[job.pk])
    made = Adjustment.objects.get()
    assert (made.first, made.last, made.made_by, made.reason) == (FIRST, FIRST, "ann", "the source")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == (str(job.pk), "ann")
    assert "the tick of 2190-07-01 03:00:00 EEST is skipped by ann: the source" in entry.get_change_message()
    assert "is skipped by ann: the source" in told(client)


def test_all_ticks_until_a_moment_on_the_jobs_clock() -> None:
    job = daily()
    send(adjuster(), job, until="2190-07-03 12:00")
    made = Adjustment.objects.get()
    assert (made.first, made.last) == (FIRST, datetime(2190, 7, 3, 9, tzinfo=UTC))


def test_a_tick_is_snoozed_and_the_run_tells_it() -> None:
    job = daily(overlap="allow")
    client = adjuster("view_run")
    send(client, job, action="snooze", until="2190-07-01 05:30")
    tick(FIRST)
    run = job.runs.get()
    assert run.due_at == FIRST + 2.5 * HOUR
    html = page(client, "admin:jobs_run_change", run.pk)
    assert "snoozed by ann until 2190-07-01 05:30:00 EEST: the source" in html


def test_other_arguments_and_running_early_are_for_those_who_may_run_the_job() -> None:
    job = daily(args=["s3cret"])
    client = adjuster()
    html = page(client, PAGE, job.pk)
    assert 'name="args"' not in html
    assert "Run it now" not in html
    for action in ("arguments", "early"):
        assert list(errors(client, job, action=action, args="[1]")) == ["action"]
    assert not Adjustment.objects.exists()
    assert not Run.objects.exists()


def test_other_arguments_are_kept_and_not_shown_to_those_who_may_not_change_the_job(admin_client: Client) -> None:
    job = daily(args=["hunter2"], kwargs={"password": "hunter3"})
    client = adjuster("trigger_job")
    assert send(client, job, action="arguments", args='["hunter4"]', kwargs='{"token": "hunter5"}').status_code == 302
    made = Adjustment.objects.get()
    assert (made.args, made.kwargs) == (["hunter4"], {"token": "hunter5"})
    assert "hunter" not in page(client, PAGE, job.pk) + LogEntry.objects.get().change_message
    html = page(admin_client, PAGE, job.pk)
    assert "hunter4" in html
    assert "hunter5" not in html, "the values of names such as token are masked for everybody"


def test_a_tick_runs_early_and_the_message_links_to_the_run() -> None:
    job = daily()
    client = adjuster("trigger_job", "view_run")
    send(client, job, action="early")
    run = job.runs.get()
    assert (run.scheduled_for, run.state) == (FIRST, State.SCHEDULED)
    assert Job.objects.get().next_run_at == FIRST + 24 * HOUR
    html = page(client, PAGE, job.pk)
    assert "the run of 2190-07-01 03:00:00 EEST was made and starts as soon as a worker is free" in html
    assert html.count(reverse("admin:jobs_run_change", args=[run.pk])) == 2, "in the message and in the list"


def test_an_early_run_that_would_be_wasted_is_refused() -> None:
    job = daily(overlap="skip")
    queued_run(database_now(), job)
    wrong = errors(adjuster("trigger_job"), job, action="early")
    assert "it would be skipped now: the earlier run" in wrong["tick"][0]
    assert Run.objects.count() == 1


def test_a_tick_that_has_gone_by_since_the_page_was_made_is_named() -> None:
    job = make_job(schedule="0 3 * * *", timezone="Europe/Riga")
    plan(database_now())
    gone = Job.objects.get().parsed_schedule().previous_before(database_now())
    assert gone is not None
    wrong = errors(adjuster(), job, tick=gone.isoformat())
    assert wrong["tick"][0].startswith(f"the tick of {gone:%Y-%m-%d %H:%M:%S %Z} has gone by; the next one is ")
    assert not Adjustment.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"tick": ""}, "tick", "Choose a tick"),
        ({"tick": "2190-07-01T00:00:00"}, "tick", "Choose a tick"),
        ({"tick": "2190-07-01T00:01:00+00:00"}, "tick", "no tick at"),
        ({"tick": "0001-01-01T00:00:00+23:00"}, "tick", "year"),
        ({"action": "dance"}, "action", "valid choice"),
        ({"action": "snooze"}, "until", "Say when"),
        ({"action": "snooze", "until": "2190-07-01 03:00"}, "until", "after the tick's own time"),
        ({"action": "early", "until": "2190-07-01 05:00"}, "until", "leave it empty"),
        ({"until": "later"}, "until", "write it as"),
        ({"until": "2020-01-01 00:00"}, "until", "has passed"),
        ({"until": "2190-07-01 02:00"}, "until", "must not be before the tick"),
        ({"args": "[1]"}, "args", "leave them empty"),
        ({"action": "arguments"}, "args", "give arguments"),
        ({"action": "arguments", "args": "[1"}, "args", "Line 1"),
        ({"action": "arguments", "kwargs": "[]"}, "kwargs", "must be a JSON object"),
        ({"why": " "}, "why", "required"),
    ],
)
def test_bad_input_is_refused_at_its_field(
    admin_client: Client, fields: dict[str, str], field: str, words: str
) -> None:
    wrong = errors(admin_client, daily(), **fields)
    assert list(wrong) == [field]
    assert words in " ".join(wrong[field])
    assert not Adjustment.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_template_that_cannot_be_filled_in_is_refused_at_its_field(admin_client: Client) -> None:
    job = daily(templated=True)
    wrong = errors(admin_client, job, action="arguments", kwargs='{"day": "{yesterday}"}')
    assert 'unknown placeholder "{yesterday}"' in wrong["kwargs"][0]


def test_the_second_decision_for_a_tick_names_the_first() -> None:
    job = daily()
    adjust.skip(job.pk, database_now(), by="bob", why="holiday")
    wrong = errors(adjuster(), job)
    assert "is skipped by bob: holiday; take that back first" in wrong["tick"][0]


def test_it_is_taken_back_by_a_button_and_the_list_says_by_whom() -> None:
    job = daily()
    client = adjuster()
    send(client, job)
    made = Adjustment.objects.get()
    button = f'action="{reverse("admin:jobs_job_take_back", args=[job.pk, made.pk])}"'
    html = page(client, PAGE, job.pk)
    assert button in html
    assert "waits for its tick" in html
    assert take_back(client, made)["Location"] == reverse(PAGE, args=[job.pk])
    html = page(client, PAGE, job.pk)
    assert button not in html
    assert "taken back by ann" in html
    assert "the tick of 2190-07-01 03:00:00 EEST runs as it would have" in html
    take_back(client, made)
    assert "nothing changed: ann has taken it back already" in told(client)


def test_the_decision_of_another_job_is_not_taken_back_by_this_ones_page() -> None:
    job, other = daily(), daily()
    made = adjust.skip(other.pk, database_now(), by="bob", why="no")
    client = adjuster()
    client.post(reverse("admin:jobs_job_take_back", args=[job.pk, made.pk]))
    assert "there is no such decision for this job" in told(client)
    assert Adjustment.objects.get().taken_back_at is None


def test_the_list_says_what_became_of_each() -> None:
    job = daily()
    now = database_now()
    adjust.skip(job.pk, now, by="bob", why="first")
    adjust.skip(job.pk, now, by="bob", why="stretch", tick=FIRST + 24 * HOUR, until=FIRST + 72 * HOUR)
    adjust.skip(job.pk, now, by="bob", why="gone", tick=FIRST + 96 * HOUR)
    tick(FIRST)
    tick(FIRST + 24 * HOUR)
    Job.objects.update(planned_schedule="30 3 * * *")
    client = adjuster("view_run")
    html = page(client, PAGE, job.pk)
    assert reverse("admin:jobs_run_change", args=[job.runs.get(scheduled_for=FIRST).pk]) in html
    assert "1 tick skipped so far" in html
    assert "the schedule has no such tick now" in html
    Adjustment.objects.filter(reason="gone").update(first=now - HOUR, last=now - HOUR)
    assert "not met: the schedule had no such tick any more" in page(client, PAGE, job.pk)
    Adjustment.objects.filter(reason="gone").update(first=now - 900 * HOUR, last=now - 900 * HOUR)
    assert "its row is not kept any more" in page(client, PAGE, job.pk)


def test_jobs_without_a_next_tick_have_the_page_too(admin_client: Client) -> None:
    for job in (make_job(enabled=False), make_job(schedule="@after"), make_job(timezone="Mars/Olympus")):
        assert "The job has no next tick" in page(admin_client, PAGE, job.pk)
        assert "edited a moment ago" in errors(admin_client, job)["tick"][0]
        Job.objects.filter(pk=job.pk).update(planned=True)
        assert errors(admin_client, job)["tick"] == ["the job has no next tick"]
    broken = daily()
    Job.objects.filter(pk=broken.pk).update(planned_schedule="61 * * * *")
    page(admin_client, PAGE, broken.pk)
    assert "minute: 61" in errors(admin_client, broken)["tick"][0]


def test_html_is_escaped(admin_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    job = daily(name=evil)
    assert send(admin_client, job, why=evil).status_code == 302
    assert "<script>alert" not in page(admin_client, PAGE, job.pk)
    refused = send(admin_client, job, why=evil, tick=evil, until=evil[:40], args=evil).content.decode()
    assert "<script>alert" not in refused


def test_a_job_that_is_gone_is_told(admin_client: Client) -> None:
    assert admin_client.post(reverse(PAGE, args=[4711]), {}).status_code == 302
    assert "Perhaps it was deleted" in told(admin_client)
