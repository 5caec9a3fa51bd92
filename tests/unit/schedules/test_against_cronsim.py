"""Fire times against cronsim, the library closest to Debian's cron, where the two dialects meet.

Where cronsim departs from the rule, the departure has a name here, a test that shows it, and nothing wider is left
out of the comparison.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from jobs.schedules import ScheduleError, parse
from tests.unit.schedules.texts import CHANGES, SHARED_TEXTS, ZONES
from tests.unit.schedules.times import fires, local


def told_by_cronsim(text: str, start: datetime, end: datetime) -> list[datetime]:
    told = []
    for fire in CronSim(text, start):
        if fire.astimezone(UTC) > end.astimezone(UTC):
            break
        told.append(fire.astimezone(UTC))
    return told


def follows_clock(text: str) -> bool:
    return any(field.startswith("*") for field in text.split()[:2])


def steps_over_broken_hours(text: str, zone: str, day: str) -> bool:
    """cronsim moves by whole hours of UTC and then takes the minute for 0, so times that follow the clock go astray
    for the rest of a day on which the clock moves half an hour, or on which midnight does not exist."""
    return follows_clock(text) and (zone == "Australia/Lord_Howe" or day == "2018-11-04")


@settings(max_examples=500, deadline=None)
@given(text=SHARED_TEXTS, zone=st.sampled_from(ZONES), data=st.data())
def test_same_fire_times_around_clock_changes(text: str, zone: str, data: st.DataObject) -> None:
    day = data.draw(st.sampled_from(CHANGES[zone]))
    assume(not steps_over_broken_hours(text, zone, day))
    start = local(day, zone) - timedelta(hours=12)
    end = start.astimezone(UTC) + timedelta(hours=60)
    assert_same(text, zone, start, end)


@settings(max_examples=200, deadline=None)
@example(text="0 0 29 2 *", zone="Europe/Riga", start=datetime(2026, 1, 1))  # noqa: DTZ001
@example(text="0 0 31 */2 5", zone="UTC", start=datetime(2026, 1, 1))  # noqa: DTZ001
@given(
    text=st.tuples(st.just("30 12"), SHARED_TEXTS.map(lambda text: text.split(maxsplit=2)[2])).map(" ".join),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
)
def test_same_days_over_two_years(text: str, zone: str, start: datetime) -> None:
    start = start.replace(tzinfo=ZoneInfo(zone))
    assert_same(text, zone, start, start + timedelta(days=731))


def assert_same(text: str, zone: str, start: datetime, end: datetime) -> None:
    try:
        schedule = parse(text, zone)
    except ScheduleError as error:
        assert_never_comes(text, str(error))
        return
    told = told_by_cronsim(text, start, end)
    assert [fire.astimezone(UTC) for fire in schedule.between(start, end)] == told


def assert_never_comes(text: str, message: str) -> None:
    assert "never comes" in message
    try:
        told = told_by_cronsim(text, datetime(2026, 1, 1, tzinfo=UTC), datetime(2055, 1, 1, tzinfo=UTC))
    except CronSimError:
        told = []
    assert told == []


REFUSED = (
    "0 0 30 2 *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "* * * *",
    "1-5-9 * * * *", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "x * * * *",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_both_refuse(text: str) -> None:
    with pytest.raises(CronSimError):
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(ScheduleError):
        parse(text, "UTC")


class TestDepartures:
    """What cronsim does otherwise, and what is right by the rule."""

    def test_loses_times_after_half_an_hour_is_repeated(self) -> None:
        start, end = local("2026-04-05 01:00", "Australia/Lord_Howe"), local("2026-04-05 04:00", "Australia/Lord_Howe")
        assert len(told_by_cronsim("45 * * * *", start, end)) == 3
        assert fires("45 * * * *", "Australia/Lord_Howe", start, end) == [
            "2026-04-05 01:45:00+11:00",
            "2026-04-05 01:45:00+10:30",
            "2026-04-05 02:45:00+10:30",
            "2026-04-05 03:45:00+10:30",
        ]

    def test_fires_in_a_midnight_that_does_not_exist(self) -> None:
        start, end = local("2018-11-03 12:00", "America/Sao_Paulo"), local("2018-11-04 12:00", "America/Sao_Paulo")
        assert len(told_by_cronsim("*/15 0 * * 0", start, end)) == 1
        assert fires("*/15 0 * * 0", "America/Sao_Paulo", start, end) == []

    def test_goes_back_when_asked_in_the_second_of_two_hours(self) -> None:
        start = local("2026-11-01 01:10", "America/New_York", fold=1)
        assert next(CronSim("30 1 * * *", start)).astimezone(UTC) < start.astimezone(UTC)
        assert str(parse("30 1 * * *", "America/New_York").next_after(start)) == "2026-11-02 01:30:00-05:00"

    def test_takes_a_range_of_one_with_a_step_for_an_open_one(self) -> None:
        start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)
        assert len(told_by_cronsim("50-50/3 * * * *", start, end)) == 4
        assert fires("50-50/3 * * * *", "UTC", start, end) == ["2026-01-01 00:50:00+00:00"]

    def test_has_no_seconds_with_care_for_the_change(self) -> None:
        start, end = local("2026-03-29 02:00", "Europe/Riga"), local("2026-03-29 05:00", "Europe/Riga")
        assert told_by_cronsim("0 30 3 * * *", start, end) == []
        assert fires("0 30 3 * * *", "Europe/Riga", start, end) == ["2026-03-29 04:00:00+03:00"]
