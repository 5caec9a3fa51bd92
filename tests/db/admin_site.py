"""The admin as its users see it."""

import re

from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Run

JOBS = "admin:jobs_job_changelist"
RUNS = "admin:jobs_run_changelist"

JOB_FORM = {
    "name": "nightly",
    "description": "",
    "task": "probe.add",
    "args": "[1, 2]",
    "kwargs": "{}",
    "schedule": "0 2 * * *",
    "timezone": "Europe/Riga",
    "gap": "after",
    "repeated": "first",
    "enabled": "on",
    "starts_at": "",
    "ends_at": "",
    "queue": "celery",
    "priority": "5",
    "timeout": "60",
    "expires": "",
    "retry_policy": "exponential",
    "max_retries": "3",
    "retry_delay": "10",
    "retry_cap": "3600",
    "retry_jitter": "on",
    "overlap": "skip",
    "overlap_limit": "100",
    "missed": "latest",
    "missed_limit": "100",
    "grace": "60",
    "keep": "30",
    "calendar": "",
    "on_calendar": "skip",
    "jitter": "0",
    "upstream_rule": "all_succeeded",
    "fan_out": "one",
    "shards": "2",
    "max_running": "",
    "pool": "",
    "key": "",
    "key_limit": "",
    "breaker_failures": "",
    "breaker_percent": "",
    "breaker_window": "20",
    "breaker_exceptions": "",
    "breaker_pause": "300",
    "upstreams-TOTAL_FORMS": "0",
    "upstreams-INITIAL_FORMS": "0",
}
"""The form of a job as a browser sends it."""


def client_with(*permissions: str, name: str = "staff") -> Client:
    """A logged-in client of a staff member who has just these permissions on the jobs application."""
    user = User.objects.create_user(name, is_staff=True)
    found = Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions)
    assert found.count() == len(permissions), permissions
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, name: str, *args: object, **query: str) -> str:
    """A page's HTML; it must be there."""
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def press(client: Client, target: Model, operation: str) -> HttpResponse:
    """Press the button of an operation on the page of a job or a run."""
    address = reverse(f"admin:jobs_{target._meta.model_name}_operate", args=[target.pk, operation])
    return client.post(address)  # type: ignore[return-value]


def choose(client: Client, operation: str, *targets: Job | Run) -> HttpResponse:
    """Choose an action in the list for some jobs or runs."""
    address = reverse(f"admin:jobs_{targets[0]._meta.model_name}_changelist")
    chosen = [str(target.pk) for target in targets]
    return client.post(address, {"action": operation, "_selected_action": chosen})  # type: ignore[return-value]


def told(client: Client) -> str:
    """The messages that wait for the user, as text."""
    html = page(client, "admin:index")
    found = re.search(r'<ul class="messagelist">(.*?)</ul>', html, re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", found[1]) if found else ""
