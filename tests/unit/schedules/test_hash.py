"""`H` spreads the load as in Jenkins: one value of the field, chosen by the key, the same in every process."""

from collections.abc import Callable

import pytest

from jobs.schedules import Schedule, ScheduleError, parse
from tests.unit.schedules.times import following, utc

KEYS = [f"job {number}" for number in range(400)]


def seen(text: str, part: Callable[[Schedule], object]) -> set[object]:
    return {part(parse(text, "UTC", key=key)) for key in KEYS}


def minutes_of_an_hour(schedule: Schedule) -> list[int]:
    return [fire.minute for fire in schedule.between(utc("2025-12-31T23:59:59"), utc("2026-01-01T00:59:59"))]


def test_every_minute_of_the_hour_is_used() -> None:
    assert seen("H * * * *", lambda schedule: following(schedule, utc("2026-01-01")).minute) == set(range(60))


def test_a_range_limits_the_choice() -> None:
    assert seen("H(5-9) * * * *", lambda schedule: following(schedule, utc("2026-01-01")).minute) == set(range(5, 10))


def test_a_hashed_day_comes_every_month() -> None:
    assert seen("0 0 H * *", lambda schedule: following(schedule, utc("2026-01-31")).day) == set(range(1, 29))


def test_every_weekday_month_hour_and_second_is_used() -> None:
    start = utc("2025-12-31T23:59:59")
    assert seen("0 0 * * H", lambda schedule: following(schedule, start).weekday()) == set(range(7))
    assert seen("0 0 1 H *", lambda schedule: following(schedule, start).month) == set(range(1, 13))
    assert seen("0 H * * *", lambda schedule: following(schedule, start).hour) == set(range(24))
    assert seen("H * * * * *", lambda schedule: following(schedule, start).second) == set(range(60))


def test_a_step_begins_at_a_hashed_minute() -> None:
    for key in KEYS:
        minutes = minutes_of_an_hour(parse("H/15 * * * *", "UTC", key=key))
        assert minutes == [minutes[0], minutes[0] + 15, minutes[0] + 30, minutes[0] + 45]
        assert minutes[0] < 15


def test_a_step_in_a_range_stays_in_it() -> None:
    starts = set()
    for key in KEYS:
        minutes = minutes_of_an_hour(parse("H(1-20)/5 * * * *", "UTC", key=key))
        assert minutes == list(range(minutes[0], 21, 5))
        starts.add(minutes[0])
    assert starts == {1, 2, 3, 4, 5}


def test_a_step_of_one_is_every_value() -> None:
    assert minutes_of_an_hour(parse("H/1 * * * *", "UTC", key="backup")) == list(range(60))


def test_two_items_of_one_list_keep_their_distance() -> None:
    first, second = minutes_of_an_hour(parse("H(0-29),H(30-59) * * * *", "UTC", key="backup"))
    assert second - first == 30


def test_fields_are_hashed_apart() -> None:
    fires = [following(parse("H H * * *", "UTC", key=key), utc("2026-01-01")) for key in KEYS]
    assert len({(fire.hour, fire.minute) for fire in fires}) > 300


def test_the_choice_never_changes() -> None:
    """These are promises to jobs that exist: a new hash would move them all."""
    assert str(parse("H H * * *", "UTC", key="backup").next_after(utc("2026-01-01"))) == "2026-01-01 08:09:00+00:00"
    assert str(parse("H H H * *", "UTC", key="").next_after(utc("2026-01-01"))) == "2026-01-22 04:19:00+00:00"


def test_the_key_tells_schedules_apart_only_where_it_matters() -> None:
    assert parse("H 2 * * *", "UTC", key="a") != parse("H 2 * * *", "UTC", key="b")
    assert parse("0 2 * * THU", "UTC", key="a") == parse("0 2 * * THU", "UTC", key="b")
    assert parse("@hourly", "UTC", key="a") is parse("@hourly", "UTC", key="b")


REFUSED = (
    "H/61 * * * *", "H(0-9)/11 * * * *", "H(9-0) * * * *", "H(0-60) * * * *", "H(5) * * * *",
    "H-5 * * * *", "HH * * * *", "1-H * * * *", "H/0 * * * *", "0 0 0 1 1 ? H",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text, "UTC", key="backup")
