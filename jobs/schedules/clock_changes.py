"""When a zone's clocks change.

The time line of a zone is cut into stretches in which its distance from UTC is constant; inside one, a wall
time and its instant differ by a number. `zoneinfo` does not tell when clocks change, so each span of about a
year is probed every three days when it is first asked for, and remembered. (The shortest stretch of any zone
since 1970 lasts a week.) Where a span ends means nothing to the clock: it cuts no stretch within two days of a
change, so that what a change skips or repeats is always seen whole.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from jobs.schedules.times import DAY_SECONDS

# 2 ** 25 seconds are 388 days.
_SPAN_BITS = 25
_PROBE_STEP = 3 * DAY_SECONDS
_NEAR = 2 * DAY_SECONDS
_SECOND = timedelta(seconds=1)


class Stretch(NamedTuple):
    """From `start` up to, not including, `end` (seconds from the epoch) wall time is instant + `offset`.

    `before` is the offset just before `start`: less than `offset` if the clock skipped, more if it repeated.
    `after` is the offset from `end` on.
    """

    start: int
    end: int
    offset: int
    before: int
    after: int


class Clock:
    """The clock of one zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._spans: dict[int, tuple[list[int], list[Stretch]]] = {}

    def stretch_at(self, instant: int) -> Stretch:
        span = instant >> _SPAN_BITS
        starts, stretches = self._spans.get(span) or self._probe(span)
        return stretches[bisect_right(starts, instant) - 1]

    def first_instant(self, wall: int) -> int:
        """The instant at which the clock shows this first; in a gap, the instant right after the gap."""
        stretch = self.stretch_at(wall - DAY_SECONDS)
        while stretch.end + stretch.offset <= wall:
            stretch = self.stretch_at(stretch.end)
        return max(wall - stretch.offset, stretch.start)

    def shown(self, wall: int) -> list[int]:
        """The instants at which the clock shows this: none in a gap, two if it is repeated."""
        instants = []
        stretch = self.stretch_at(wall - DAY_SECONDS)
        while stretch.start + stretch.offset <= wall:
            if wall < stretch.end + stretch.offset:
                instants.append(wall - stretch.offset)
            stretch = self.stretch_at(stretch.end)
        return instants

    def _probe(self, span: int) -> tuple[list[int], list[Stretch]]:
        begin, end = span << _SPAN_BITS, (span + 1) << _SPAN_BITS
        changes = list(self._changes(begin - _NEAR, end + _NEAR))
        within = [change for change in changes if begin < change < end]
        starts = [next((change for change in changes if change <= begin), begin), *within]
        stops = [*within, next((change for change in changes if change >= end), end)]
        stretches = [
            Stretch(start, stop, self._offset(start), self._offset(start - 1), self._offset(stop))
            for start, stop in zip(starts, stops, strict=True)
        ]
        self._spans[span] = starts, stretches
        return starts, stretches

    def _changes(self, begin: int, end: int) -> Iterator[int]:
        known, offset = begin, self._offset(begin)
        while known < end - 1:
            probed = min(known + _PROBE_STEP, end - 1)
            if (later := self._offset(probed)) != offset:
                yield self._change(known, probed)
            known, offset = probed, later

    def _change(self, before: int, after: int) -> int:
        """The first second of the new offset, by halving."""
        offset = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _offset(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, self._zone).utcoffset()
        if offset is None:
            raise ValueError(f"time zone: {self._zone!r} does not tell its distance from UTC")
        return offset // _SECOND


@lru_cache(maxsize=1024)
def clock_of(zone: tzinfo) -> Clock:
    """The one clock of a zone, so that what it has probed is shared."""
    return Clock(zone)
