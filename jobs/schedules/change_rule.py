"""What becomes of the times that a change of the clock skips or repeats."""

from typing import NamedTuple

from jobs.schedules.errors import ScheduleError

GAPS = ("after", "skip")
"""A fixed time that the clock skips runs right after the gap, or not at all."""

REPEATS = ("first", "second", "both")
"""A fixed time that the clock repeats runs the first time, the second time, or both times."""


class ChangeRule(NamedTuple):
    """Whether times run that are skipped (then right after the gap), and which of those that come twice."""

    runs_skipped: bool
    runs_first: bool
    runs_second: bool


FOLLOWS_CLOCK = ChangeRule(runs_skipped=False, runs_first=True, runs_second=True)


def change_rule(gap: str, repeated: str) -> ChangeRule:
    """The rule of a schedule's two options."""
    return ChangeRule(gap == "after", repeated != "second", repeated != "first")


def check_options(gap: str, repeated: str) -> None:
    """Refuse an unknown value, naming the option."""
    for name, value, allowed in (("gap", gap, GAPS), ("repeated", repeated, REPEATS)):
        if value not in allowed:
            raise ScheduleError(f"{name}: {value!r} is not known; allowed are {', '.join(allowed)}")
