"""What every kind of schedule answers, in whole seconds from the Unix epoch."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from jobs.schedules.days import FIRST_DAY, LAST_DAY
from jobs.schedules.times import DAY_SECONDS

# The supported years, and a margin of two days for the zones: no zone is a whole day away from UTC.
MARGIN = 2 * DAY_SECONDS
FIRST_INSTANT = FIRST_DAY * DAY_SECONDS - MARGIN
LAST_INSTANT = (LAST_DAY + 1) * DAY_SECONDS + MARGIN


class Gap(NamedTuple):
    """A gap of the clock with times of the schedule in it: its end, the first of them on the wall, their number."""

    end: int
    wall: int
    times: int
    run: bool
    """Whether they run, once, when the gap ends."""


class Fires(Protocol):
    """The fire times of a schedule; instants asked for lie between FIRST_INSTANT and LAST_INSTANT."""

    def at_or_after(self, instant: int) -> int | None: ...

    def at_or_before(self, instant: int) -> int | None: ...

    def count(self, first: int, last: int) -> int:
        """How many lie from `first` to `last`, both included."""

    def gaps(self, first: int, last: int) -> Iterator[Gap]:
        """The gaps that hold times of the schedule and end from `first` to `last`, in order."""
