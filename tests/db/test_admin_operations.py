"""What people do from the admin: with the permission, by POST, told exactly, and logged."""

import uuid

import pytest
from celery import current_app
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from jobs import transitions
from jobs.admin import operations
from jobs.models import Job, Run
from jobs.states import State, Trigger
from tests.db.admin_site import choose, client_with, press, told
from tests.factories import make_job, reload, running_run, scheduled_run

pytestmark = pytest.mark.django_db

JOB_OPERATIONS = [("run_now", "trigger_job"), ("pause", "pause_job"), ("resume", "pause_job")]
RUN_OPERATIONS = ["retry", "pause", "resume", "cancel"]


def cancelled_run() -> Run:
    run = scheduled_run()
    assert transitions.cancel(run.pk, "by the test")
    return reload(run)


def held_run() -> Run:
    run = scheduled_run()
    assert transitions.hold(run.pk, "by the test")
    return reload(run)


def fitting_run(operation: str) -> Run:
    """A run on which the operation would do something."""
    if operation == "retry":
        return cancelled_run()
    return held_run() if operation == "resume" else scheduled_run()


def snapshot() -> tuple[object, ...]:
    return (
        list(Job.objects.order_by("pk").values_list("pk", "enabled", "updated_at")),
        list(Run.objects.order_by("pk").values_list("pk", "state", "attempt", "reason")),
        LogEntry.objects.count(),
    )


@pytest.mark.parametrize(("operation", "permission"), JOB_OPERATIONS)
def test_job_operations_need_their_permission(operation: str, permission: str) -> None:
    job = make_job(enabled=operation != "resume")
    others = {"view_job", "change_job", "add_job", "delete_job", "trigger_job", "pause_job", "operate_run"}
    client = client_with(*(others - {permission}))
    before = snapshot()
    assert press(client, job, operation).status_code == 403
    assert choose(client, operation, job).status_code == 302
    assert "No action selected" in told(client)
    assert snapshot() == before
    assert press(client_with("view_job", permission, name="able"), job, operation).status_code == 302
    assert snapshot() != before


@pytest.mark.parametrize("operation", RUN_OPERATIONS)
def test_run_operations_need_their_permission(operation: str) -> None:
    run = fitting_run(operation)
    client = client_with("view_run", "change_run", "delete_run", "trigger_job", "pause_job")
    before = snapshot()
    assert press(client, run, operation).status_code == 403
    choose(client, operation, run)
    assert snapshot() == before
    assert press(client_with("view_run", "operate_run", name="able"), run, operation).status_code == 302
    assert snapshot() != before


def test_an_operation_needs_sight_of_the_object() -> None:
    job, run = make_job(), scheduled_run()
    client = client_with("trigger_job", "pause_job", "operate_run")
    before = snapshot()
    assert press(client, job, "run_now").status_code == 403
    assert press(client, run, "cancel").status_code == 403
    assert snapshot() == before


def test_anonymous_people_are_sent_to_the_login() -> None:
    job = make_job()
    before = snapshot()
    answer = press(Client(), job, "run_now")
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]
    assert snapshot() == before


def test_a_get_changes_nothing() -> None:
    job, run = make_job(), scheduled_run()
    client = client_with("view_job", "change_job", "view_run", "trigger_job", "pause_job", "operate_run")
    before = snapshot()
    for target, names in ((job, [name for name, _ in JOB_OPERATIONS]), (run, RUN_OPERATIONS)):
        kind = target._meta.model_name
        for name in names:
            assert client.get(reverse(f"admin:jobs_{kind}_operate", args=[target.pk, name])).status_code == 405
            query = {"action": name, "_selected_action": str(target.pk)}
            client.get(reverse(f"admin:jobs_{kind}_changelist"), query)
        client.get(reverse(f"admin:jobs_{kind}_change", args=[target.pk]))
    assert snapshot() == before


def test_the_csrf_token_is_required() -> None:
    job = make_job()
    able = client_with("view_job", "trigger_job")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = able.cookies
    assert press(strict, job, "run_now").status_code == 403
    assert not Run.objects.exists()


def test_run_now_makes_a_run_and_links_to_it() -> None:
    job = make_job(name="nightly")
    client = client_with("view_job", "trigger_job", "view_run")
    press(client, job, "run_now")
    run = Run.objects.get(job=job)
    assert (run.state, run.trigger) == (State.SCHEDULED, Trigger.MANUAL)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == (str(job.pk), "staff")
    assert "Run now" in entry.change_message
    html = client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert f'<a href="{reverse("admin:jobs_run_change", args=[run.pk])}">nightly</a>' in html


def test_run_now_tells_why_a_run_was_skipped() -> None:
    job = make_job(overlap="skip")
    first = scheduled_run(job=job)
    client = client_with("view_job", "trigger_job")
    press(client, job, "run_now")
    assert f"skipped, because the earlier run {first.pk} had not ended" in told(client)
    assert Run.objects.filter(job=job, state=State.SKIPPED).count() == 1


def test_each_job_of_an_action_is_told_and_only_changes_are_logged() -> None:
    on, off = make_job(name="is on"), make_job(name="is off", enabled=False)
    client = client_with("view_job", "pause_job")
    choose(client, "pause", on, off)
    text = told(client)
    assert "no more ticks from now on; runs that have begun go on ( is on )" in text
    assert "nothing changed, it was paused already ( is off )" in text
    assert not Job.objects.filter(enabled=True).exists()
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(on.pk)]
    choose(client, "resume", on, off)
    assert Job.objects.filter(enabled=True, planned=False).count() == 2


def test_retry_leaves_the_old_run_as_it_is() -> None:
    old = cancelled_run()
    client = client_with("view_run", "operate_run")
    press(client, old, "retry")
    new = Run.objects.get(retry_of=old.pk)
    assert (new.trigger, new.scheduled_for, new.args) == (Trigger.RETRY, old.scheduled_for, old.args)
    assert reload(old).state == State.CANCELLED
    choose(client, "retry", new)
    assert "nothing changed, it is scheduled; only a run that has ended can be retried" in told(client)


def test_pause_and_resume_a_run() -> None:
    run = scheduled_run()
    client = client_with("view_run", "operate_run")
    press(client, run, "pause")
    assert (reload(run).state, reload(run).reason) == (State.HELD, "paused by staff")
    press(client, run, "pause")
    assert "nothing changed, it is held" in told(client)
    press(client, run, "resume")
    assert reload(run).state == State.WAITING
    assert LogEntry.objects.count() == 2


def test_cancel_stops_a_running_run() -> None:
    run, _ = running_run()
    client = client_with("view_run", "operate_run")
    press(client, run, "cancel")
    assert (reload(run).state, reload(run).reason) == (State.CANCELLED, "cancelled by staff")
    assert "the broker is away" not in told(client)
    press(client, run, "cancel")
    assert "nothing changed, it is cancelled; only a run that has not ended can be cancelled" in told(client)


def test_cancel_is_durable_when_the_broker_is_away(unreachable_broker: None) -> None:
    (first, _), (second, _) = running_run(), running_run()
    client = client_with("view_run", "operate_run")
    choose(client, "cancel", first, second)
    assert {reload(first).state, reload(second).state} == {State.CANCELLED}
    assert "cancelled; the broker is away" in told(client)


@pytest.fixture
def unreachable_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on port 1, so the connection is refused by the system itself."""
    monkeypatch.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")


def test_what_is_gone_or_unknown_is_told() -> None:
    client = client_with("view_run", "view_job", "operate_run", "trigger_job")
    assert client.post(f"/admin/jobs/run/{uuid.uuid4()}/operate/retry/").status_code == 302
    assert "Perhaps it was deleted" in told(client)
    assert client.post("/admin/jobs/run/not-an-id/operate/retry/").status_code == 302
    assert client.post(f"/admin/jobs/job/{make_job().pk}/operate/explode/").status_code == 404


def test_too_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_AT_ONCE", 2)
    jobs = [make_job() for _ in range(3)]
    client = client_with("view_job", "pause_job")
    choose(client, "pause", *jobs)
    assert "select at most 2 at a time" in told(client)
    assert Job.objects.filter(enabled=True).count() == 3


def test_the_buttons_are_those_that_fit() -> None:
    run, job = scheduled_run(), make_job(enabled=False)
    client = client_with("view_run", "operate_run", "view_job", "trigger_job", "pause_job")
    run_page = client.get(reverse("admin:jobs_run_change", args=[run.pk])).content.decode()
    job_page = client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert [f"/operate/{name}/" in run_page for name in RUN_OPERATIONS] == [False, True, False, True]
    assert [f"/operate/{name}/" in job_page for name, _ in JOB_OPERATIONS] == [True, False, True]
    sees_only = client_with("view_run", name="sees")
    assert "/operate/" not in sees_only.get(reverse("admin:jobs_run_change", args=[run.pk])).content.decode()
