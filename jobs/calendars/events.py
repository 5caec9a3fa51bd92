"""The events of an imported iCalendar file (RFC 5545), with their recurrences."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, tzinfo
from functools import cached_property
from typing import Any, NamedTuple

import icalendar
import recurring_ical_events

from jobs.calendars.errors import CalendarError
from jobs.calendars.span import DAY, Span, midnight, whole_days

MOST_BYTES = 1_048_576
MOST_EVENTS = 5_000
MOST_REPEATS = 200_000
"""How often all recurring events together may come between their beginning and the years that are looked at."""

_PER_YEAR = {"YEARLY": 12, "MONTHLY": 60, "WEEKLY": 110, "DAILY": 366}
"""The frequencies that are allowed, with a generous guess how often such an event comes in a year."""
_NOTHING = "event"


class _Year(NamedTuple):
    spans: list[Span]
    days: frozenset[date]
    """Those that an event covers which lasts whole days."""


class Events:
    """The events. Those without a time zone, or in one that is not known, go by the calendar's own."""

    def __init__(self, calendar: icalendar.Calendar, zone: tzinfo) -> None:
        self._calendar = calendar
        self._zone = zone
        self._years: dict[int, _Year] = {}

    def spans(self, first: datetime, last: datetime) -> Iterator[Span]:
        """The stretches that have a part between the two moments."""
        for year in range(first.year, last.year + 1):
            yield from (span for span in self._year(year).spans if span.start < last and span.end > first)

    def covers(self, day: date) -> bool:
        """Whether an event that lasts whole days covers the day."""
        return day in self._year(day.year).days

    def check(self, now: datetime) -> None:
        """CalendarError if the events of this year and the next cannot be told, or are too many."""
        repeats = sum(_repeats(event, now) for event in self._calendar.walk("VEVENT"))
        if repeats > MOST_REPEATS:
            raise CalendarError("its recurring events come too often; let them begin later, or write blackouts")
        for year in (now.year, now.year + 1):
            self._year(year)

    @cached_property
    def _query(self) -> Any:
        return recurring_ical_events.of(self._calendar)

    def _year(self, year: int) -> _Year:
        found = self._years.get(year)
        if found is None:
            found = self._years[year] = self._told(year)
        return found

    def _told(self, year: int) -> _Year:
        try:
            # Two days more at either end, because the year begins elsewhere earlier or later.
            found = self._query.between(date(year, 1, 1) - 2 * DAY, date(year + 1, 1, 1) + 2 * DAY)
            events = [event for event in found if str(event.get("STATUS", "")).upper() != "CANCELLED"]
            spans = [_span(event, self._zone) for event in events]
            days = frozenset(day for event in events for day in _days(event))
        except Exception as error:  # the libraries raise whatever a bad event makes them stumble over
            raise CalendarError(f"its events of {year} cannot be told: {type(error).__name__}: {error}") from error
        return _Year([span for span in spans if span.start < span.end], days)


def read_events(text: str, zone: tzinfo) -> Events | None:
    """The events of an iCalendar text, None for an empty one. CalendarError tells which is not understood, and why."""
    if not text.strip():
        return None
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise CalendarError(f"is larger than {MOST_BYTES // 1024 // 1024} MB")
    if "\x00" in text:
        raise CalendarError("has a NUL character, so it is no iCalendar file")
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except Exception as error:  # as above
        raise CalendarError(f"is no iCalendar file: {str(error)[:200]}") from error
    events = calendar.walk("VEVENT")
    if calendar.name != "VCALENDAR" or not events:
        raise CalendarError("has no events: a file that begins with BEGIN:VCALENDAR and has a VEVENT is needed")
    if len(events) > MOST_EVENTS:
        raise CalendarError(f"has {len(events):,} events; allowed are {MOST_EVENTS:,}")
    for number, event in enumerate(events, start=1):
        if wrong := _wrong_with(event):
            raise CalendarError(f"event {number} ({_summary(event)}): {wrong}")
    return Events(calendar, zone)


def _wrong_with(event: Any) -> str:
    for name, what in event.errors:
        return f"{name}: {what}"
    if "DTSTART" not in event:
        return "DTSTART is missing"
    start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    if end is not None and isinstance(start, datetime) != isinstance(end, datetime):
        return "DTSTART and DTEND must both be dates, or both have a time"
    if end is not None and _sortable(end) < _sortable(start):
        return "DTEND is before DTSTART"
    return _wrong_rule(event)


def _wrong_rule(event: Any) -> str:
    for rule in _rules(event):
        for frequency in rule.get("FREQ", [""]):
            if str(frequency).upper() not in _PER_YEAR:
                return f"RRULE: FREQ={frequency} is not allowed; allowed are {', '.join(_PER_YEAR)}"
        for part in ("BYHOUR", "BYMINUTE", "BYSECOND"):
            if len(rule.get(part, ())) > 1:
                return f"RRULE: {part} may have one value; write an event for each"
    return ""


def _rules(event: Any) -> list[Any]:
    rules = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _repeats(event: Any, now: datetime) -> int:
    years: int = max(0, now.year + 2 - event["DTSTART"].dt.year)
    return sum(years * _PER_YEAR[str(rule["FREQ"][0]).upper()] for rule in _rules(event))


def _sortable(moment: date) -> datetime:
    """Good enough to see what ends before it begins."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(event: Any, zone: tzinfo) -> Span:
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        return whole_days(start, (end - start).days, zone, _summary(event))
    return Span(_moment(start, zone), _moment(end, zone), _summary(event))


def _moment(when: date, zone: tzinfo) -> datetime:
    if not isinstance(when, datetime):
        return midnight(when, zone)
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)


def _days(event: Any) -> list[date]:
    start, end = event.start, event.end
    if isinstance(start, datetime):
        return []
    return [start + number * DAY for number in range((end - start).days)]


def _summary(event: Any) -> str:
    return " ".join(str(event.get("SUMMARY", "")).split())[:100] or _NOTHING
