"""Loading the examples: once, and never over what an operator did."""

import inspect
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from celery import current_app
from django.core.management import call_command
from pytest_django import Settings

from examples.catalogue import EXAMPLES, Example
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State, Trigger
from tests.factories import make_job

pytestmark = pytest.mark.django_db
UPSTREAM = "Ask an unreliable upstream (demonstration)"


@pytest.fixture(autouse=True)
def directory(settings: Settings, tmp_path: Path) -> Path:
    settings.EXAMPLES_DIR = tmp_path / "home" / "files"
    return tmp_path / "home" / "files"


def load_examples() -> str:
    output = StringIO()
    call_command("load_examples", stdout=output)
    return output.getvalue()


def test_the_first_time_all_are_created(directory: Path) -> None:
    said = load_examples()
    assert set(Job.objects.values_list("name", flat=True)) == {example.name for example in EXAMPLES}
    assert all(f"example job: {example.name} (" in said for example in EXAMPLES)
    assert f"8 example jobs created, 0 loaded before; files in {directory}" in said
    assert sorted(path.name for path in directory.iterdir()) == ["backups", "contacts.csv", "reports"]
    assert directory.stat().st_mode & 0o077 == 0


def test_some_run_at_once() -> None:
    load_examples()
    at_once = {example.name for example in EXAMPLES if example.at_once}
    assert UPSTREAM in at_once
    runs = Run.objects.values_list("job__name", "trigger", "state")
    assert set(runs) == {(name, Trigger.MANUAL, State.SCHEDULED) for name in at_once}
    assert len(runs) == len(at_once)


def test_the_second_time_nothing_is_touched(directory: Path) -> None:
    load_examples()
    job = Job.objects.get(name=UPSTREAM)
    job.schedule, job.enabled = "@daily", False
    job.save()
    Job.objects.get(name="Sync the contacts").delete()
    (directory / "contacts.csv").write_text("mine")
    before = (list(Job.objects.values()), Run.objects.count())

    assert "0 example jobs created, 8 loaded before" in load_examples()

    assert (list(Job.objects.values()), Run.objects.count()) == before
    assert (directory / "contacts.csv").read_text() == "mine"


def test_a_job_of_that_name_stays_its_owners() -> None:
    make_job(name=UPSTREAM, task="probe.add")
    assert "7 example jobs created, 1 loaded before" in load_examples()
    assert Job.objects.get(name=UPSTREAM).task == "probe.add"
    assert not Run.objects.filter(job__name=UPSTREAM).exists()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_example_fits_its_task(example: Example) -> None:
    task = current_app.tasks[example.task]
    inspect.signature(task.run).bind(**example.kwargs)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_example_fires_within_a_year(example: Example) -> None:
    load_examples()
    now = database_now()
    following = Job.objects.get(name=example.name).parsed_schedule().next_after(now)
    assert following is not None
    assert following < now + timedelta(days=366)
