"""Backfill: which ticks a range has, and what becomes of each, by how it stands in the ledger."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count

from jobs.schedules import Schedule

MICROSECOND = timedelta(microseconds=1)
MOST_STEPS = 200_000
"""How many fire times are compared to find the moments that several schedules have in common."""


class TooFarApart(ValueError):
    """The schedules of the upstreams have too many fire times between two moments that they share."""


class Standing(StrEnum):
    """How a tick stands in the ledger."""

    ABSENT = "absent"
    LIVE = "live"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Verdict(StrEnum):
    """What a backfill does with a tick."""

    NEW = "new"
    REDO = "redo"
    LEAVE = "leave"


def decide(redo: str, standing: Standing) -> Verdict:
    """What becomes of a tick; `redo` is none, failed or all. What has not ended is never doubled."""
    if standing is Standing.ABSENT:
        return Verdict.NEW
    if standing is Standing.LIVE:
        return Verdict.LEAVE
    again = redo == "all" or (redo == "failed" and standing is Standing.FAILED)
    return Verdict.REDO if again else Verdict.LEAVE


@dataclass(frozen=True, slots=True)
class Ticks:
    """The moments from `first` to `last`, both included, at which all the schedules fire; none without a schedule.

    In UTC. Several schedules are compared fire time by fire time: TooFarApart when that would take too long.
    """

    schedules: tuple[Schedule, ...]
    first: datetime
    last: datetime

    def count(self) -> int:
        """How many there are; for a single schedule without making them."""
        if self.first > self.last or not self.schedules:
            return 0
        if len(self.schedules) == 1:
            return self.schedules[0].count_between(self.first - MICROSECOND, self.last)
        return sum(1 for _ in self.forward(self.first))

    def forward(self, start: datetime) -> Iterator[datetime]:
        """Those from `start` on, the oldest first."""
        return self._walk(max(start, self.first), self._at_or_after, lambda tick: tick + MICROSECOND)

    def backward(self, start: datetime) -> Iterator[datetime]:
        """Those up to `start`, the newest first."""
        return self._walk(min(start, self.last), self._at_or_before, lambda tick: tick - MICROSECOND)

    def _walk(
        self,
        start: datetime,
        meeting: Callable[[datetime, Iterator[int]], datetime | None],
        past: Callable[[datetime], datetime],
    ) -> Iterator[datetime]:
        steps = count()
        while self.schedules and (tick := meeting(start, steps)) is not None:
            yield tick
            start = past(tick)

    def _at_or_after(self, moment: datetime, steps: Iterator[int]) -> datetime | None:
        while moment <= self.last:
            found = [schedule.next_after(moment - MICROSECOND) for schedule in self.schedules]
            fires = [fire.astimezone(UTC) for fire in found if fire is not None]
            if len(fires) < len(found) or max(fires) > self.last:
                return None
            if min(fires) == max(fires):
                return fires[0]
            moment = self._next_step(max(fires), steps)
        return None

    def _at_or_before(self, moment: datetime, steps: Iterator[int]) -> datetime | None:
        while moment >= self.first:
            found = [schedule.previous_before(moment + MICROSECOND) for schedule in self.schedules]
            fires = [fire.astimezone(UTC) for fire in found if fire is not None]
            if len(fires) < len(found) or min(fires) < self.first:
                return None
            if min(fires) == max(fires):
                return fires[0]
            moment = self._next_step(min(fires), steps)
        return None

    @staticmethod
    def _next_step(moment: datetime, steps: Iterator[int]) -> datetime:
        if next(steps) >= MOST_STEPS:
            raise TooFarApart("the upstreams' schedules meet too rarely to look for it over so long a range")
        return moment
