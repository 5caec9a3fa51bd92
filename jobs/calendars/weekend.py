"""The days of the week that are no business days."""

from jobs.calendars.errors import CalendarError

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def read_weekend(text: str) -> frozenset[int]:
    """The weekdays of `SAT, SUN`, Monday is 0. CalendarError names what is none, or says that none is left to work."""
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in DAYS:
            raise CalendarError(f"'{name}' is no day of the week; write {', '.join(DAYS)}")
    if len(set(names)) == len(DAYS):
        raise CalendarError("leaves no business day; leave out a day at least")
    return frozenset(DAYS.index(name) for name in names)
