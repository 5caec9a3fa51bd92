"""The missed-tick policy: every due tick is run, in the missed stretch, or still to come; none twice, none lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import schedules
from jobs.policies.missed import MICROSECOND, Due, MissedRules, Stretch, decide

TEXTS = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 1 * * *",
    "30 2 * * *",
    "15 */3 * * *",
    "*/30 * * * * *",
    "0 9 * * MON#2",
    "@hourly",
    "@daily",
    "@every 1h30m",
    "@every 45s",
    "@every 37m",
    "@at 2026-11-01T01:30",
    "@at 2026-03-29T02:30",
]
ZONES = ["UTC", "Europe/Riga", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
SKIP = MissedRules("skip", timedelta(seconds=60))
LATEST = replace(SKIP, kind="latest")
EARLIEST = replace(SKIP, kind="earliest")
ALL = replace(SKIP, kind="all")
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
MINUTELY = schedules.parse("* * * * *", "UTC")


def minutes(*numbers: int) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(minutes=number) for number in numbers)


def stretch(first: int, last: int) -> Stretch:
    begin, end = minutes(first, last)
    return Stretch(begin, end, last - first + 1)


def hour(number: int) -> datetime:
    return NOON + timedelta(hours=number)


def hours(first: int, last: int) -> Stretch:
    return Stretch(hour(first), hour(last), last - first + 1)


@pytest.mark.parametrize(
    ("rules", "now", "expected"),
    [
        (SKIP, 0, Due(minutes(0), (), (), *minutes(1))),
        (SKIP, 1, Due(minutes(0, 1), (), (), *minutes(2))),
        (SKIP, 2, Due(minutes(1, 2), (), (stretch(0, 0),), *minutes(3))),
        (SKIP, 60, Due(minutes(59, 60), (), (stretch(0, 58),), *minutes(61))),
        (LATEST, 0, Due(minutes(0), (), (), *minutes(1))),
        (LATEST, 60, Due(minutes(59, 60), (), (stretch(0, 58),), *minutes(61))),
        (replace(SKIP, grace=timedelta(hours=1)), 3, Due(minutes(0, 1, 2, 3), (), (), *minutes(4))),
        (replace(SKIP, grace=timedelta(0)), 5, Due(minutes(5), (), (stretch(0, 4),), *minutes(6))),
    ],
)
def test_minutely_ticks_are_sorted_by_the_grace(rules: MissedRules, now: int, expected: Due) -> None:
    assert decide(MINUTELY, NOON, NOON + timedelta(minutes=now), rules, 100) == expected


@pytest.mark.parametrize(
    ("rules", "made_up", "missed"),
    [
        (SKIP, (), (hours(0, 3),)),
        (LATEST, (hour(3),), (hours(0, 2),)),
        (EARLIEST, (hour(0),), (hours(1, 3),)),
        (ALL, (hour(0), hour(1), hour(2), hour(3)), ()),
        (replace(ALL, limit=3), (hour(0), hour(1), hour(2)), (hours(3, 3),)),
        (replace(ALL, limit=1), (hour(0),), (hours(1, 3),)),
    ],
)
def test_late_ticks_are_made_up_for_as_the_policy_says(
    rules: MissedRules, made_up: tuple[datetime, ...], missed: tuple[Stretch, ...]
) -> None:
    now = NOON + timedelta(hours=3, minutes=30)
    due = decide(schedules.parse("@hourly", "UTC"), NOON, now, rules, 100)
    assert due == Due((), made_up, missed, NOON + timedelta(hours=4))


def test_a_single_late_tick_is_run_by_latest_without_a_missed_row() -> None:
    due = decide(schedules.parse("@daily", "UTC"), NOON.replace(hour=0), NOON, LATEST, 100)
    assert due == Due((), (NOON.replace(hour=0),), (), NOON.replace(hour=0, day=2))


@pytest.mark.parametrize("rules", [SKIP, LATEST])
def test_a_tick_exactly_as_late_as_the_grace_is_on_time_and_a_microsecond_later_it_is_late(rules: MissedRules) -> None:
    hourly = schedules.parse("@hourly", "UTC")
    assert decide(hourly, NOON, NOON + rules.grace, rules, 100).fire == (NOON,)
    late = decide(hourly, NOON, NOON + rules.grace + MICROSECOND, rules, 100)
    assert bool(late.missed) == (rules.kind == "skip")


def test_at_most_a_burst_is_run_at_once_and_the_rest_stays_due() -> None:
    rules = replace(SKIP, grace=timedelta(hours=1))
    due = decide(MINUTELY, NOON, NOON + timedelta(minutes=9), rules, 4)
    assert due == Due(minutes(0, 1, 2, 3), (), (), *minutes(4))


def test_a_schedule_that_has_ended_has_nothing_upcoming() -> None:
    once = schedules.parse("@at 2026-07-01T12:00", "UTC")
    assert decide(once, NOON, NOON, SKIP, 100) == Due((NOON,), (), (), None)


def test_a_year_of_missed_seconds_is_counted_not_walked() -> None:
    every_second = schedules.parse("* * * * * *", "UTC")
    due = decide(every_second, NOON, NOON + timedelta(days=365), replace(SKIP, grace=timedelta(0)), 100)
    assert due.missed == (Stretch(NOON, NOON + timedelta(days=365, seconds=-1), 365 * 86_400),)


def test_latest_across_the_repeated_hour_of_autumn_counts_both() -> None:
    riga = ZoneInfo("Europe/Riga")
    half_hourly = schedules.parse("*/30 * * * *", "Europe/Riga")
    first = datetime(2026, 10, 25, 3, 0, tzinfo=riga).astimezone(UTC)
    second_half_past_three = datetime(2026, 10, 25, 3, 30, fold=1, tzinfo=riga).astimezone(UTC)
    now = second_half_past_three + timedelta(minutes=10)
    due = decide(half_hourly, first, now, LATEST, 100)
    assert due.made_up == (second_half_past_three,)
    assert due.missed == (Stretch(first, second_half_past_three - timedelta(minutes=30), 3),)


around_clock_changes = st.sampled_from(
    [
        datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
        datetime(2026, 3, 8, 6, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
        datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
        datetime(2026, 10, 3, 15, 0, tzinfo=UTC),
        NOON,
    ]
)
the_rules = st.builds(
    MissedRules,
    kind=st.sampled_from(["skip", "latest", "earliest", "all"]),
    limit=st.integers(1, 8),
    grace=st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds)),
)


@settings(max_examples=400, deadline=None)
@given(
    text=st.sampled_from(TEXTS),
    zone=st.sampled_from(ZONES),
    around=around_clock_changes,
    offset=st.integers(-7200, 7200),
    gap=st.integers(0, 6 * 3600) | st.floats(0, 6 * 3600),
    rules=the_rules,
    burst=st.integers(1, 30),
)
def test_every_due_tick_is_run_or_missed_or_still_to_come(
    text: str, zone: str, around: datetime, offset: int, gap: float, rules: MissedRules, burst: int
) -> None:
    schedule = schedules.parse(text, zone)
    start = around + timedelta(seconds=offset)
    first = schedule.next_after(start)
    now = start + timedelta(seconds=gap)
    if first is None or first > now:
        return
    ticks = [tick.astimezone(UTC) for tick in schedule.between(start, now)]

    due = decide(schedule, first, now, rules, burst)

    missed = [tick for stretch in due.missed for tick in _covered(stretch, ticks)]
    rest = [tick for tick in ticks if due.upcoming is not None and tick >= due.upcoming]
    assert sorted([*missed, *due.made_up, *due.fire, *rest]) == ticks
    assert not rest or len(due.fire) == burst
    assert due.upcoming == schedule.next_after(ticks[-1] if not rest else rest[0] - MICROSECOND)
    _check_lateness(due, missed, now, rules)


def _covered(missed: Stretch, ticks: list[datetime]) -> list[datetime]:
    covered = [tick for tick in ticks if missed.first <= tick <= missed.last]
    assert len(covered) == missed.count
    assert (covered[0], covered[-1]) == (missed.first, missed.last)
    return covered


def _check_lateness(due: Due, missed: list[datetime], now: datetime, rules: MissedRules) -> None:
    late = sorted([*missed, *due.made_up])
    assert all(tick < now - rules.grace for tick in late)
    assert all(tick >= now - rules.grace for tick in due.fire)
    made_up = {
        "skip": [],
        "latest": [] if due.fire else late[-1:],
        "earliest": late[:1],
        "all": late[: rules.limit],
    }
    assert list(due.made_up) == made_up[rules.kind]


@settings(max_examples=150, deadline=None)
@given(
    text=st.sampled_from(TEXTS),
    zone=st.sampled_from(ZONES),
    around=around_clock_changes,
    gaps=st.lists(st.integers(1, 5400), min_size=1, max_size=8),
    rules=the_rules,
    burst=st.integers(1, 5),
)
def test_looking_again_and_again_at_any_moments_gives_every_tick_once(
    text: str, zone: str, around: datetime, gaps: list[int], rules: MissedRules, burst: int
) -> None:
    schedule = schedules.parse(text, zone)
    upcoming = schedule.next_after(around)
    now, seen = around, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        while upcoming is not None and upcoming <= now:
            due = decide(schedule, upcoming, now, rules, burst)
            seen += len(due.fire) + len(due.made_up) + sum(stretch.count for stretch in due.missed)
            upcoming = due.upcoming
    assert seen == schedule.count_between(around, now)
