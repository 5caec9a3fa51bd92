"""The README's section on calendars: each of the three policies, on the real engine."""

from datetime import timedelta

import pytest

from jobs.clock import database_now
from jobs.models import Calendar, Freeze, Job, Run
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

SECOND = timedelta(seconds=1)


def release(begins: int, lasts: int) -> Calendar:
    """A calendar with a freeze that begins and lasts so many seconds from now."""
    now = database_now()
    calendar = Calendar.objects.create(name="releases")
    start = now + begins * SECOND
    Freeze.objects.create(calendar=calendar, starts_at=start, ends_at=start + lasts * SECOND, reason="release 7")
    return calendar


def secondly(calendar: Calendar, on_calendar: str) -> Job:
    return make_job(schedule="* * * * * *", calendar=calendar, on_calendar=on_calendar, overlap="allow")


def test_a_freeze_skips_and_says_why(system: System) -> None:
    system.beat()
    job = secondly(release(0, 600), "skip")
    skipped = wait_until(job.runs.filter(state=State.SKIPPED).first, 20, "a skipped tick")
    assert skipped.reason.startswith("calendar releases: release 7, until ")


def test_a_freeze_postpones_one_run_to_its_end_and_lifting_it_lets_that_go(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    calendar = release(0, 600)
    job = secondly(calendar, "postpone")
    postponed = wait_until(job.runs.filter(note__contains="postponed by the calendar releases").first, 20, "one waits")
    wait_until(lambda: job.runs.filter(state=State.SKIPPED).count() >= 3, 20, "the other ticks are skipped")
    assert job.runs.exclude(state=State.SKIPPED).count() == 1
    calendar.freezes.all().delete()
    wait_until(lambda: Run.objects.get(pk=postponed.pk).state == State.SUCCEEDED, 20, "it has run")


def test_one_run_is_made_before_a_freeze(system: System) -> None:
    system.worker()
    system.beat()
    calendar = release(8, 600)
    freeze = calendar.freezes.get()
    at = (freeze.starts_at + 30 * SECOND).replace(microsecond=0)
    job = make_job(schedule=f"@at {at:%Y-%m-%dT%H:%M:%SZ}", calendar=calendar, on_calendar="before")
    run = wait_until(job.runs.filter(state=State.SUCCEEDED).first, 20, "it has run before")
    assert run.scheduled_for == at
    assert run.started_at is not None
    assert run.started_at < freeze.starts_at
    assert run.note == "run before the block of the calendar releases: release 7"


@pytest.mark.django_db
def test_business_days_are_the_calendars() -> None:
    latvia = Calendar.objects.create(name="Latvia", countries="LV", timezone="Europe/Riga")
    job = make_job(schedule="0 9 LB DEC *", timezone="Europe/Riga", calendar=latvia)
    fire = job.parsed_schedule().next_after(database_now().replace(year=2029, month=1, day=1))
    assert fire is not None
    assert f"{fire:%Y-%m-%d %a}" == "2029-12-28 Fri"  # the 31st, a Monday, is a holiday there
