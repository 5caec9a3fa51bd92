"""Clock changes, in every form of schedule: tables of known nights, and a slow oracle for all the others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.schedules import parse
from tests.unit.schedules.oracle import fires_of_fixed_times, fires_on_the_clock
from tests.unit.schedules.texts import change_days
from tests.unit.schedules.times import fires, local, utc

RIGA_SPRING = ("Europe/Riga", "2026-03-29", "2026-03-30")  # 03:00 becomes 04:00
RIGA_AUTUMN = ("Europe/Riga", "2026-10-25", "2026-10-26")  # 04:00 becomes 03:00
YORK_SPRING = ("America/New_York", "2026-03-08", "2026-03-09")  # 02:00 becomes 03:00
YORK_AUTUMN = ("America/New_York", "2026-11-01", "2026-11-02")  # 02:00 becomes 01:00
HOWE_SPRING = ("Australia/Lord_Howe", "2026-10-04", "2026-10-05")  # 02:00 becomes 02:30
HOWE_AUTUMN = ("Australia/Lord_Howe", "2026-04-05", "2026-04-06")  # 02:00 becomes 01:30
SAO_PAULO_SPRING = ("America/Sao_Paulo", "2018-11-03 01:00", "2018-11-05")  # 00:00 becomes 01:00
SAO_PAULO_AUTUMN = ("America/Sao_Paulo", "2018-02-17 01:00", "2018-02-18 12:00")  # 24:00 becomes 23:00
APIA_SKIPS_A_DAY = ("Pacific/Apia", "2011-12-29 00:30", "2012-01-01")  # 2011-12-30 does not exist

Night = tuple[str, str, str]

TABLE: list[tuple[str, Night, list[str]]] = [
    # A fixed time that is skipped runs right after the gap.
    ("30 3 * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("0 3 * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("30 2 * * *", YORK_SPRING, ["03-08 03:00-04"]),
    ("10 2 * * *", HOWE_SPRING, ["10-04 02:30+11"]),
    ("0 0 * * *", SAO_PAULO_SPRING, ["11-04 01:00-02", "11-05 00:00-02"]),
    ("@daily", SAO_PAULO_SPRING, ["11-04 01:00-02", "11-05 00:00-02"]),
    ("@midnight", SAO_PAULO_SPRING, ["11-04 01:00-02", "11-05 00:00-02"]),
    ("@weekly", SAO_PAULO_SPRING, ["11-04 01:00-02"]),
    ("0 9 * * *", APIA_SKIPS_A_DAY, ["12-29 09:00-10", "12-31 00:00+14", "12-31 09:00+14"]),
    ("0 9 30 12 *", APIA_SKIPS_A_DAY, ["12-31 00:00+14"]),
    ("0 0 9 30 12 ? 2011", APIA_SKIPS_A_DAY, ["12-31 00:00+14"]),
    ("@at 2011-12-30T09:00", APIA_SKIPS_A_DAY, ["12-31 00:00+14"]),
    # Several of one gap run once, also together with what is due just then.
    ("0,30 3 * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("0 3,4 * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("0 1-4 * * *", RIGA_SPRING, ["03-29 01:00+02", "03-29 02:00+02", "03-29 04:00+03"]),
    ("0 1-3 * * *", YORK_SPRING, ["03-08 01:00-05", "03-08 03:00-04"]),
    ("15,45 2,3 * * *", YORK_SPRING, ["03-08 03:00-04", "03-08 03:15-04", "03-08 03:45-04"]),
    # A fixed time that is repeated runs the first time.
    ("30 3 * * *", RIGA_AUTUMN, ["10-25 03:30+03"]),
    ("0 3,4 * * *", RIGA_AUTUMN, ["10-25 03:00+03", "10-25 04:00+02"]),
    ("30 1 * * *", YORK_AUTUMN, ["11-01 01:30-04"]),
    ("0 1-3 * * *", YORK_AUTUMN, ["11-01 01:00-04", "11-01 02:00-05", "11-01 03:00-05"]),
    ("45 1 * * *", HOWE_AUTUMN, ["04-05 01:45+11"]),
    ("30 23 * * *", SAO_PAULO_AUTUMN, ["02-17 23:30-02"]),
    # The same with seconds, with a year, with @at and with a hashed time.
    ("15 30 3 * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("0,30 30 3 * * *", RIGA_AUTUMN, ["10-25 03:30+03", "10-25 03:30:30+03"]),
    ("0 30 2 * * ? 2026", YORK_SPRING, ["03-08 03:00-04"]),
    ("0 30 1 * * ? 2026", YORK_AUTUMN, ["11-01 01:30-04"]),
    ("@at 2026-03-29T03:30", RIGA_SPRING, ["03-29 04:00+03"]),
    ("@at 2026-10-25T03:30", RIGA_AUTUMN, ["10-25 03:30+03"]),
    ("@at 2026-10-25T03:30+02:00", RIGA_AUTUMN, ["10-25 03:30+02"]),
    ("H(5-5) H(3-3) * * *", RIGA_SPRING, ["03-29 04:00+03"]),
    ("H(5-5) H(3-3) * * *", RIGA_AUTUMN, ["10-25 03:05+03"]),
    # Times with a star follow the clock: none that is skipped, both that are repeated.
    ("*/30 3 * * *", RIGA_SPRING, []),
    ("30 */3 * * *", RIGA_SPRING, [f"03-29 {hour:02}:30+0{2 + (hour > 3)}" for hour in (0, 6, 9, 12, 15, 18, 21)]),
    ("*/30 3 * * *", RIGA_AUTUMN, ["10-25 03:00+03", "10-25 03:30+03", "10-25 03:00+02", "10-25 03:30+02"]),
    ("* 2 * * *", YORK_SPRING, []),
    ("*/20 1 * * *", YORK_AUTUMN, ["11-01 01:00-04", "11-01 01:20-04", "11-01 01:40-04",
                                    "11-01 01:00-05", "11-01 01:20-05", "11-01 01:40-05"]),
    ("*/15 0 * * 0", SAO_PAULO_SPRING, []),
    ("*/15 2 * * *", HOWE_SPRING, ["10-04 02:30+11", "10-04 02:45+11"]),
    ("*/15 1 * * *", HOWE_AUTUMN, ["04-05 01:00+11", "04-05 01:15+11", "04-05 01:30+11", "04-05 01:45+11",
                                   "04-05 01:30+1030", "04-05 01:45+1030"]),
    ("0 */12 * * *", APIA_SKIPS_A_DAY, ["12-29 12:00-10", "12-31 00:00+14", "12-31 12:00+14", "01-01 00:00+14"]),
    ("* * 30 12 *", APIA_SKIPS_A_DAY, []),
    # So do seconds that begin with a star, though hour and minute be fixed.
    ("*/20 30 3 * * *", RIGA_SPRING, []),
    ("*/30 30 3 * * *", RIGA_AUTUMN, ["10-25 03:30+03", "10-25 03:30:30+03", "10-25 03:30+02", "10-25 03:30:30+02"]),
    ("0 */30 1 * * *", YORK_AUTUMN, ["11-01 01:00-04", "11-01 01:30-04", "11-01 01:00-05", "11-01 01:30-05"]),
    # A range over all values is not a star, as in Debian's cron.
    ("0-59 2 * * *", YORK_SPRING, ["03-08 03:00-04"]),
    # A fixed distance knows no clock.
    ("@every 12h", RIGA_SPRING, ["03-29 02:00+02", "03-29 15:00+03"]),
    ("@every 12h", RIGA_AUTUMN, ["10-25 03:00+03", "10-25 14:00+02"]),
]  # fmt: skip


NIGHTS = [pytest.param(*row, id=f"{row[0]} in {row[1][0]} on {row[1][1]}") for row in TABLE]


@pytest.mark.parametrize(("text", "night", "expected"), NIGHTS)
def test_known_nights(text: str, night: Night, expected: list[str]) -> None:
    zone, start, end = night
    window = local(start, zone) - timedelta(seconds=1), local(end, zone)
    assert [brief(fire) for fire in parse(text, zone).between(*window)] == expected


@pytest.mark.parametrize(("text", "night", "expected"), NIGHTS)
def test_known_nights_backwards(text: str, night: Night, expected: list[str]) -> None:
    zone, start, end = night
    first, moment, found = local(start, zone), local(end, zone) + timedelta(seconds=1), []
    while (fire := parse(text, zone).previous_before(moment)) and fire.astimezone(UTC) >= first.astimezone(UTC):
        found.append(brief(fire))
        moment = fire
    assert found == expected[::-1]


def brief(moment: datetime) -> str:
    seconds = f":{moment:%S}" if moment.second else ""
    return f"{moment:%m-%d %H:%M}{seconds}" + f"{moment:%z}".removesuffix("00")


def test_the_second_of_two_hours_has_fold_set() -> None:
    repeated = parse("*/30 3 * * *", "Europe/Riga").between(utc("2026-10-24T22:00"), utc("2026-10-25T10:00"))
    assert [fire.fold for fire in repeated] == [0, 0, 1, 1]


def test_a_moment_in_the_second_of_two_hours_is_understood() -> None:
    schedule = parse("30 1 * * *", "America/New_York")
    assert str(schedule.next_after(local("2026-11-01 01:10", "America/New_York"))) == "2026-11-01 01:30:00-04:00"
    second = local("2026-11-01 01:10", "America/New_York", fold=1)
    assert str(schedule.next_after(second)) == "2026-11-02 01:30:00-05:00"
    assert str(schedule.previous_before(second)) == "2026-11-01 01:30:00-04:00"


def test_history_of_a_zone() -> None:
    """Moscow gave up its winter time in 2011 and its summer time in 2014, for good both times."""
    times = fires("0 2 * * *", "Europe/Moscow", utc("2014-10-24"), utc("2014-10-27"))
    assert times == ["2014-10-25 02:00:00+04:00", "2014-10-26 02:00:00+03:00", "2014-10-27 02:00:00+03:00"]
    assert fires("0 2 27 3 *", "Europe/Moscow", utc("2011-01-01"), utc("2012-01-01")) == ["2011-03-27 03:00:00+04:00"]


def test_an_hour_that_is_repeated_only_at_the_end_of_a_sparse_schedule() -> None:
    """The next wall time is a year away, yet the clock shows this one again in ten minutes."""
    schedule = parse("* 1 1 11 *", "America/New_York")
    assert str(schedule.next_after(local("2026-11-01 01:59", "America/New_York"))) == "2026-11-01 01:00:00-05:00"
    second = local("2026-11-01 01:00", "America/New_York", fold=1)
    assert str(schedule.previous_before(second)) == "2026-11-01 01:59:00-04:00"


def test_a_sparse_time_that_the_clock_has_shown_before_it_was_put_back() -> None:
    """Ten past one, the second time: the wall time before is a year ago, yet 01:50 was forty minutes ago."""
    second = local("2026-11-01 01:10", "America/New_York", fold=1)
    for text in ("50 1 1 11 *", "*/50 1 1 11 *", "0 50 1 1 11 ? 2020-2026"):
        moment = second.replace(minute=0)
        assert str(parse(text, "America/New_York").previous_before(moment)) == "2026-11-01 01:50:00-04:00"
    assert str(parse("50 1 1 11 *", "America/New_York").previous_before(second)) == "2026-11-01 01:50:00-04:00"
    assert str(parse("50-59 1 1 11 *", "America/New_York").previous_before(second)) == "2026-11-01 01:59:00-04:00"
    assert str(parse("* 1 1 11 *", "America/New_York").previous_before(second)) == "2026-11-01 01:09:00-05:00"


Values = st.frozensets(st.integers(0, 59), min_size=1, max_size=3)
Hours = st.frozensets(st.integers(0, 23) | st.integers(0, 4), min_size=1, max_size=4)
Weekdays = st.frozensets(st.integers(0, 6), min_size=5, max_size=7)


@settings(max_examples=60, deadline=None)
@given(
    place=change_days(), hours=Hours, minutes=Values, weekdays=Weekdays, star=st.sampled_from(("", "minute", "hour"))
)
def test_every_minute_of_the_night(
    place: tuple[str, datetime], hours: frozenset[int], minutes: frozenset[int], weekdays: frozenset[int], star: str
) -> None:
    hours = frozenset(range(24)) if star == "hour" else hours
    minutes = frozenset(range(60)) if star == "minute" else minutes
    text = " ".join(
        [
            "*" if star == "minute" else listed(minutes),
            "*" if star == "hour" else listed(hours),
            "* *",
            listed(weekdays),
        ]
    )

    def matches(wall: datetime) -> bool:
        return wall.minute in minutes and wall.hour in hours and wall.isoweekday() % 7 in weekdays

    assert_as_the_oracle(text, place, timedelta(hours=30), timedelta(minutes=1), matches, follows_clock=bool(star))


@settings(max_examples=12, deadline=None)
@given(place=change_days(), hour=st.integers(0, 3), minutes=Values, seconds=Values, star=st.booleans())
def test_every_second_of_the_night(
    place: tuple[str, datetime], hour: int, minutes: frozenset[int], seconds: frozenset[int], star: bool
) -> None:
    steps = frozenset(range(0, 60, 20))
    text = f"{'*/20' if star else listed(seconds)} {listed(minutes)} {hour} * * *"

    def matches(wall: datetime) -> bool:
        return wall.second in (steps if star else seconds) and wall.minute in minutes and wall.hour == hour

    assert_as_the_oracle(text, place, timedelta(hours=4), timedelta(seconds=1), matches, follows_clock=star)


def assert_as_the_oracle(
    text: str,
    place: tuple[str, datetime],
    around: timedelta,
    step: timedelta,
    matches: Callable[[datetime], bool],
    *,
    follows_clock: bool,
) -> None:
    zone, day = place
    change = change_within(ZoneInfo(zone), day)
    start, end = change - around, change + around
    oracle = fires_on_the_clock if follows_clock else fires_of_fixed_times
    schedule = parse(text, zone)
    found = [fire.astimezone(UTC) for fire in schedule.between(start, end)]
    assert found == oracle(ZoneInfo(zone), start, end, step, matches)
    assert schedule.count_between(start, end) == len(found)


def change_within(zone: ZoneInfo, day: datetime) -> datetime:
    """The minute of the change within a day and a half of the start of a day; else the start of the day."""
    minutes = [day + timedelta(minutes=minute) for minute in range(-36 * 60, 36 * 60)]
    offsets = [minute.astimezone(zone).utcoffset() for minute in minutes]
    changed = [
        minute for minute, offset, last in zip(minutes[1:], offsets[1:], offsets, strict=False) if offset != last
    ]
    return changed[0] if changed else day


def listed(values: frozenset[int]) -> str:
    return ",".join(map(str, sorted(values)))
