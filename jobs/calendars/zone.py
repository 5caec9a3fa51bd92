"""Time zones by name."""

from zoneinfo import ZoneInfo

from jobs.calendars.errors import CalendarError


def read_zone(name: str) -> ZoneInfo:
    """The zone. CalendarError when the name is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise CalendarError(f"{name!r} is not known; write a name such as Europe/Riga") from error
