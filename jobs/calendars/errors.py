class CalendarError(ValueError):
    """A part of a calendar is not understood; the message names what is wrong and what is allowed."""
