class ScheduleError(ValueError):
    """The schedule's text or time zone is not understood; the message names the part and what is allowed."""
