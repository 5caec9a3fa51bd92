"""One occurrence: a single tick is skipped, snoozed or given other arguments, and what makes no sense is refused."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobs import adjust
from jobs.admit import admit
from jobs.models import Adjustment, Job
from jobs.states import State
from jobs.tick import TickResult, tick
from tests.db.occurrences import ANN, BEFORE, HOUR, MINUTE, hourly, refusal, rows
from tests.factories import NOON, queued_run, reload

pytestmark = pytest.mark.django_db


# Skip


def test_the_next_tick_is_skipped_and_the_ledger_says_by_whom_and_why() -> None:
    job = hourly()
    made = adjust.skip(job.pk, BEFORE, **ANN)
    assert (made.first, made.last, made.made_by) == (NOON, NOON, "ann")
    assert tick(NOON) == TickResult(skipped=1)
    assert rows(job, "scheduled_for", "state", "reason") == [
        (NOON, State.SKIPPED, "skipped by ann: the source is late")
    ]
    assert tick(NOON + HOUR) == TickResult(fired=1)


def test_all_ticks_until_a_moment_are_skipped_and_the_moment_is_told_in_the_jobs_zone() -> None:
    job = hourly(timezone="Europe/Riga", overlap="allow")
    adjust.skip(job.pk, BEFORE, until=NOON + 2 * HOUR, **ANN)
    for hours in range(4):
        tick(NOON + hours * HOUR)
    told = "skipped by ann until 2026-07-01 17:00:00 EEST: the source is late"
    assert rows(job, "state", "reason") == [(State.SKIPPED, told)] * 3 + [(State.SCHEDULED, "")]


def test_a_later_tick_may_be_chosen() -> None:
    job = hourly(overlap="allow")
    adjust.skip(job.pk, BEFORE, tick=NOON + HOUR, **ANN)
    tick(NOON)
    tick(NOON + HOUR)
    assert rows(job, "state") == [(State.SCHEDULED,), (State.SKIPPED,)]


def test_a_skipped_tick_stands_in_nobodys_way() -> None:
    job = hourly(overlap="replace")
    running = queued_run(NOON - MINUTE, job)
    adjust.skip(job.pk, BEFORE, **ANN)
    tick(NOON)
    assert reload(running).state == State.QUEUED


# Snooze


def test_a_snoozed_tick_runs_later_as_the_tick_that_it_is() -> None:
    job = hourly(schedule="0 12 * * *", timezone="Europe/Riga", next_run_at=NOON - 3 * HOUR)
    tick_at, later = NOON - 3 * HOUR, NOON + 30 * MINUTE
    adjust.snooze(job.pk, tick_at - MINUTE, until=later, **ANN)
    assert tick(tick_at) == TickResult(fired=1)
    (run,) = job.runs.all()
    assert (run.scheduled_for, run.due_at, run.state) == (tick_at, later, State.WAITING)
    assert run.note == "snoozed by ann until 2026-07-01 15:30:00 EEST: the source is late"
    assert admit(later - MINUTE) == 0
    assert admit(later) == 1
    assert reload(run).note == run.note


def test_a_snoozed_tick_of_a_job_that_may_overlap_is_scheduled_for_then() -> None:
    job = hourly(overlap="allow", expires=60)
    adjust.snooze(job.pk, BEFORE, until=NOON + 90 * MINUTE, **ANN)
    tick(NOON)
    (run,) = job.runs.all()
    assert (run.state, run.due_at) == (State.SCHEDULED, NOON + 90 * MINUTE)
    assert run.expires_at == run.due_at + MINUTE, "the start deadline counts from when it is due"


@pytest.mark.parametrize("until", [NOON, NOON - MINUTE])
def test_a_tick_is_only_moved_to_later(until: datetime) -> None:
    job = hourly()
    with refusal("until", "after the tick's own time"):
        adjust.snooze(job.pk, BEFORE, until=until, **ANN)


def test_a_snoozed_tick_has_no_jitter() -> None:
    job = hourly(jitter=1800, overlap="allow")
    adjust.snooze(job.pk, BEFORE, until=NOON + HOUR, **ANN)
    tick(NOON)
    assert job.runs.get().due_at == NOON + HOUR


# Other arguments


def test_other_arguments_are_for_one_tick() -> None:
    job = hourly(overlap="allow", args=[1, 2], kwargs={"a": 1})
    adjust.give_arguments(job.pk, BEFORE, args=[40, 2], **ANN)
    tick(NOON)
    tick(NOON + HOUR)
    told = "other arguments by ann: the source is late"
    assert rows(job, "args", "kwargs", "note") == [([40, 2], {"a": 1}, told), ([1, 2], {"a": 1}, "")]


def test_templates_are_tried_for_that_tick() -> None:
    job = hourly(templated=True, args=["{scheduled_for:%H}"])
    with refusal("kwargs", 'unknown placeholder "{yesterday}"'):
        adjust.give_arguments(job.pk, BEFORE, kwargs={"day": "{yesterday}"}, **ANN)
    adjust.give_arguments(job.pk, BEFORE, kwargs={"day": "{scheduled_for:%d}"}, **ANN)
    tick(NOON)
    assert job.runs.get().kwargs == {"day": "{scheduled_for:%d}"}
    assert job.runs.get().templated


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({}, "args", "give arguments"),
        ({"args": {"a": 1}}, "args", "must be a JSON list"),
        ({"kwargs": [1]}, "kwargs", "must be a JSON object"),
        ({"args": [float("nan")]}, "args", "not JSON"),
        ({"args": ["\x00"]}, "args", "NUL"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(given: dict[str, Any], field: str, words: str) -> None:
    job = hourly()
    with refusal(field, words):
        adjust.give_arguments(job.pk, BEFORE, **given, **ANN)
    assert not Adjustment.objects.exists()


# Which tick


def test_the_tick_that_the_form_showed_has_gone_by() -> None:
    job = hourly()
    tick(NOON)
    with refusal("tick", "the tick of 2026-07-01 12:00:00 UTC has gone by; the next one is 2026-07-01 13:00:00 UTC"):
        adjust.skip(job.pk, NOON + MINUTE, tick=NOON, **ANN)


def test_a_moment_that_is_no_tick_is_refused() -> None:
    job = hourly(ends_at=NOON + 2 * HOUR)
    for moment in (NOON + MINUTE, NOON - MINUTE, NOON + 3 * HOUR):
        with refusal("tick", "the schedule has no tick at"):
            adjust.skip(job.pk, BEFORE, tick=moment, **ANN)
    for bad in (NOON.replace(tzinfo=None), "noon", NOON.replace(year=9999)):
        with refusal("tick", "."):
            adjust.skip(job.pk, BEFORE, tick=bad, **ANN)  # type: ignore[arg-type]


def test_jobs_without_a_next_tick_are_refused_with_the_reason() -> None:
    job = hourly()
    Job.objects.filter(pk=job.pk).update(planned=False)
    with refusal("tick", "edited a moment ago"):
        adjust.skip(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(planned=True, next_run_at=None)
    with refusal("tick", "no next tick"):
        adjust.skip(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON, planned_schedule="61 * * * *")
    with refusal("tick", "minute: 61"):
        adjust.skip(job.pk, BEFORE, **ANN)
    with pytest.raises(Job.DoesNotExist):
        adjust.skip(0, BEFORE, **ANN)


def test_the_two_hours_that_the_clock_shows_twice_are_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 03:30 in Riga, the first time
    job = hourly(schedule="*/30 * * * *", timezone="Europe/Riga", next_run_at=first, overlap="allow")
    second = (first + HOUR).astimezone(ZoneInfo("Europe/Riga"))
    assert adjust.skip(job.pk, first - MINUTE, tick=second, **ANN).first == first + HOUR
    for half_hours in range(4):
        tick(first + half_hours * 30 * MINUTE)
    assert rows(job, "state") == [(State.SCHEDULED,), (State.SCHEDULED,), (State.SKIPPED,), (State.SCHEDULED,)]


def test_a_second_decision_for_a_tick_is_refused_and_names_the_first() -> None:
    job = hourly()
    adjust.snooze(job.pk, BEFORE, until=NOON + HOUR, **ANN)
    with refusal("tick", "snoozed by ann until 2026-07-01 13:00:00 UTC: the source is late; take that back first"):
        adjust.skip(job.pk, BEFORE, until=NOON + 5 * HOUR, by="bob", why="no")
    with refusal("tick", "take that back first"):
        adjust.run_early(job.pk, BEFORE, by="bob", why="no")
    adjust.skip(job.pk, BEFORE, tick=NOON + HOUR, by="bob", why="that one")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"why": "  "}, "why", "say why"),
        ({"why": "x" * 501}, "why", "500"),
        ({"why": "\x00"}, "why", "NUL"),
        ({"by": ""}, "by", "blank"),
        ({"until": NOON - MINUTE}, "until", "before the tick"),
        ({"until": BEFORE}, "until", "has passed"),
        ({"until": NOON.replace(tzinfo=None)}, "until", "time zone"),
        ({"until": NOON.replace(year=2200)}, "until", "1971-2198"),
    ],
)
def test_bad_input_is_refused_at_its_field(fields: dict[str, Any], field: str, words: str) -> None:
    job = hourly()
    with refusal(field, words):
        adjust.skip(job.pk, BEFORE, **ANN | fields)
    assert not Adjustment.objects.exists()
