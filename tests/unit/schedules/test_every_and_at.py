"""`@every` and `@at`."""

import pytest

from jobs.schedules import parse
from tests.unit.schedules.times import fires, local, utc


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1H 30M", 5400), ("1d", 86_400), ("2w", 1_209_600),
     ("1w2d3h4m5s", 788_645), ("007s", 7)],
)  # fmt: skip
def test_the_grid_begins_at_the_epoch(text: str, seconds: int) -> None:
    schedule = parse(f"@every {text}", "UTC")
    first = schedule.next_after(utc("2026-01-01T00:00:00.5"))
    assert first is not None
    assert first.timestamp() % seconds == 0
    assert 0 < first.timestamp() - utc("2026-01-01T00:00:00.5").timestamp() <= seconds
    second = schedule.next_after(first)
    assert second is not None
    assert (second - first).total_seconds() == seconds
    assert schedule.previous_before(second) == first


def test_days_and_weeks_of_the_grid_are_those_of_utc() -> None:
    assert str(parse("@every 1d", "Europe/Riga").next_after(utc("2026-01-01T12:00"))) == "2026-01-02 02:00:00+02:00"
    assert f"{parse('@every 1w', 'UTC').next_after(utc('2026-01-01T12:00')):%A}" == "Thursday"


@pytest.mark.parametrize(
    ("text", "normal"),
    [("@every 90m", "@every 1h30m"), ("@EVERY  1h 30m", "@every 1h30m"), ("@every 24h", "@every 1d"),
     ("@every 7d", "@every 1w"), ("@every 8d", "@every 8d"), ("@every 3600s", "@every 1h")],
)  # fmt: skip
def test_the_period_is_written_in_its_largest_units(text: str, normal: str) -> None:
    assert str(parse(text, "UTC")) == normal
    assert parse(text, "UTC") == parse(normal, "UTC")


def test_the_grid_ends_with_the_years() -> None:
    schedule = parse("@every 1h", "UTC")
    assert str(schedule.next_after(utc("2199-12-31T22:30"))) == "2199-12-31 23:00:00+00:00"
    assert schedule.next_after(utc("2199-12-31T23:00")) is None
    assert str(schedule.previous_before(utc("2500-01-01"))) == "2199-12-31 23:00:00+00:00"
    assert str(schedule.next_after(utc("1950-01-01"))) == "1970-01-01 00:00:00+00:00"
    assert schedule.previous_before(utc("1970-01-01")) is None
    assert schedule.count_between(utc("1960-01-01"), utc("1970-01-01")) == 1
    assert schedule.count_between(utc("2199-12-31T22:00"), utc("2300-01-01")) == 1


@pytest.mark.parametrize(
    ("text", "zone", "moment", "normal"),
    [
        ("@at 2027-01-01T09:00", "Europe/Riga", "2027-01-01 09:00:00+02:00", "@at 2027-01-01T09:00"),
        ("@at 2027-01-01 09:00:00", "Europe/Riga", "2027-01-01 09:00:00+02:00", "@at 2027-01-01T09:00"),
        ("@AT  2027-07-01t09:00:30", "Europe/Riga", "2027-07-01 09:00:30+03:00", "@at 2027-07-01T09:00:30"),
        ("@at 2027-01-01T09:00Z", "Europe/Riga", "2027-01-01 11:00:00+02:00", "@at 2027-01-01T09:00Z"),
        ("@at 2027-01-01T09:00+00:00", "UTC", "2027-01-01 09:00:00+00:00", "@at 2027-01-01T09:00Z"),
        ("@at 2027-01-01T09:00-05:30", "UTC", "2027-01-01 14:30:00+00:00", "@at 2027-01-01T09:00-05:30"),
    ],
)  # fmt: skip
def test_at_fires_once(text: str, zone: str, moment: str, normal: str) -> None:
    schedule = parse(text, zone)
    fire = schedule.next_after(utc("2026-01-01"))
    assert fire is not None
    assert str(fire) == moment
    assert schedule.next_after(fire) is None
    assert schedule.previous_before(fire) is None
    assert str(schedule.previous_before(utc("2028-01-01"))) == moment
    assert schedule.count_between(utc("2026-01-01"), utc("2028-01-01")) == 1
    assert schedule.count_between(fire, utc("2028-01-01")) == 0
    assert str(schedule) == normal


def test_at_in_the_past_is_allowed_and_never_comes() -> None:
    assert parse("@at 1999-01-01T00:00", "UTC").next_after(utc("2026-01-01")) is None


def test_at_a_time_that_does_not_exist_or_is_repeated() -> None:
    window = local("2026-03-01", "Europe/Riga"), local("2026-12-01", "Europe/Riga")
    assert fires("@at 2026-03-29T03:30", "Europe/Riga", *window) == ["2026-03-29 04:00:00+03:00"]
    assert fires("@at 2026-10-25T03:30", "Europe/Riga", *window) == ["2026-10-25 03:30:00+03:00"]
    assert fires("@at 2026-10-25T03:30+02:00", "Europe/Riga", *window) == ["2026-10-25 03:30:00+02:00"]
