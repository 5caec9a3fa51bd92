"""Backfill, the pure part: which ticks a range has, and what becomes of each."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies import backfill
from jobs.policies.backfill import Standing, Ticks, TooFarApart, Verdict, decide
from jobs.schedules import Schedule, parse

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TEXTS = (
    "*/10 * * * *",
    "@every 15m",
    "0 * * * *",
    "0,30 */2 * * *",
    "*/20 9-17 * * MON-FRI",
    "30 3 * * *",
    "0 0 1 1 *",
)
ZONES = ("UTC", "Europe/Riga", "Asia/Kathmandu")

schedules = st.builds(parse, st.sampled_from(TEXTS), st.sampled_from(ZONES))
moments = st.integers(0, 400 * 86_400).map(lambda second: NOON + timedelta(seconds=second))
lengths = st.timedeltas(timedelta(0), timedelta(days=2))


def fires(schedule: Schedule, first: datetime, last: datetime) -> set[datetime]:
    """By the schedule's own walk, in UTC."""
    return {fire.astimezone(UTC) for fire in schedule.between(first - timedelta(microseconds=1), last)}


@pytest.mark.parametrize(
    ("redo", "standing", "verdict"),
    [
        ("none", Standing.ABSENT, Verdict.NEW),
        ("none", Standing.FAILED, Verdict.LEAVE),
        ("none", Standing.SUCCEEDED, Verdict.LEAVE),
        ("failed", Standing.ABSENT, Verdict.NEW),
        ("failed", Standing.FAILED, Verdict.REDO),
        ("failed", Standing.SUCCEEDED, Verdict.LEAVE),
        ("all", Standing.ABSENT, Verdict.NEW),
        ("all", Standing.FAILED, Verdict.REDO),
        ("all", Standing.SUCCEEDED, Verdict.REDO),
    ],
)
def test_what_becomes_of_a_tick(redo: str, standing: Standing, verdict: Verdict) -> None:
    assert decide(redo, standing) is verdict


@pytest.mark.parametrize("redo", ["none", "failed", "all"])
def test_what_has_not_ended_is_never_doubled(redo: str) -> None:
    assert decide(redo, Standing.LIVE) is Verdict.LEAVE


@given(st.lists(schedules, min_size=1, max_size=3), moments, lengths)
def test_a_range_has_the_moments_at_which_all_schedules_fire(
    given_schedules: list[Schedule], first: datetime, length: timedelta
) -> None:
    last = first + length
    expected = sorted(set.intersection(*(fires(schedule, first, last) for schedule in given_schedules)))
    ticks = Ticks(tuple(given_schedules), first, last)
    assert list(ticks.forward(first)) == expected
    assert list(ticks.backward(last)) == expected[::-1]
    assert ticks.count() == len(expected)


@given(schedules, moments, lengths, lengths)
def test_a_walk_from_the_middle_has_the_rest(
    schedule: Schedule, first: datetime, length: timedelta, into: timedelta
) -> None:
    ticks = Ticks((schedule,), first, first + length)
    middle = first + into
    every = list(ticks.forward(first))
    assert list(ticks.forward(middle)) == [tick for tick in every if tick >= middle]
    assert list(ticks.backward(middle)) == [tick for tick in reversed(every) if tick <= middle]


def test_a_range_without_a_schedule_or_the_wrong_way_round_has_no_tick() -> None:
    schedule = parse("* * * * *", "UTC")
    for ticks in (Ticks((), NOON, NOON), Ticks((schedule,), NOON, NOON - timedelta(hours=1))):
        assert ticks.count() == 0
        assert list(ticks.forward(NOON)) == list(ticks.backward(NOON)) == []


def test_a_year_of_seconds_is_counted_and_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ticks, "forward", None)
    ticks = Ticks((parse("* * * * * *", "Europe/Riga"),), NOON, NOON + timedelta(days=365))
    assert ticks.count() == 365 * 86_400 + 1


def test_schedules_that_never_meet_are_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "MOST_STEPS", 1000)
    never = (parse("*/2 * * * * *", "UTC"), parse("1-59/2 * * * * *", "UTC"))
    ticks = Ticks(never, NOON, NOON + timedelta(days=365))
    with pytest.raises(TooFarApart, match="meet too rarely"):
        ticks.count()
    with pytest.raises(TooFarApart, match="meet too rarely"):
        next(ticks.backward(ticks.last))
