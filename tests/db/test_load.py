"""The expected load: each minute's runs, counted as the ticks would come, and suggestions that keep their word."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import adjust, load
from jobs.models import Calendar, Job, Run, Upstream
from jobs.plan import plan
from jobs.policies.flatten import Suggestion
from jobs.policies.jitter import delay_of
from jobs.tick import tick
from tests.factories import make_job, make_worker

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 7, 1, 12, 0, 30, tzinfo=UTC)
START = NOW + timedelta(seconds=30)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def job_at(schedule: str, **fields: Any) -> Job:
    """A job that is planned by the beat, at NOW."""
    job = make_job(**{"schedule": schedule, "timezone": "UTC", "overlap": "allow"} | fields)
    planned()
    return job


def planned() -> None:
    Job.objects.filter(planned=False).update(planned=False, planned_from=NOW, owed_until=None)
    plan(NOW)


def minutes(found: load.Load) -> dict[datetime, int]:
    return {START + index * MINUTE: runs for index, runs in enumerate(found.per_minute) if runs}


def clock(hours: int, minute: int = 0) -> datetime:
    """The next moment at which the clock shows this, in UTC."""
    at = NOW.replace(hour=hours, minute=minute, second=0)
    return at if at >= START else at + DAY


def brute_force() -> Counter[int]:
    """The load, job by job and tick by tick."""
    counts: Counter[int] = Counter()
    for job in Job.objects.filter(enabled=True, next_run_at__isnull=False):
        assert job.next_run_at is not None
        until = min(job.ends_at or START + DAY, START + DAY)
        for at in job.schedule_in_force().between(job.next_run_at - timedelta(microseconds=1), until):
            minute = (at.astimezone(UTC) + delay_of(job.name, job.jitter) - START) // MINUTE
            counts[minute] += (job.shards if job.fan_out == "shards" else 1) if 0 <= minute < 1440 else 0
    return +counts


def test_it_begins_with_the_next_whole_minute() -> None:
    job_at("0 * * * *")
    found = load.expected(NOW, hours=3)
    assert (found.start, len(found.per_minute)) == (START, 180)
    assert minutes(found) == {clock(13): 1, clock(14): 1, clock(15): 1}
    assert load.expected(START).start == START


def test_every_kind_of_job_is_counted_as_its_ticks_would_come() -> None:
    for number in range(3):
        job_at("0 2 * * *", timezone="Europe/Riga")
        job_at("H 2 * * *")
        job_at("H/15 H(1-5) * * MON-FRI")
        job_at("0 * * * *", jitter=1800)
        job_at("H H * * *", jitter=3600)
        job_at("* * * * * *", name=f"second {number}")
    job_at("*/20 * * * * *", jitter=15)
    job_at("@every 45s")
    job_at("@every 7m", jitter=300)
    job_at("@daily", fan_out="shards", shards=7)
    job_at("@hourly", ends_at=NOW + timedelta(hours=5))
    job_at("@hourly", starts_at=NOW + timedelta(hours=20))
    job_at("@at 2026-07-01T20:00")
    job_at("@at 2026-08-01T20:00")
    job_at("0 3 * * *", enabled=False)
    found = load.expected(NOW)
    assert Counter({index: runs for index, runs in enumerate(found.per_minute) if runs}) == brute_force()
    assert found.total == brute_force().total()
    assert found.unread == 0


def test_the_runs_that_already_wait_for_their_time_are_counted() -> None:
    job = job_at("0 12 * * *", jitter=3600, name="invoices")
    Job.objects.update(next_run_at=NOW - 30 * timedelta(seconds=1))
    tick(NOW)
    due = job.runs.get().due_at
    assert due > START
    found = load.expected(NOW)
    assert minutes(found) == {due.replace(second=0, microsecond=0): 1}


def test_a_tick_that_has_run_early_is_not_counted_again() -> None:
    job = job_at("0 * * * *")
    adjust.run_early(job.pk, NOW, by="ann", why="now")
    Run.objects.update(due_at=NOW)
    assert clock(13) not in minutes(load.expected(NOW))


def test_one_run_for_each_live_worker() -> None:
    job_at("0 2 * * *", fan_out="workers")
    assert load.expected(NOW).total == 0
    worker = make_worker(NOW)
    worker.direct_queue = f"{worker.name}.dq"
    worker.save()
    assert load.expected(NOW).total == 1


def test_a_job_that_cannot_be_read_is_left_out_and_told() -> None:
    job_at("0 2 * * *")
    broken = [job_at("0 3 * * *").pk, job_at("H 3 * * *").pk]
    Job.objects.filter(pk__in=broken).update(planned_timezone="Mars/Olympus")
    found = load.expected(NOW)
    assert (found.total, found.unread) == (1, 2)
    assert load.suggestions(NOW) == []


def test_hours_that_make_no_sense_are_refused() -> None:
    for hours in (0, -1, 745):
        with pytest.raises(ValueError, match=f"hours: {hours} is not in 1-744"):
            load.expected(NOW, hours)


# Suggestions


def apply(suggestion: Suggestion) -> None:
    jobs = Job.objects.filter(name__in=suggestion.jobs)
    assert jobs.count() == len(suggestion.jobs)
    jobs.update(**{suggestion.field: suggestion.value})
    for job in jobs:
        job.full_clean()
    planned()


def keep_their_word(most: int = 10) -> list[Suggestion]:
    """Do what is suggested, one after the other, and see that each does what it said."""
    made = load.suggestions(NOW, most=most)
    height = _height(load.expected(NOW))
    for suggestion in made:
        assert suggestion.peak_before == height[0]
        apply(suggestion)
        after = load.expected(NOW)
        assert _height(after) == (suggestion.peak, suggestion.minutes), str(suggestion)
        assert _height(after) < height, "the peak, or the number of minutes that have it, goes down"
        height = _height(after)
    return made


def _height(found: load.Load) -> tuple[int, int]:
    return found.peak, len(found.busiest)


def test_two_jobs_at_the_same_minute_one_moves_to_the_nearest_free_one() -> None:
    job_at("0 2 * * *", name="a")
    job_at("0 2 * * *", name="b")
    job_at("1 2 * * *", name="c")
    (suggestion,) = keep_their_word()
    assert str(suggestion) == "job a: 0 2 * * * → 2 2 * * *"
    assert (suggestion.peak_before, suggestion.peak) == (2, 1)


def test_many_jobs_are_spread_by_their_hash() -> None:
    for number in range(40):
        job_at("0 2 * * *", name=f"job {number:02}")
    first, *_ = keep_their_word()
    assert str(first) == "give the 40 jobs with 0 2 * * * the schedule H 2 * * *"
    assert (first.peak_before, first.runs) == (40, 40)
    assert first.peak < 6


def test_a_minute_past_the_hour_moves_within_the_hour() -> None:
    for number in range(20):
        job_at("50 2 * * *", name=f"job {number:02}")
    first, *_ = keep_their_word()
    assert first.value == "H(50-59) 2 * * *"


def test_what_comes_every_few_minutes_is_spread_over_them_if_it_still_follows_the_clock() -> None:
    for number in range(20):
        job_at("*/5 * * * *", name=f"job {number:02}")
    first, *_ = keep_their_word()
    assert first.value == "H/5 * * * *"


def test_macros_are_written_out() -> None:
    job_at("@daily", name="a")
    job_at("@daily", name="b")
    assert [str(one) for one in keep_their_word()] == ["job a: @daily → 1 0 * * *"]


def test_where_the_ticks_own_time_matters_only_the_run_is_put_off() -> None:
    calendar = Calendar.objects.create(name="works")
    for number in range(10):
        job_at("0 2 * * *", name=f"templated {number}", templated=True, args=["{scheduled_for}"])
        job_at("0 2 * * *", name=f"calendar {number}", calendar=calendar)
        job_at("@every 1h", name=f"every {number}")
        job_at("*/5 2 * * *", name=f"fixed hour {number}")
    parent = job_at("0 2 * * *", name="parent")
    child = job_at("@after", name="child")
    Upstream.objects.create(job=child, upstream=parent)
    made = keep_their_word()
    assert made
    assert {one.field for one in made} == {"jitter"}


def test_a_job_that_cannot_be_moved_is_left_alone() -> None:
    for number in range(5):
        job_at("@at 2026-07-02T02:00", name=f"at {number}")
        job_at("0 2 * * *", name=f"ends {number}", ends_at=NOW + 10 * DAY)
        job_at("* * * * * *", name=f"second {number}")
    assert load.suggestions(NOW) == []


def test_a_job_with_many_shards_is_moved_out_of_the_way() -> None:
    job_at("0 2 * * *", name="a")
    job_at("0 2 * * *", name="wide", fan_out="shards", shards=50)
    job_at("*/10 2 * * *", name="b")
    first, *_ = keep_their_word()
    assert (first.jobs, first.peak_before, first.peak) == (("wide",), 52, 50)


def test_of_two_peaks_the_first_to_go_leaves_one() -> None:
    for hour in (2, 3):
        for number in range(2):
            job_at(f"0 {hour} * * *", name=f"{hour} {number}")
    made = keep_their_word()
    assert [(one.peak, one.minutes) for one in made] == [(2, 1), (1, 4)]


def test_a_mixed_day_goes_down_step_by_step_and_always_alike() -> None:
    texts = ["0 2 * * *", "0 * * * *", "*/15 * * * *", "30 2 * * 1-5", "@every 30m", "@hourly", "5 4 * * *"]
    for number in range(70):
        job_at(
            texts[number % 7],
            name=f"job {number}",
            timezone=("UTC", "Europe/Riga")[number % 2],
            templated=number % 5 == 0,
            **({"fan_out": "shards", "shards": 3} if number % 9 == 0 else {}),
        )
    assert load.suggestions(NOW) == load.suggestions(NOW)
    made = keep_their_word()
    assert made[-1].peak < made[0].peak_before / 2


def test_as_many_as_are_wanted_are_made_and_none_for_an_empty_day() -> None:
    assert load.suggestions(NOW) == []
    for hour in range(5):
        for number in range(5):
            job_at(f"0 {hour} * * *", name=f"{hour} {number}")
    assert len(load.suggestions(NOW, most=2)) == 2
    assert load.suggestions(NOW, most=0) == []
