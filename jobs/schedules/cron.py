"""The fire times of a cron text in a zone: wall times laid on a clock that is changed now and then.

The rule is that of Debian's cron, for changes of any size, unless the schedule's options say otherwise:

* fixed times: one that a change skips fires right after the gap (several of them: once; or not at all), one that
  it repeats fires the first time only (or the second time, or both times);
* times that follow the clock fire whenever the clock shows them: twice if it does, not at all if it does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.schedules.change_rule import ChangeRule
from jobs.schedules.clock_changes import Clock, Stretch
from jobs.schedules.fires import FIRST_INSTANT, LAST_INSTANT, MARGIN, Gap
from jobs.schedules.times import DAY_SECONDS
from jobs.schedules.wall_times import WallTimes


@dataclass(frozen=True, slots=True)
class CronFires:
    """Every stretch of the clock owns a window of wall times.

    A window is what the stretch shows, with the skipped times before it if they run after the gap. Of the times
    that two stretches show, the windows of both, the first or the second have them. By Debian's rule for fixed
    times each window so begins where the one before it ended, and each wall time is owned exactly once.
    """

    walls: WallTimes
    clock: Clock
    rule: ChangeRule

    def at_or_after(self, instant: int) -> int | None:
        while instant <= LAST_INSTANT:
            stretch = self.clock.stretch_at(instant)
            start, _, offset, _, _ = stretch
            earliest = self._window_start(stretch)
            if instant > start and instant + offset > earliest:
                earliest = instant + offset
            wall = self.walls.at_or_after(earliest)
            if wall is not None and wall < self._window_end(stretch):
                return max(wall - offset, start)
            instant = self._skip_to(wall, earliest, stretch)
        return None

    def at_or_before(self, instant: int) -> int | None:
        while instant >= FIRST_INSTANT:
            stretch = self.clock.stretch_at(instant)
            start, _, offset, _, _ = stretch
            latest = min(instant + offset, self._window_end(stretch) - 1)
            wall = self.walls.at_or_before(latest)
            if wall is not None and wall >= self._window_start(stretch):
                return max(wall - offset, start)
            instant = self._skip_back_to(wall, latest, stretch)
        return None

    def count(self, first: int, last: int) -> int:
        total = 0
        while first <= last:
            stretch = self.clock.stretch_at(first)
            stop = min(stretch.end, last + 1)
            total += self._count_before(stop, stretch) - self._count_before(first, stretch)
            first = stop
        return total

    def gaps(self, first: int, last: int) -> Iterator[Gap]:
        instant: int | None = first
        while instant is not None and instant <= last:
            stretch = self.clock.stretch_at(instant)
            if stretch.start == instant and (gap := self._gap_before(stretch)):
                yield gap
            wall = self.walls.at_or_after(stretch.end + stretch.offset - DAY_SECONDS)
            instant = None if wall is None else max(stretch.end, wall - MARGIN)

    def _gap_before(self, stretch: Stretch) -> Gap | None:
        begin, end = stretch.start + stretch.before, stretch.start + stretch.offset
        wall = self.walls.at_or_after(begin)
        if wall is None or wall >= end:
            return None
        return Gap(stretch.start, wall, self._walls_between(begin, end), self.rule.runs_skipped)

    def _window_start(self, stretch: Stretch) -> int:
        start, _, offset, before, _ = stretch
        goes_on = self.rule.runs_skipped if before < offset else not self.rule.runs_second
        return start + (before if goes_on else offset)

    def _window_end(self, stretch: Stretch) -> int:
        _, end, offset, _, after = stretch
        return end + (offset if self.rule.runs_first or offset < after else after)

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
        start, _, offset, _, _ = stretch
        if instant <= start:
            return 0
        opening = self._window_start(stretch)
        closing = min(instant + offset, self._window_end(stretch))
        shown = min(max(start + offset + 1, opening), closing)
        at_start = min(1, self._walls_between(opening, shown))
        return at_start + self._walls_between(shown, closing)

    def _walls_between(self, begin: int, end: int) -> int:
        return self.walls.count_before(end) - self.walls.count_before(begin) if end > begin else 0
