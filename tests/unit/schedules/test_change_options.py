"""What a schedule's options `gap` and `repeated` make of clock changes: known nights, and the oracle for all others."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.schedules import Schedule, parse
from tests.unit.schedules.oracle import fires_of_fixed_times
from tests.unit.schedules.test_daylight_saving import (
    APIA_SKIPS_A_DAY,
    HOWE_AUTUMN,
    HOWE_SPRING,
    RIGA_SPRING,
    SAO_PAULO_AUTUMN,
    SAO_PAULO_SPRING,
    YORK_AUTUMN,
    YORK_SPRING,
    Night,
    brief,
    change_within,
    listed,
)
from tests.unit.schedules.test_properties import parsed
from tests.unit.schedules.texts import ALL_TEXTS, OPTIONS, change_days, moments
from tests.unit.schedules.times import local, utc

TABLE: list[tuple[str, str, Night, list[str]]] = [
    # The skipped hour: right after it, or not that day.
    ("30 2 * * *", "after", YORK_SPRING, ["03-08 03:00-04"]),
    ("30 2 * * *", "skip", YORK_SPRING, []),
    ("0 1-4 * * *", "skip", YORK_SPRING, ["03-08 01:00-05", "03-08 03:00-04", "03-08 04:00-04"]),
    ("0 2 * * *", "skip", YORK_SPRING, []),
    ("0 3 * * *", "skip", YORK_SPRING, ["03-08 03:00-04"]),
    ("0-59 2 * * *", "skip", YORK_SPRING, []),
    ("15 30 2 * * ? 2026", "skip", YORK_SPRING, []),
    ("H(5-5) H(2-2) * * *", "skip", YORK_SPRING, []),
    ("10 2 * * *", "skip", HOWE_SPRING, []),
    ("10,40 2 * * *", "skip", HOWE_SPRING, ["10-04 02:40+11"]),
    ("10,40 2 * * *", "after", HOWE_SPRING, ["10-04 02:30+11", "10-04 02:40+11"]),
    ("0 0 * * *", "skip", SAO_PAULO_SPRING, ["11-05 00:00-02"]),
    ("@daily", "skip", SAO_PAULO_SPRING, ["11-05 00:00-02"]),
    ("@weekly", "skip", SAO_PAULO_SPRING, []),
    ("0 9 * * *", "skip", APIA_SKIPS_A_DAY, ["12-29 09:00-10", "12-31 09:00+14"]),
    ("0 9 30 12 *", "skip", APIA_SKIPS_A_DAY, []),
    # The repeated hour: the first time, the second time, both times.
    ("30 1 * * *", "first", YORK_AUTUMN, ["11-01 01:30-04"]),
    ("30 1 * * *", "second", YORK_AUTUMN, ["11-01 01:30-05"]),
    ("30 1 * * *", "both", YORK_AUTUMN, ["11-01 01:30-04", "11-01 01:30-05"]),
    ("0 1-2 * * *", "second", YORK_AUTUMN, ["11-01 01:00-05", "11-01 02:00-05"]),
    ("0 1-2 * * *", "both", YORK_AUTUMN, ["11-01 01:00-04", "11-01 01:00-05", "11-01 02:00-05"]),
    ("0,30 30 1 * * *", "second", YORK_AUTUMN, ["11-01 01:30-05", "11-01 01:30:30-05"]),
    ("0 30 1 * * ? 2026", "both", YORK_AUTUMN, ["11-01 01:30-04", "11-01 01:30-05"]),
    ("15,45 1 * * *", "second", HOWE_AUTUMN, ["04-05 01:15+11", "04-05 01:45+1030"]),
    ("15,45 1 * * *", "both", HOWE_AUTUMN, ["04-05 01:15+11", "04-05 01:45+11", "04-05 01:45+1030"]),
    ("30 23 * * *", "second", SAO_PAULO_AUTUMN, ["02-17 23:30-03"]),
    ("30 23 * * *", "both", SAO_PAULO_AUTUMN, ["02-17 23:30-02", "02-17 23:30-03"]),
    ("@at 2026-11-01T01:30", "first", YORK_AUTUMN, ["11-01 01:30-04"]),
    ("@at 2026-11-01T01:30", "second", YORK_AUTUMN, ["11-01 01:30-05"]),
    ("@at 2026-11-01T01:30", "both", YORK_AUTUMN, ["11-01 01:30-04"]),
    ("@at 2026-11-01T01:30-05:00", "first", YORK_AUTUMN, ["11-01 01:30-05"]),
    # Times that follow the clock do so whatever is asked, and a fixed distance knows no clock.
    ("*/30 2 * * *", "after", YORK_SPRING, []),
    ("*/30 1 * * *", "second", YORK_AUTUMN, ["11-01 01:00-04", "11-01 01:30-04", "11-01 01:00-05", "11-01 01:30-05"]),
    ("@every 12h", "second", YORK_AUTUMN, ["11-01 07:00-05", "11-01 19:00-05"]),
]  # fmt: skip

NIGHTS = [pytest.param(*row, id=f"{row[0]} {row[1]} in {row[2][0]} on {row[2][1]}") for row in TABLE]


def with_option(text: str, zone: str, option: str) -> Schedule:
    options: dict[str, Any] = {"gap" if option in ("after", "skip") else "repeated": option}
    return parse(text, zone, **options)


@pytest.mark.parametrize(("text", "option", "night", "expected"), NIGHTS)
def test_known_nights(text: str, option: str, night: Night, expected: list[str]) -> None:
    zone, start, end = night
    schedule = with_option(text, zone, option)
    first, last = local(start, zone) - timedelta(seconds=1), local(end, zone)
    assert [brief(fire) for fire in schedule.between(first, last)] == expected
    assert schedule.count_between(first, last) == len(expected)
    moment, found = last + timedelta(seconds=1), []
    while (fire := schedule.previous_before(moment)) and fire.astimezone(UTC) > first.astimezone(UTC):
        found.append(brief(fire))
        moment = fire
    assert found == expected[::-1]


def test_the_second_time_has_fold_set() -> None:
    night = local("2026-11-01", "America/New_York"), local("2026-11-02", "America/New_York")
    for option, folds in (("first", [0]), ("second", [1]), ("both", [0, 1])):
        assert [fire.fold for fire in with_option("30 1 * * *", "America/New_York", option).between(*night)] == folds


def test_from_within_the_repeated_hour() -> None:
    schedule = parse("30 1 1 11 *", "America/New_York", repeated="second")
    for minute, fold in ((0, 0), (30, 0), (59, 0), (29, 1)):
        moment = local(f"2026-11-01 01:{minute:02}", "America/New_York", fold=fold)
        assert str(schedule.next_after(moment)) == "2026-11-01 01:30:00-05:00"
        assert str(schedule.previous_before(moment)) == "2025-11-01 01:30:00-04:00"
    after = local("2026-11-01 01:31", "America/New_York", fold=1)
    assert str(schedule.previous_before(after)) == "2026-11-01 01:30:00-05:00"
    assert str(schedule.next_after(after)) == "2027-11-01 01:30:00-04:00"


def test_a_time_that_never_comes_any_more() -> None:
    schedule = parse("0 30 2 8 3 ? 2026", "America/New_York", gap="skip")
    assert schedule.next_after(utc("2026-01-01")) is None
    assert schedule.previous_before(utc("2199-01-01")) is None


def test_a_year_of_fixed_times_is_counted_exactly() -> None:
    year = local("2026-01-01", "America/New_York"), local("2027-01-01", "America/New_York")
    counts = {
        (gap, repeated): parse("0 0-59 1-2 * * *", "America/New_York", gap=gap, repeated=repeated).count_between(*year)
        for gap in ("after", "skip")
        for repeated in ("first", "second", "both")
    }
    every = 365 * 120
    assert counts == {
        ("after", "first"): every - 60 + 1, ("after", "second"): every - 60 + 1, ("after", "both"): every + 1,
        ("skip", "first"): every - 60, ("skip", "second"): every - 60, ("skip", "both"): every,
    }  # fmt: skip


class TestAsAValue:
    def test_the_options_of_fixed_times_make_a_schedule(self) -> None:
        default = parse("0 2 * * *", "Europe/Riga")
        assert (default.gap, default.repeated) == ("after", "first")
        others = [parse("0 2 * * *", "Europe/Riga", gap="skip"), parse("0 2 * * *", "Europe/Riga", repeated="both")]
        assert len({default, *others}) == 3
        assert {str(schedule) for schedule in others} == {"0 2 * * *"}
        assert parse("0 2 * * *", "Europe/Riga", gap="skip") is others[0]

    @pytest.mark.parametrize("text", ["*/5 2 * * *", "0 * * * *", "@hourly", "@every 1h", "@at 2027-01-01T09:00Z"])
    def test_where_they_change_nothing_they_are_left_out(self, text: str) -> None:
        assert parse(text, "Europe/Riga", gap="skip", repeated="both") == parse(text, "Europe/Riga")

    def test_a_copy_is_the_same_schedule(self) -> None:
        schedule = parse("30 1 * * *", "America/New_York", gap="skip", repeated="second")
        for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):  # noqa: S301
            assert twin == schedule
            assert hash(twin) == hash(schedule)
            assert str(twin.next_after(utc("2026-11-01T00:00"))) == "2026-11-01 01:30:00-05:00"


class TestSkippedTimes:
    def told(self, text: str, night: Night, gap: str) -> list[tuple[str, str, int, bool]]:
        zone, start, end = night
        window = local(start, zone), local(end, zone)
        found = parse(text, zone, gap=gap).skipped_between(*window)
        return [(brief(skip.gap_end), f"{skip.first:%m-%d %H:%M}", skip.count, skip.run) for skip in found]

    @pytest.mark.parametrize(
        ("text", "night", "expected"),
        [
            ("30 2 * * *", YORK_SPRING, [("03-08 03:00-04", "03-08 02:30", 1)]),
            ("15,45 1-3 * * *", YORK_SPRING, [("03-08 03:00-04", "03-08 02:15", 2)]),
            ("10 2 * * *", HOWE_SPRING, [("10-04 02:30+11", "10-04 02:10", 1)]),
            ("@daily", SAO_PAULO_SPRING, [("11-04 01:00-02", "11-04 00:00", 1)]),
            ("0 9,10 * * *", APIA_SKIPS_A_DAY, [("12-31 00:00+14", "12-30 09:00", 2)]),
            ("0 3 * * *", YORK_SPRING, []),
            ("30 1 * * *", YORK_AUTUMN, []),
        ],
    )
    def test_of_fixed_times(self, text: str, night: Night, expected: list[tuple[str, str, int]]) -> None:
        for gap, run in (("after", True), ("skip", False)):
            assert self.told(text, night, gap) == [(*row, run) for row in expected]

    def test_of_times_that_follow_the_clock_never_run(self) -> None:
        assert self.told("*/30 2 * * *", YORK_SPRING, "after") == [("03-08 03:00-04", "03-08 02:00", 2, False)]

    def test_of_one_time_and_of_a_fixed_distance(self) -> None:
        moved = [("03-29 04:00+03", "03-29 03:30", 1, True)]
        assert self.told("@at 2026-03-29T03:30", RIGA_SPRING, "after") == moved
        assert self.told("@at 2026-03-29T05:30", RIGA_SPRING, "after") == []
        assert self.told("@every 10m", RIGA_SPRING, "skip") == []

    def test_over_all_years_each_gap_once_and_with_an_open_start(self) -> None:
        schedule = parse("30 2 8 3 *", "America/New_York", gap="skip")
        ends = [skip.gap_end for skip in schedule.skipped_between(utc("2000-01-01"), utc("2100-01-01"))]
        # From 2007 on the clocks go forward on the second Sunday of March.
        assert [end.year for end in ends] == [
            year for year in range(2007, 2100) if datetime(year, 3, 8, tzinfo=UTC).isoweekday() == 7
        ]
        second = timedelta(seconds=1)
        last = ends[1].astimezone(UTC)
        assert [skip.gap_end for skip in schedule.skipped_between(ends[0], last)] == [ends[1]]
        assert [skip.gap_end for skip in schedule.skipped_between(last - second, last)] == [ends[1]]
        assert list(schedule.skipped_between(last, last + second)) == []


class TestAChangeNearTheEndOfASpan:
    """What is probed at a time ends somewhere; 8 minutes before one such end Los Angeles repeats an hour."""

    DAY = "2185-11-06"

    @pytest.mark.parametrize(("repeated", "offsets"), [("first", [-7]), ("second", [-8]), ("both", [-7, -8])])
    def test_the_repeated_hour_is_seen_whole(self, repeated: str, offsets: list[int]) -> None:
        schedule = parse("0,59 1 * * *", "America/Los_Angeles", repeated=repeated)
        night = local(f"{self.DAY} 00:00", "America/Los_Angeles"), local(f"{self.DAY} 12:00", "America/Los_Angeles")
        found = list(schedule.between(*night))
        assert [fire.utcoffset() for fire in found] == [timedelta(hours=hours) for hours in offsets for _ in range(2)]
        assert schedule.count_between(*night) == len(found)


@settings(max_examples=300, deadline=None)
@given(text=ALL_TEXTS, options=OPTIONS, place=moments())
def test_fire_times_differ_from_the_default_only_where_the_clock_is_changed(
    text: str, options: dict[str, Any], place: tuple[str, datetime]
) -> None:
    zone, moment = place
    window = moment - timedelta(hours=30), moment + timedelta(hours=30)
    schedule, default = parsed(text, zone, options), parsed(text, zone)
    if default.count_between(*window) > 20_000:
        window = moment, moment + timedelta(hours=2)
    plain, own = set(utc_fires(default, window)), set(utc_fires(schedule, window))
    assert all(is_gap_end(fire, zone) for fire in plain - own if not is_repeated(fire, zone))
    assert all(is_repeated(fire, zone) for fire in own - plain)
    assert options["repeated"] == "second" or plain - own <= {fire for fire in plain if is_gap_end(fire, zone)}
    assert (options != {"gap": "after", "repeated": "first"}) or plain == own


def utc_fires(schedule: Schedule, window: tuple[datetime, datetime]) -> list[datetime]:
    return [fire.astimezone(UTC) for fire in schedule.between(*window)]


def offset_at(moment: datetime, zone: str) -> timedelta:
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset


def is_gap_end(moment: datetime, zone: str) -> bool:
    return offset_at(moment - timedelta(seconds=1), zone) < offset_at(moment, zone)


def is_repeated(moment: datetime, zone: str) -> bool:
    shown = moment.astimezone(ZoneInfo(zone))
    return shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()


Values = st.frozensets(st.integers(0, 59), min_size=1, max_size=3)
Hours = st.frozensets(st.integers(0, 23) | st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(place=change_days(), hours=Hours, minutes=Values, options=OPTIONS)
def test_every_minute_of_the_night(
    place: tuple[str, datetime], hours: frozenset[int], minutes: frozenset[int], options: dict[str, Any]
) -> None:
    zone, day = place
    change = change_within(ZoneInfo(zone), day)
    start, end = change - timedelta(hours=30), change + timedelta(hours=30)
    schedule = parse(f"{listed(minutes)} {listed(hours)} * * *", zone, **options)

    def matches(wall: datetime) -> bool:
        return wall.minute in minutes and wall.hour in hours

    expected = fires_of_fixed_times(ZoneInfo(zone), start, end, timedelta(minutes=1), matches, **options)
    assert utc_fires(schedule, (start, end)) == expected
    assert schedule.count_between(start, end) == len(expected)
