"""The schedule as a value: its text, equality, zone, and moments of every kind."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from jobs.schedules import parse
from tests.unit.schedules.times import fires, local, utc


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  0\t2 *  * mon-fri\n", "0 2 * * MON-FRI"),
        ("0 0 l-3w jan ?", "0 0 L-3W JAN ?"),
        ("h(0-29) 2 * * *", "H(0-29) 2 * * *"),
        ("@Daily ", "@daily"),
        ("*/10 * * * * *", "*/10 * * * * *"),
        ("0 0 0 1 1 ? 2027", "0 0 0 1 1 ? 2027"),
    ],
)
def test_the_text_is_normalised(text: str, normal: str) -> None:
    schedule = parse(text, "Europe/Riga")
    assert str(schedule) == normal
    assert schedule == parse(normal, "Europe/Riga")


def test_zone_and_text_make_a_schedule() -> None:
    schedule = parse("0 2 * * *", "Europe/Riga")
    assert schedule.timezone == ZoneInfo("Europe/Riga")
    assert schedule == parse("0 2 * * *", ZoneInfo("Europe/Riga"))
    assert schedule != parse("0 2 * * *", "Europe/Vilnius")
    assert schedule != parse("1 2 * * *", "Europe/Riga")
    assert len({schedule, parse(" 0 2 * * * ", "Europe/Riga")}) == 1
    assert repr(schedule) == "Schedule(text='0 2 * * *', timezone=zoneinfo.ZoneInfo(key='Europe/Riga'))"


def test_parse_is_cached() -> None:
    assert parse("0 2 * * *", "Europe/Riga") is parse("0 2 * * *", "Europe/Riga")


def test_a_schedule_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse("0 2 * * *", "UTC").text = "0 3 * * *"  # type: ignore[misc]


@pytest.mark.parametrize("text", ["0 2 * * *", "@every 5m", "@at 2027-01-01T09:00"])
def test_a_copy_is_the_same_schedule(text: str) -> None:
    schedule = parse(text, "Europe/Riga")
    for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):  # noqa: S301
        assert twin == schedule
        assert twin.next_after(utc("2026-01-01")) == schedule.next_after(utc("2026-01-01"))
        assert twin.describe() == schedule.describe()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-23))])
def test_zones_of_a_fixed_distance(zone: timezone) -> None:
    first = parse("0 9 * * *", zone).next_after(utc("2026-01-01T09:00"))
    assert first is not None
    assert first.astimezone(UTC) > utc("2026-01-01T09:00")
    assert (first.hour, first.utcoffset()) == (9, zone.utcoffset(None))


def test_the_moment_may_be_in_any_zone() -> None:
    schedule = parse("0 9 * * *", "Europe/Riga")
    for moment in (
        local("2026-01-01 09:00", "Europe/Riga"),
        utc("2026-01-01T07:00"),
        local("2026-01-01 16:00", "Asia/Tokyo"),
    ):
        assert str(schedule.next_after(moment)) == "2026-01-02 09:00:00+02:00"
        assert str(schedule.next_after(moment - timedelta(microseconds=1))) == "2026-01-01 09:00:00+02:00"
        assert str(schedule.previous_before(moment)) == "2025-12-31 09:00:00+02:00"
        assert str(schedule.previous_before(moment + timedelta(microseconds=1))) == "2026-01-01 09:00:00+02:00"


def test_between_is_open_at_its_start_and_closed_at_its_end() -> None:
    window = utc("2026-01-01T00:00"), utc("2026-01-01T00:10")
    assert fires("*/5 * * * *", "UTC", *window) == ["2026-01-01 00:05:00+00:00", "2026-01-01 00:10:00+00:00"]
    assert parse("*/5 * * * *", "UTC").count_between(*window) == 2
    assert fires("*/5 * * * *", "UTC", window[1], window[0]) == []


def test_extreme_moments() -> None:
    schedule = parse("0 9 * * *", "Europe/Riga")
    earliest = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    latest = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    assert str(schedule.next_after(earliest)) == "1970-01-01 09:00:00+03:00"
    assert schedule.next_after(latest) is None
    assert schedule.previous_before(earliest) is None
    assert str(schedule.previous_before(latest)) == "2199-12-31 09:00:00+02:00"
    assert schedule.count_between(earliest, latest) == 84_006  # every day of 230 years


def test_a_year_of_seconds_is_counted_exactly() -> None:
    year = local("2026-01-01", "America/New_York"), local("2027-01-01", "America/New_York")
    assert parse("* * * * * *", "America/New_York").count_between(*year) == 365 * 86_400
    # Of the hours from one to three, one is skipped in spring and one comes twice in autumn.
    assert parse("* * 1-2 * * *", "America/New_York").count_between(*year) == 365 * 7200
    # Fixed times: the sixty that are skipped run once, after the gap; the repeated ones once each.
    assert parse("0 0-59 1-2 * * *", "America/New_York").count_between(*year) == 365 * 120 - 60 + 1
