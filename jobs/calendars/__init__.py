"""What calendars block, and which days are business days. Pure: no clock of its own, no I/O."""

from jobs.calendars.blackout import Blackout
from jobs.calendars.errors import CalendarError
from jobs.calendars.events import Events, read_events
from jobs.calendars.regions import read_regions
from jobs.calendars.span import Span
from jobs.calendars.weekend import read_weekend
from jobs.calendars.work_calendar import Block, WorkCalendar
from jobs.calendars.zone import read_zone

__all__ = [
    "Blackout",
    "Block",
    "CalendarError",
    "Events",
    "Span",
    "WorkCalendar",
    "read_events",
    "read_regions",
    "read_weekend",
    "read_zone",
]
