"""Calendars: what blocks, as one stretch where it adjoins, and which days are business days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.calendars import (
    Blackout,
    CalendarError,
    Events,
    Span,
    WorkCalendar,
    read_events,
    read_regions,
    read_weekend,
    read_zone,
)
from jobs.schedules import parse

RIGA = ZoneInfo("Europe/Riga")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def freeze(start: float, end: float, reason: str = "freeze") -> Span:
    """From and to so many hours after noon."""
    return Span(NOON + start * HOUR, NOON + end * HOUR, reason)


def frozen(*freezes: Span) -> WorkCalendar:
    return WorkCalendar(object(), "test", UTC, freezes=freezes)


def events(body: str, zone: ZoneInfo = RIGA) -> Events | None:
    return read_events(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}\nEND:VCALENDAR\n", zone)


def event(start: str, *lines: str, uid: str = "1") -> str:
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"DTSTART{start}", "SUMMARY:meeting", *lines, "END:VEVENT"])


def test_the_end_of_a_block_is_free_and_its_start_is_not() -> None:
    calendar = frozen(freeze(0, 1))
    assert calendar.blocking(NOON) == (NOON, NOON + HOUR, "freeze")
    assert calendar.blocking(NOON + HOUR) is None
    assert calendar.blocking(NOON - timedelta(microseconds=1)) is None


def test_what_adjoins_or_overlaps_is_one_stretch_and_the_reason_is_that_of_the_moment() -> None:
    calendar = frozen(freeze(0, 1, "a"), freeze(1, 3, "b"), freeze(2, 4, "c"))
    assert calendar.blocking(NOON) == (NOON, NOON + 4 * HOUR, "a")
    assert calendar.blocking(NOON + 2.5 * HOUR) == (NOON, NOON + 4 * HOUR, "b; c")


def test_a_stretch_is_one_across_weeks_and_without_end_when_it_is_longer_than_a_year() -> None:
    month = frozen(freeze(0, 24 * 40)).blocking(NOON + 39 * DAY)
    assert month is not None
    assert (month.start, month.end) == (NOON, NOON + 40 * DAY)
    endless = frozen(freeze(-24 * 900, 24 * 900)).blocking(NOON)
    assert endless is not None
    assert (endless.start, endless.end) == (None, None)


spans = st.lists(st.tuples(st.integers(-900, 900), st.integers(0, 300)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(spans=spans, hour=st.integers(-1000, 1000))
def test_blocks_are_those_of_an_oracle_that_looks_at_every_hour(spans: list[tuple[int, int]], hour: int) -> None:
    calendar = frozen(*(freeze(start, start + length) for start, length in spans))
    taken = {hour for start, length in spans for hour in range(start, start + length)}
    block = calendar.blocking(NOON + hour * HOUR)
    assert (block is not None) == (hour in taken)
    if block is not None:
        first = last = hour
        while first - 1 in taken:
            first -= 1
        while last + 1 in taken:
            last += 1
        assert (block.start, block.end) == (NOON + first * HOUR, NOON + (last + 1) * HOUR)


@settings(max_examples=60, deadline=None)
@given(spans=spans)
def test_coming_blocks_lie_apart_and_are_what_blocking_says(spans: list[tuple[int, int]]) -> None:
    calendar = frozen(*(freeze(start, start + length) for start, length in spans))
    before = NOON - DAY
    for block in calendar.coming(NOON):
        assert block.start is not None
        assert block.end is not None
        assert before < max(block.start, NOON) < block.end
        found = calendar.blocking(max(block.start, NOON))
        assert found == block
        before = block.end


blackout_texts = st.sampled_from(
    ["0 18 * * FRI", "*/30 * * * *", "30 2 * * *", "0 0 1 * *", "0 */6 * * *", "5,50 * * * *"]
)


@settings(max_examples=60, deadline=None)
@given(
    text=blackout_texts,
    minutes=st.integers(1, 3000),
    zone=st.sampled_from(["UTC", "Europe/Riga", "America/New_York"]),
    moment=st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_blackout_blocks_exactly_the_minutes_after_each_fire_time(
    text: str, minutes: int, zone: str, moment: datetime
) -> None:
    schedule, length = parse(text, zone), timedelta(minutes=minutes)
    calendar = WorkCalendar(object(), "test", UTC, blackouts=(Blackout(schedule, length, "b"),))
    latest = schedule.previous_before(moment + timedelta(microseconds=1))
    assert latest is not None
    assert (calendar.blocking(moment) is not None) == (moment - latest.astimezone(UTC) < length)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Riga", date(2026, 3, 29), 23),
        ("Europe/Riga", date(2026, 10, 25), 25),
        ("Europe/Riga", date(2026, 7, 1), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # its midnight does not exist
        ("America/Havana", date(2026, 11, 1), 25),  # its midnight comes twice
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_whatever_the_clock_does(zone: str, day: date, hours: int) -> None:
    there = ZoneInfo(zone)
    found = events(event(f";VALUE=DATE:{day:%Y%m%d}"), there)
    calendar = WorkCalendar(object(), "test", there, events=found)
    block = calendar.blocking(datetime(day.year, day.month, day.day, 12, tzinfo=there))
    assert block is not None
    assert block.start is not None
    assert block.end is not None
    assert block.end - block.start == hours * HOUR
    assert block.start.astimezone(there).date() == day
    assert (block.start - timedelta(seconds=1)).astimezone(there).date() == day - DAY


def test_holidays_are_those_of_all_regions_by_the_day_of_the_zone() -> None:
    calendar = WorkCalendar(1, "both", RIGA, read_regions("LV, de-by"))
    epiphany = calendar.blocking(datetime(2026, 1, 5, 22, tzinfo=UTC))
    assert epiphany == (
        datetime(2026, 1, 5, 22, tzinfo=UTC),
        datetime(2026, 1, 6, 22, tzinfo=UTC),
        "Germany (BY): Epiphany",
    )
    may_day = calendar.blocking(datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert may_day is not None
    assert "Latvia: " in may_day.reason
    assert "Germany (BY): Labor Day" in may_day.reason
    assert calendar.blocking(datetime(2026, 1, 10, 12, tzinfo=UTC)) is None, "a weekend blocks nothing"


def test_business_days_are_neither_weekends_nor_holidays_nor_days_that_an_event_covers() -> None:
    found = events(
        event(";VALUE=DATE:20260709", "DTEND;VALUE=DATE:20260711") + "\n" + event(":20260707T090000", uid="2")
    )
    calendar = WorkCalendar(1, "team", RIGA, read_regions("LV"), read_weekend("sun"), found)
    july = [day.day for number in range(12) if calendar.is_business_day(day := date(2026, 7, 1) + number * DAY)]
    assert july == [1, 2, 3, 4, 6, 7, 8, 11]
    assert not calendar.is_business_day(date(2026, 11, 18))


def test_events_recur_with_their_exceptions_in_their_own_zone_or_the_calendars() -> None:
    calendar = WorkCalendar(
        object(),
        "test",
        RIGA,
        events=events(
            "\n".join(
                [
                    event(
                        ";TZID=America/New_York:20260105T090000",
                        "DURATION:PT1H",
                        "RRULE:FREQ=WEEKLY",
                        "EXDATE;TZID=America/New_York:20260112T090000",
                    ),
                    event(":20260106T090000", "DTEND:20260106T100000", uid="2"),
                    event(":20260107T090000Z", "DTEND:20260107T100000Z", "STATUS:CANCELLED", uid="3"),
                    event(":20260108T090000Z", uid="4"),
                ]
            )
        ),
    )
    until = datetime(2026, 1, 20, tzinfo=UTC)
    starts = [block.start for block in calendar.coming(JANUARY) if block.start and block.start < until]
    assert starts == [
        datetime(2026, 1, 5, 14, tzinfo=UTC),
        datetime(2026, 1, 6, 7, tzinfo=UTC),
        datetime(2026, 1, 19, 14, tzinfo=UTC),
    ]
    summer = calendar.blocking(datetime(2026, 7, 6, 13, 30, tzinfo=UTC))
    assert summer == (datetime(2026, 7, 6, 13, tzinfo=UTC), datetime(2026, 7, 6, 14, tzinfo=UTC), "meeting")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "has no events"),
        (event(":soon"), "event 1 (meeting): DTSTART: Expected"),
        (event(":20260101T000000Z", "DTEND:20250101T000000Z"), "DTEND is before DTSTART"),
        (event(":20260101T000000Z", "DTEND;VALUE=DATE:20260102"), "must both be dates"),
        (event(":20260101T000000Z", "RRULE:FREQ=SECONDLY"), "RRULE: FREQ=SECONDLY is not allowed"),
        (event(":20260101T000000Z", "RRULE:FREQ=DAILY;BYHOUR=1,2"), "BYHOUR may have one value"),
        ("BEGIN:VEVENT\nUID:1\nEND:VEVENT", "DTSTART is missing"),
        (event(":20260101T000000Z\x00"), "NUL"),
    ],
)
def test_an_event_that_is_not_understood_is_named(body: str, words: str) -> None:
    with pytest.raises(CalendarError) as refused:
        events(body)
    assert words in str(refused.value)


def test_files_that_are_too_much_are_refused() -> None:
    with pytest.raises(CalendarError, match="events; allowed are 5,000"):
        events("\n".join(event(":20260101T000000Z", uid=str(number)) for number in range(5_001)))
    with pytest.raises(CalendarError, match="larger than 1 MB"):
        events("x" * 1_048_577)
    ancient = events(
        "\n".join(event(":19700101T000000Z", "RRULE:FREQ=DAILY", uid=str(number)) for number in range(100))
    )
    assert ancient is not None
    with pytest.raises(CalendarError, match="come too often"):
        ancient.check(NOON)
    assert read_events("  ", RIGA) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LV, XX", "'XX': no country XX is known"),
        ("DE-XX", "'DE-XX': DE has no subdivision XX; it has BB"),
        ("LV-1", "it has none"),
        ("DE-", "has no subdivision"),
    ],
)
def test_unknown_regions_are_named(text: str, words: str) -> None:
    with pytest.raises(CalendarError) as refused:
        read_regions(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "\x00"])
def test_unknown_zones_are_named(name: str) -> None:
    with pytest.raises(CalendarError, match="is not known"):
        read_zone(name)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("* * * * *", 1), ("0 0 * * *", 1440), ("0 0 * * *", 2000), ("* * * * * *", 1), ("0 0 */2 * *", 3 * 1440)],
)
def test_a_blackout_without_a_break_is_refused(text: str, minutes: int) -> None:
    with pytest.raises(CalendarError, match="without a break"):
        Blackout(parse(text, "UTC"), timedelta(minutes=minutes), "b").check(NOON)


@pytest.mark.parametrize(
    ("text", "minutes"), [("*/2 * * * *", 1), ("0 0 * * MON-SAT", 1440), ("* 0-5 * * *", 1), ("0 0 1 * *", 27 * 1440)]
)
def test_a_blackout_with_breaks_is_accepted(text: str, minutes: int) -> None:
    Blackout(parse(text, "UTC"), timedelta(minutes=minutes), "b").check(NOON)
