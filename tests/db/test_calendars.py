"""A job's calendar: what becomes of the ticks that it blocks, and that nothing starts in a freeze."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import Blackout, Calendar, Freeze, Job, Run
from jobs.plan import plan
from jobs.states import State
from jobs.tick import TickResult, tick
from tests.connections import together
from tests.factories import NOON, make_job, planned_job

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
END = NOON + HOUR


def frozen(start: datetime = NOON, end: datetime = END, **fields: Any) -> Calendar:
    """A calendar with a freeze, by default for an hour from noon."""
    calendar = Calendar.objects.create(**({"name": "releases"} | fields))
    Freeze.objects.create(calendar=calendar, starts_at=start, ends_at=end, reason="release 7")
    return calendar


def with_calendar(calendar: Calendar, on_calendar: str = "skip", at: datetime = NOON, **fields: Any) -> Job:
    fields = {"schedule": "*/10 * * * *", "timezone": "UTC", "overlap": "allow", "retry_policy": "none"} | fields
    return planned_job(at, calendar=calendar, on_calendar=on_calendar, **fields)


def work_until(end: datetime, start: datetime = NOON, step: timedelta = 10 * MINUTE) -> None:
    """What beats do from one moment to another."""
    now = start
    while now <= end:
        plan(now)
        tick(now)
        now += step


def plan_edits_of(now: datetime) -> None:
    """Plan what was edited, as if that had been done at this moment."""
    assert Job.objects.filter(planned=False).update(planned=False, planned_from=now, owed_until=now)
    plan(now)


def ledger(job: Job) -> list[tuple[str, str, str]]:
    """The ticks with their state, and the moment at which they are due where that is another."""
    runs = Run.objects.filter(job=job).order_by("scheduled_for", "id")
    return [
        (f"{run.scheduled_for:%H:%M}", run.state, "" if run.due_at == run.scheduled_for else f"{run.due_at:%H:%M}")
        for run in runs
    ]


def reasons(job: Job) -> list[str]:
    return list(
        Run.objects.filter(job=job).exclude(reason="").order_by("scheduled_for").values_list("reason", flat=True)
    )


def test_a_blocked_tick_is_skipped_with_what_blocks_it_and_until_when() -> None:
    job = with_calendar(frozen(), at=NOON - 10 * MINUTE)
    work_until(END, NOON - 10 * MINUTE)
    states = [state for _, state, _ in ledger(job)]
    assert states == ["scheduled", *["skipped"] * 6, "scheduled"]
    assert set(reasons(job)) == {"calendar releases: release 7, until 2026-07-01 13:00 UTC"}


def test_one_run_is_postponed_for_the_whole_block() -> None:
    job = with_calendar(frozen(), "postpone")
    work_until(END)
    assert ledger(job)[:2] == [("12:00", "scheduled", "13:00"), ("12:10", "skipped", "")]
    assert [state for _, state, _ in ledger(job)] == ["scheduled", *["skipped"] * 5, "scheduled"]
    assert Run.objects.get(job=job, scheduled_for=NOON).note == "postponed by the calendar releases: release 7"
    assert "one run stands for all ticks of the block, and is due at its end" in reasons(job)[0]


def test_a_postponed_run_that_may_not_overlap_waits_for_its_time() -> None:
    job = with_calendar(frozen(), "postpone", overlap="skip")
    tick(NOON)
    assert ledger(job) == [("12:00", "waiting", "13:00")]


def test_one_run_is_made_right_before_the_block() -> None:
    job = with_calendar(frozen(), "before", NOON - 10 * MINUTE)
    tick(NOON - 10 * MINUTE)
    assert Job.objects.get(pk=job.pk).next_run_at == NOON - MINUTE
    tick(NOON - 2 * MINUTE)
    assert Run.objects.count() == 1
    assert tick(NOON - MINUTE) == TickResult(fired=1)
    work_until(END)
    assert ledger(job)[:3] == [("11:50", "scheduled", ""), ("12:00", "scheduled", "11:59"), ("12:10", "skipped", "")]
    assert [state for _, state, _ in ledger(job)] == ["scheduled", "scheduled", *["skipped"] * 5, "scheduled"]
    assert "for 2026-07-01 12:00 UTC, and was due before it" in reasons(job)[0]
    assert Run.objects.get(scheduled_for=NOON).note == "run before the block of the calendar releases: release 7"


def test_what_could_not_be_run_before_the_block_is_skipped_and_says_so() -> None:
    job = with_calendar(frozen(), "before", NOON - MINUTE)
    work_until(END, NOON)
    assert [state for _, state, _ in ledger(job)] == [*["skipped"] * 6, "scheduled"]
    assert "it could not be run before the block" in reasons(job)[0]


def test_a_new_job_wakes_before_the_block_and_a_restart_or_an_edit_runs_it_once() -> None:
    before = NOON - 5 * MINUTE
    job = make_job(schedule="0 * * * *", timezone="UTC", calendar=frozen(), on_calendar="before", overlap="replace")
    Job.objects.update(planned_from=before)
    plan(before)
    assert Job.objects.get().next_run_at == NOON - MINUTE
    tick(NOON - MINUTE)
    job.save()
    Job.objects.filter(pk=job.pk).update(schedule="0 * * * 0-7")
    plan_edits_of(NOON - MINUTE / 2)
    assert Job.objects.get().next_run_at == NOON + HOUR
    tick(NOON)
    assert [state for _, state, _ in ledger(job)] == ["scheduled"]


def test_seconds_before_the_block_the_ticks_that_come_first_go_first() -> None:
    job = with_calendar(frozen(), "before", NOON - 20 * timedelta(seconds=1), schedule="*/10 * * * * *")
    for seconds in (20, 10):
        tick(NOON - timedelta(seconds=seconds))
    assert [f"{run.scheduled_for:%H:%M:%S}" for run in Run.objects.filter(job=job).order_by("scheduled_for")] == [
        "11:59:40",
        "11:59:50",
        "12:00:00",
    ]


@pytest.mark.parametrize(("missed", "made_up"), [("latest", 1), ("earliest", 1), ("all", 12)])
@pytest.mark.parametrize("on_calendar", ["skip", "postpone", "before"])
def test_nothing_that_is_made_up_for_starts_in_a_freeze(missed: str, made_up: int, on_calendar: str) -> None:
    now = NOON + 5 * MINUTE
    first = NOON - 2 * HOUR + 1 * MINUTE
    job = with_calendar(frozen(), on_calendar, first, schedule="1-59/10 * * * *", missed=missed, grace=0)
    tick(now)
    runs = Run.objects.filter(job=job)
    assert runs.filter(state__in=(State.SCHEDULED, State.WAITING), due_at__lt=END).count() == 0
    assert runs.exclude(state=State.MISSED).count() >= made_up
    assert runs.filter(state=State.SCHEDULED, due_at=END).count() == (1 if on_calendar == "postpone" else 0)
    assert sum(run.ticks for run in runs) == 13


def test_a_tick_that_was_on_time_before_the_freeze_is_not_affected() -> None:
    job = with_calendar(frozen(), at=NOON - 10 * MINUTE, grace=3600)
    tick(NOON + 5 * MINUTE)
    assert ledger(job) == [("11:50", "scheduled", ""), ("12:00", "skipped", "")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("on_calendar", ["skip", "postpone", "before"])
def test_two_beats_decide_alike_and_make_one_run_for_a_block(on_calendar: str) -> None:
    calendar = frozen()
    jobs = [with_calendar(calendar, on_calendar, NOON - MINUTE) for _ in range(20)]
    for minutes in (-1, 0, 10, 20):
        now = NOON + minutes * MINUTE
        together(lambda: tick(now), lambda: tick(now))  # noqa: B023 - called at once
        tick(now)
    for job in jobs:
        expected = 0 if on_calendar == "skip" else 1
        assert Run.objects.filter(job=job, state=State.SCHEDULED).count() == expected
        assert Run.objects.filter(job=job).count() == 3


def test_a_freeze_that_is_prolonged_takes_the_postponed_run_along() -> None:
    calendar = frozen()
    job = with_calendar(calendar, "postpone", expires=60)
    tick(NOON)
    calendar.freezes.get().delete()
    Freeze.objects.create(calendar=calendar, starts_at=NOON, ends_at=END + HOUR, reason="longer")
    plan_edits_of(NOON + MINUTE)
    run = Run.objects.get(job=job)
    assert (run.due_at, run.expires_at) == (END + HOUR, END + HOUR + MINUTE)
    work_until(NOON + 20 * MINUTE, NOON + 10 * MINUTE)
    assert Run.objects.filter(state=State.SCHEDULED).count() == 1


def test_a_freeze_that_is_lifted_lets_the_postponed_run_go_at_once() -> None:
    calendar = frozen()
    job = with_calendar(calendar, "postpone")
    tick(NOON)
    calendar.freezes.all().delete()
    plan_edits_of(NOON + MINUTE)
    assert Run.objects.get(job=job).due_at == NOON + MINUTE


@pytest.mark.parametrize(
    "edit",
    [
        lambda calendar: calendar.save(),
        lambda calendar: Calendar.objects.filter(pk=calendar.pk).update(countries="LV"),
        lambda calendar: calendar.freezes.get().save(),
        lambda calendar: calendar.freezes.get().delete(),
        lambda calendar: calendar.freezes.all().delete(),
        lambda calendar: calendar.freezes.update(reason="other"),
        lambda calendar: Freeze.objects.bulk_create(
            [Freeze(calendar=calendar, starts_at=NOON, ends_at=END, reason="another")]
        ),
        lambda calendar: Blackout.objects.create(calendar=calendar, schedule="@daily", minutes=5, reason="backup"),
    ],
)
def test_every_edit_of_a_calendar_marks_its_jobs_and_makes_a_new_version(edit: Any) -> None:
    calendar = frozen()
    job, other = with_calendar(calendar), planned_job()
    before = calendar.value()
    edit(calendar)
    assert Calendar.objects.get().value() != before
    assert list(Job.objects.filter(planned=False)) == [job]
    assert Job.objects.get(pk=other.pk).planned


def test_a_calendar_is_read_once_for_each_version_and_asked_for_once_a_batch() -> None:
    calendar = frozen()
    for _ in range(5):
        with_calendar(calendar, schedule="0 12 B * *")
    planned_job(NOON + HOUR)
    tick(NOON)
    Run.objects.all().delete()
    Job.objects.update(next_run_at=NOON, planned=True)
    with CaptureQueriesContext(connection) as captured:
        tick(NOON)
    asked = [query["sql"] for query in captured if "jobs_calendar" in query["sql"] and "FROM" in query["sql"]]
    assert len([sql for sql in asked if sql.startswith("SELECT")]) == 1
    assert not [query["sql"] for query in captured if "jobs_freeze" in query["sql"]]


def test_without_calendars_none_is_asked_for() -> None:
    planned_job(schedule="0 12 B * *")
    with CaptureQueriesContext(connection) as captured:
        tick(NOON)
    assert not [query["sql"] for query in captured if 'FROM "jobs_calendar"' in query["sql"]]


def test_business_days_are_those_of_the_jobs_calendar() -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", timezone="Europe/Riga")
    job = make_job(schedule="0 9 2B * *", timezone="Europe/Riga", calendar=calendar)
    new_year = datetime(2026, 12, 31, tzinfo=UTC)
    plain = make_job(schedule="0 9 2B * *", timezone="Europe/Riga")
    assert str(plain.parsed_schedule().next_after(new_year).date()) == "2027-01-04"  # type: ignore[union-attr]
    assert str(job.parsed_schedule().next_after(new_year).date()) == "2027-01-05"  # type: ignore[union-attr]


def test_a_calendar_that_cannot_be_read_sets_its_jobs_aside_and_no_others() -> None:
    broken, other = with_calendar(frozen()), planned_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_calendar SET countries = 'XX', updated_at = now() + interval '1 hour'")
    assert tick(NOON).set_aside == 1
    assert "calendar releases: 'XX'" in Job.objects.get(pk=broken.pk).error
    assert Run.objects.filter(job=other).count() == 1


def test_a_job_after_others_has_no_ticks_and_none_is_set_aside() -> None:
    job = make_job(schedule="@after")
    plan(NOON)
    planned = Job.objects.get(pk=job.pk)
    assert (planned.next_run_at, planned.planned, planned.error) == (None, True, "")


@pytest.mark.parametrize("end", [END, None])
def test_what_is_postponed_beyond_the_jobs_end_is_skipped(end: datetime | None) -> None:
    calendar = frozen(end=END if end else NOON + timedelta(days=800))
    job = with_calendar(calendar, "postpone", ends_at=NOON + MINUTE * 30)
    tick(NOON)
    assert ledger(job) == [("12:00", "skipped", "")]
    assert ("beyond the job's end" if end else "an end to postpone it to is not known") in reasons(job)[0]


def test_a_cancelled_stand_in_is_not_made_again() -> None:
    job = with_calendar(frozen(), "postpone")
    tick(NOON)
    Run.objects.update(state=State.CANCELLED, finished_at=NOON)
    work_until(NOON + 20 * MINUTE, NOON + 10 * MINUTE)
    assert [state for _, state, _ in ledger(job)] == ["cancelled", "skipped", "skipped"]
