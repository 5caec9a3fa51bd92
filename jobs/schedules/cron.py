"""The fire times of a cron text in a zone: wall times laid on a clock that is changed now and then.

The rule is that of Debian's cron, for changes of any size:

* fixed times: one that a change skips fires right after the gap (several of them: once), one that it repeats
  fires the first time only;
* times that follow the clock fire whenever the clock shows them: twice if it does, not at all if it does not.
"""

from dataclasses import dataclass

from jobs.schedules.clock_changes import Clock, Stretch
from jobs.schedules.fires import FIRST_INSTANT, LAST_INSTANT, MARGIN
from jobs.schedules.times import DAY_SECONDS
from jobs.schedules.wall_times import WallTimes


@dataclass(frozen=True, slots=True)
class CronFires:
    """Every stretch of the clock owns a window of wall times that ends where the stretch ends.

    For fixed times a window begins where the one before it ended, so that each wall time is owned exactly
    once: the skipped ones by the stretch after the gap, the repeated ones by the stretch that shows them
    first. For times that follow the clock a window is what the stretch shows.
    """

    walls: WallTimes
    clock: Clock
    follows_clock: bool

    def at_or_after(self, instant: int) -> int | None:
        while instant <= LAST_INSTANT:
            stretch = self.clock.stretch_at(instant)
            start, end, offset, _ = stretch
            earliest = self._window_start(stretch)
            if instant > start and instant + offset > earliest:
                earliest = instant + offset
            wall = self.walls.at_or_after(earliest)
            if wall is not None and wall < end + offset:
                return max(wall - offset, start)
            instant = self._skip_to(wall, earliest, stretch)
        return None

    def at_or_before(self, instant: int) -> int | None:
        while instant >= FIRST_INSTANT:
            stretch = self.clock.stretch_at(instant)
            start, _, offset, _ = stretch
            wall = self.walls.at_or_before(instant + offset)
            if wall is not None and wall >= self._window_start(stretch):
                return max(wall - offset, start)
            instant = self._skip_back_to(wall, instant + offset, stretch)
        return None

    def count(self, first: int, last: int) -> int:
        total = 0
        while first <= last:
            stretch = self.clock.stretch_at(first)
            stop = min(stretch.end, last + 1)
            total += self._count_before(stop, stretch) - self._count_before(first, stretch)
            first = stop
        return total

    def _window_start(self, stretch: Stretch) -> int:
        return stretch.start + (stretch.offset if self.follows_clock else stretch.before)

    def _skip_to(self, wall: int | None, earliest: int, stretch: Stretch) -> int:
        """Where to look on: near the next wall time, unless the clock may repeat some before `earliest`."""
        if earliest > stretch.end + stretch.offset - DAY_SECONDS:
            return stretch.end
        return LAST_INSTANT + 1 if wall is None else max(stretch.end, wall - MARGIN)

    def _skip_back_to(self, wall: int | None, latest: int, stretch: Stretch) -> int:
        """Where to look back: near the last wall time, unless the clock showed some after `latest`."""
        if latest < stretch.start + stretch.offset + DAY_SECONDS:
            return stretch.start - 1
        return FIRST_INSTANT - 1 if wall is None else min(stretch.start - 1, wall + MARGIN)

    def _count_before(self, instant: int, stretch: Stretch) -> int:
        """How many fire times the stretch has before this instant."""
        start, _, offset, _ = stretch
        if instant <= start:
            return 0
        opening = self._window_start(stretch)
        shown = max(start + offset + 1, opening)
        at_start = min(1, self._walls_between(opening, shown))
        return at_start + self._walls_between(shown, instant + offset)

    def _walls_between(self, begin: int, end: int) -> int:
        return self.walls.count_before(end) - self.walls.count_before(begin) if end > begin else 0
