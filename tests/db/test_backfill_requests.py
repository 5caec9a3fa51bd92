"""What is asked of a backfill: what is refused, with its field, and what the dry run says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from jobs import backfill
from jobs.backfill import Asked, preview
from jobs.births import Birth, insert, new_run_id
from jobs.models import Backfill, Job, Run, Upstream
from jobs.states import State, Trigger
from jobs.trigger import RequestRefused
from tests.backfills import HOUR, asked, hourly, hours, started, tick_row
from tests.connections import together
from tests.factories import NOON, make_job

pytestmark = pytest.mark.django_db

NAIVE = datetime(2026, 7, 1, 7)  # noqa: DTZ001
RIGA = ZoneInfo("Europe/Riga")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"first": NAIVE}, "first", "has no time zone"),
        ({"last": NAIVE}, "last", "has no time zone"),
        ({"first": "yesterday"}, "first", "must be a datetime"),
        ({"first": NOON - HOUR, "last": NOON - 2 * HOUR}, "last", "must not be before the first"),
        ({"last": NOON + HOUR}, "last", "lies in the future"),
        ({"last": datetime.max.replace(tzinfo=UTC)}, "last", "lies in the future"),
        ({"first": datetime.min.replace(tzinfo=UTC)}, "first", "must not be before the year 1970"),
        ({"first": NOON - 90 * timedelta(minutes=1), "last": NOON - 61 * timedelta(minutes=1)}, "last", "no tick in"),
        ({"redo": "some"}, "redo", "is not one of none, failed, all"),
        ({"order": "random"}, "order", "is not one of oldest, newest"),
        ({"at_once": 0}, "at_once", "must be a number from 1 to 1,000"),
        ({"at_once": 1001}, "at_once", "must be a number from 1 to 1,000"),
        ({"at_once": True}, "at_once", "must be a number from 1 to 1,000"),
        ({"at_once": "2"}, "at_once", "must be a number from 1 to 1,000"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(change: dict[str, Any], field: str, words: str) -> None:
    job = hourly()
    wish = replace(asked(), **change)
    for ask in (lambda: backfill.start(job.pk, wish, "ann", NOON), lambda: preview(job, wish, NOON)):
        with pytest.raises(RequestRefused, match=words) as refused:
            ask()
        assert refused.value.field == field
    assert not Backfill.objects.exists()


@pytest.mark.parametrize("why", ["", "  ", "x" * 501])
def test_it_needs_a_reason(why: str) -> None:
    with pytest.raises(RequestRefused, match="in 1 to 500 characters why"):
        backfill.start(hourly().pk, asked(why=why), "ann", NOON)


def test_a_job_that_is_gone_or_cannot_be_read_is_told() -> None:
    job = hourly()
    Job.objects.filter(pk=job.pk).update(schedule="nonsense")
    with pytest.raises(RequestRefused, match="job: its ticks cannot be told"):
        backfill.start(job.pk, asked(), "ann", NOON)
    job.delete()
    with pytest.raises(Job.DoesNotExist):
        backfill.start(4711, asked(), "ann", NOON)


def test_a_range_outside_of_the_jobs_own_bounds_says_so() -> None:
    job = hourly(starts_at=NOON)
    with pytest.raises(RequestRefused, match="before its start or after its end"):
        backfill.start(job.pk, asked(), "ann", NOON)


def test_two_times_of_one_zone_are_compared_as_moments() -> None:
    job = hourly()
    night = datetime(2025, 10, 26, 3, 30, tzinfo=RIGA)
    wish = Asked(night, night.replace(fold=1), why="the night of two threes")
    begun = backfill.start(job.pk, wish, "ann", NOON)
    assert begun.total == 1
    with pytest.raises(RequestRefused, match="must not be before the first"):
        backfill.start(job.pk, replace(wish, first=wish.last, last=wish.first), "ann", NOON)


@pytest.mark.parametrize(("fields", "words"), [({}, "5 ticks, more than 4"), ({"shards": 2}, "5 ticks and 10 runs")])
def test_an_absurd_range_is_refused_unless_told(settings: Settings, fields: dict[str, Any], words: str) -> None:
    settings.CARILLON = {"BACKFILL_LIMIT": 4}
    job = hourly(**fields, fan_out="shards" if fields else "one")
    assert words in preview(job, asked(), NOON).too_many
    with pytest.raises(RequestRefused, match=words) as refused:
        backfill.start(job.pk, asked(), "ann", NOON)
    assert refused.value.field == "even_if_many"
    assert backfill.start(job.pk, asked(), "ann", NOON, even_if_many=True).total == 5


def test_a_second_backfill_of_the_same_ticks_is_refused_until_the_first_has_ended() -> None:
    job = hourly()
    first = started(job, 5, 3)
    for overlapping in ((5, 3), (3, 1), (9, 5), (9, 1), (4, 4)):
        with pytest.raises(RequestRefused, match=f"the backfill {first.pk} of this job, from 2026-07-01 07:00:00 to"):
            started(job, *overlapping)
    started(job, 2, 1)
    started(job, 9, 6)
    started(hourly(), 5, 3)
    backfill.pause(first.pk, "ann")
    with pytest.raises(RequestRefused, match="has not ended"):
        started(job, 5, 3)
    backfill.cancel(first.pk, "ann", NOON, lambda _: None)
    started(job, 5, 3)


@pytest.mark.django_db(transaction=True)
def test_of_two_that_start_the_same_at_once_one_is_refused() -> None:
    job = hourly()

    def ask() -> bool:
        try:
            started(job)
        except RequestRefused:
            return False
        return True

    assert sorted(together(ask, ask, ask)) == [False, False, True]
    assert Backfill.objects.count() == 1


def ledger(job: Job) -> None:
    """Ticks of all kinds, from nine hours before noon to three before; the two after have none."""
    states = (State.SUCCEEDED, State.FAILED, State.SKIPPED, State.SCHEDULED, State.SUCCEEDED, State.CANCELLED)
    for when, state in zip(hours(9, 4), states, strict=True):
        tick_row(job, when, state)
    tick_row(job, NOON - 14 * HOUR, State.MISSED, last_scheduled_for=NOON - 11 * HOUR, ticks=4)
    insert([Birth(new_run_id(NOON), job.pk, NOON - HOUR, trigger=Trigger.MANUAL)], NOON)


@pytest.mark.parametrize(
    ("redo", "new", "redone", "left"),
    [
        ("none", 4, 0, [(1, "not ended"), (2, "have run already"), (6, "failed or did not run")]),
        ("failed", 4, 6, [(1, "not ended"), (2, "have run already")]),
        ("all", 4, 8, [(1, "not ended")]),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_the_dry_run_says_what_would_be_made(
    monkeypatch: pytest.MonkeyPatch, redo: str, new: int, redone: int, left: list[tuple[int, str]], exact: bool
) -> None:
    if not exact:
        monkeypatch.setattr("jobs.backfill.dry_run.MOST_LOOKED_AT", 3)
    job = hourly()
    ledger(job)
    before = Run.objects.count()
    told = preview(job, asked(13, 1, redo=redo), NOON)
    assert (told.total, told.new, told.redone, told.exact) == (13, new, redone, exact)
    assert [number for number, _ in told.left] == [number for number, _ in left]
    assert all(words in said for (_, said), (_, words) in zip(told.left, left, strict=True))
    assert told.runs == new + redone
    assert told.first == tuple(hours(13, 9))
    assert told.last == tuple(hours(5, 1))
    assert not told.too_many
    assert (Run.objects.count(), Backfill.objects.count()) == (before, 0), "nothing is made"
    backfill.start(job.pk, asked(13, 1, redo=redo), "ann", NOON)
    assert backfill.advance(NOON).made == told.runs, "and then it is so"


def test_a_short_range_shows_no_tick_twice() -> None:
    told = preview(hourly(), asked(7, 1), NOON)
    assert (told.first, told.last) == (tuple(hours(7, 3)), tuple(hours(2, 1)))
    assert preview(hourly(), asked(1, 1), NOON).last == ()


def test_the_dry_run_of_a_year_of_seconds_is_arithmetic() -> None:
    job = hourly(schedule="* * * * * *")
    tick_row(job, NOON - 48 * HOUR, State.MISSED, last_scheduled_for=NOON - 47 * HOUR, ticks=3601)
    tick_row(job, NOON - 47 * HOUR, State.SUCCEEDED)
    told = preview(job, Asked(NOON - timedelta(days=365), NOON, "failed", why="a year"), NOON)
    assert told.total == 365 * 86_400 + 1
    assert (told.redone, told.left[0][0]) == (3600, 1)
    assert told.new == told.total - 3601
    assert "31,536,001 ticks, more than 10,000" in told.too_many


def test_a_job_after_others_has_the_ticks_that_they_have_in_common() -> None:
    family = {
        name: make_job(name=name, schedule=schedule, timezone="UTC", overlap="allow")
        for name, schedule in (("a", "0 * * * *"), ("b", "0 */2 * * *"), ("c", "@after"), ("d", "@After"))
    }
    for below, above in (("c", "a"), ("d", "c"), ("d", "b")):
        Upstream.objects.create(job=family[below], upstream=family[above])
    Job.objects.update(planned=True, next_run_at=None)
    begun = started(family["d"], 5, 1)
    assert begun.total == 2
    backfill.advance(NOON)
    made = family["d"].runs.order_by("scheduled_for")
    assert [run.scheduled_for for run in made] == [NOON - 4 * HOUR, NOON - 2 * HOUR]
    assert made[0].interval_start is not None
    assert {run.upstream for run in made} == {""}, "it waits for nobody"
    assert not family["c"].runs.exists(), "and takes nobody along"
    assert started(family["c"], 5, 1).total == 5


def test_a_job_after_no_others_has_no_ticks() -> None:
    job = make_job(schedule="@after")
    with pytest.raises(RequestRefused, match="it only runs after others, and is after none"):
        backfill.start(job.pk, asked(), "ann", NOON)


def test_a_circle_of_jobs_is_no_trap() -> None:
    first, second = make_job(schedule="@after"), make_job(schedule="@after")
    Upstream.objects.bulk_create([Upstream(job=first, upstream=second), Upstream(job=second, upstream=first)])
    with pytest.raises(RequestRefused, match="has no ticks"):
        backfill.start(first.pk, asked(), "ann", NOON)
