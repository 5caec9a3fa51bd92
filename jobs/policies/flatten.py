"""Flatten: which jobs to move where, so that fewer runs come due in the busiest minute.

A job is moved by its schedule's text only where that is safe:

* its minute is one number, which becomes a later one of the same hour (what it needs was ready then, so it is ready
  later, and hour, day and zone stay as they are); or its minute is `*/n`, n divides 60 and the hour begins with `*`,
  so that it still follows the clock: then it comes at most n - 1 minutes later;
* nothing hangs on the tick's own time: the caller says of which jobs that is so (see `Member.movable`).

Other jobs are given a jitter, with which the tick keeps its time and only the run is due later, unless they have one,
or have a moment that somebody meant (`@at`). Nothing is moved to another hour's tick.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from jobs.policies.jitter import delay_of, passed_ticks
from jobs.policies.load import Crowd, PerMinute, Window, per_minute
from jobs.schedules import Schedule
from jobs.schedules.fields import MINUTE
from jobs.schedules.parser import MACROS

JITTERS = (60, 300, 900, 1800, 3600)
"""The jitters that are tried, in seconds."""


@dataclass(frozen=True, slots=True)
class Member:
    """A job: its name, how many runs a tick makes, and whether its ticks may be at another minute."""

    name: str
    runs: int
    movable: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Give these jobs, which have the schedule `before`, the schedule or the jitter (in seconds) `value`.

    The peak goes from `peak_before`, which `minutes_before` minutes have, to `peak`, which `minutes` have. `runs` is
    how many runs a tick of these jobs makes.
    """

    jobs: tuple[str, ...]
    runs: int
    field: str
    before: str
    timezone: str
    value: str
    peak_before: int
    minutes_before: int
    peak: int
    minutes: int

    def __str__(self) -> str:
        what = f"the schedule {self.value}" if self.field == "schedule" else f"a jitter of {self.value} s"
        if len(self.jobs) > 1:
            return f"give the {len(self.jobs):,} jobs with {self.before} {what}"
        if self.field == "schedule":
            return f"job {self.jobs[0]}: {self.before} → {self.value}"
        return f"job {self.jobs[0]} ({self.before}): {what}"

    @property
    def effect(self) -> str:
        """What it does to the peak, in words."""
        if self.peak < self.peak_before:
            return f"the peak goes from {self.peak_before:,} to {self.peak:,}"
        return f"{self.minutes:,} instead of {self.minutes_before:,} minutes have the peak of {self.peak:,}"


@dataclass(frozen=True, slots=True)
class Shiftable:
    """A schedule's text that can be moved by minutes: its minutes at each place, and the text that spreads by hash."""

    rest: str
    places: dict[int, str]
    hashed: str

    def text(self, place: int) -> str:
        return f"{self.places[place]} {self.rest}"

    @property
    def hashed_text(self) -> str:
        return f"{self.hashed} {self.rest}"

    def place_of(self, name: str) -> int:
        """Where the hash puts a job."""
        return min(MINUTE.values(self.hashed, name))


def shiftable(text: str) -> Shiftable | None:
    """How the text can be moved by minutes; None if not."""
    words = MACROS.get(text.lower(), text).upper().split()
    if len(words) != 5:
        return None
    minute, rest = words[0], " ".join(words[1:])
    if minute.isdigit():
        first = int(minute)
        places = {place: str(place) for place in range(first, 60)}
        return Shiftable(rest, places, f"H({first}-59)" if first else "H") if first < 59 else None
    if minute.startswith("*/") and minute[2:].isdigit() and words[1].startswith("*"):
        step = int(minute[2:])
        if 1 < step <= 30 and 60 % step == 0:
            places = {0: minute} | {place: f"{place}-59/{step}" for place in range(1, step)}
            return Shiftable(rest, places, f"H/{step}")
    return None


@dataclass(eq=False)
class Candidate:
    """Jobs with the same schedule and no jitter. `parse` reads a text in their zone, by their rules.

    `members` are asked for only when they run in the busiest minute. An edit at `now` takes effect from then on.
    """

    text: str
    timezone: str
    window: Window
    now: datetime
    parse: Callable[[str], Schedule]
    members: Callable[[], Iterable[Member]]
    _placed: dict[str, PerMinute] = field(default_factory=dict)

    @cached_property
    def ticks(self) -> PerMinute:
        """The minutes of its ticks as they are."""
        return self.ticks_of(self.text)

    @cached_property
    def all(self) -> list[Member]:
        return sorted(self.members(), key=lambda member: (-member.runs, member.name))

    @cached_property
    def movable(self) -> list[Member]:
        return [member for member in self.all if member.movable] if self.shiftable else []

    @cached_property
    def others(self) -> list[Member]:
        return [member for member in self.all if not (member.movable and self.shiftable)]

    @cached_property
    def shiftable(self) -> Shiftable | None:
        return shiftable(self.text)

    def ticks_of(self, text: str) -> PerMinute:
        """The minutes of the ticks by another text."""
        if text not in self._placed:
            self._placed[text] = self._counted(text, {0: 1})
        return self._placed[text]

    def _counted(self, text: str, delays: dict[int, int]) -> PerMinute:
        return per_minute(Crowd(self.parse(text), self.now, self.window.end, delays), self.window)

    @cached_property
    def hashed(self) -> PerMinute:
        """When the runs of the movable jobs are due if the hash places them."""
        if self.shiftable is None:
            return Counter()
        runs: Counter[int] = Counter()
        for member in self.movable:
            runs[self.shiftable.place_of(member.name)] += member.runs
        return _sum(_times(self.ticks_of(self.shiftable.text(place)), count) for place, count in runs.items())

    @cached_property
    def jittered(self) -> list[tuple[int, PerMinute]]:
        """When the runs of the others are due with each jitter that does not pass a tick."""
        if self.text.lstrip().lower().startswith("@at"):
            return []
        schedule = self.parse(self.text)
        fitting = [jitter for jitter in JITTERS if self.others and passed_ticks(schedule, jitter, self.now) is None]
        return [(jitter, self._counted(self.text, _delays(self.others, jitter))) for jitter in fitting]


@dataclass(frozen=True, slots=True)
class _Option:
    """A possible suggestion: what the members would have, and when their runs are due then."""

    candidate: Candidate
    members: Sequence[Member]
    field: str
    value: str
    ticks: PerMinute

    @property
    def runs(self) -> int:
        return sum(member.runs for member in self.members)


def suggest(total: Sequence[int], candidates: Sequence[Candidate], most: int) -> list[Suggestion]:
    """Up to `most` suggestions, each the best one after those before it: the lowest peak in the fewest minutes.

    `total` is how many runs are due in each minute. Of equals the one that changes the fewest jobs comes first. Every
    suggestion lowers the peak, or the number of minutes that have it.
    """
    load, left = list(total), sorted(candidates, key=lambda one: (one.text, one.timezone))
    made: list[Suggestion] = []
    while len(made) < most and load and max(load) > 1:
        measured = [(_measured(load, option), option) for option in _options(load, left)]
        best = min(measured, key=lambda pair: (pair[0], len(pair[1].members)), default=None)
        if best is None or best[0] >= _height(load):
            break
        option, before = best[1], _height(load)
        load = _changed(load, option)
        made.append(_suggestion(option, before, _height(load)))
        _take_away(option)
    return made


def _options(load: Sequence[int], candidates: Iterable[Candidate]) -> Iterator[_Option]:
    """What could be done about the first of the busiest minutes."""
    busiest = load.index(max(load))
    for candidate in candidates:
        if not candidate.ticks[busiest]:
            continue
        if candidate.shiftable and candidate.movable:
            yield _moved(load, candidate, candidate.shiftable, candidate.movable[0])
            if len(candidate.movable) > 1:
                value = candidate.shiftable.hashed_text
                yield _Option(candidate, candidate.movable, "schedule", value, candidate.hashed)
        for jitter, ticks in candidate.jittered:
            yield _Option(candidate, candidate.others, "jitter", str(jitter), ticks)


def _moved(load: Sequence[int], candidate: Candidate, shift: Shiftable, member: Member) -> _Option:
    """One job, at the quietest of the later minutes; of equals the nearest."""

    def height(place: int) -> int:
        ticks = candidate.ticks_of(shift.text(place))
        return max((load[minute] + count * member.runs for minute, count in ticks.items()), default=0)

    places = list(shift.places)[1:]
    text = shift.text(min(places, key=height))
    ticks = _times(candidate.ticks_of(text), member.runs)
    return _Option(candidate, [member], "schedule", text, ticks)


def _changed(load: Sequence[int], option: _Option) -> list[int]:
    changed, runs = list(load), option.runs
    for minute, count in option.candidate.ticks.items():
        changed[minute] -= count * runs
    for minute, count in option.ticks.items():
        changed[minute] += count
    return changed


def _measured(load: Sequence[int], option: _Option) -> tuple[int, int]:
    return _height(_changed(load, option))


def _height(load: Sequence[int]) -> tuple[int, int]:
    """The peak, and how many minutes have it."""
    peak = max(load)
    return peak, load.count(peak)


def _suggestion(option: _Option, before: tuple[int, int], after: tuple[int, int]) -> Suggestion:
    names = tuple(sorted(member.name for member in option.members))
    text, zone = option.candidate.text, option.candidate.timezone
    return Suggestion(names, option.runs, option.field, text, zone, option.value, *before, *after)


def _take_away(option: _Option) -> None:
    """A job is moved once."""
    candidate, gone = option.candidate, set(option.members)
    candidate.all = [member for member in candidate.all if member not in gone]
    for name in ("movable", "others", "hashed", "jittered"):
        candidate.__dict__.pop(name, None)


def _delays(members: Iterable[Member], jitter: int) -> dict[int, int]:
    delays: Counter[int] = Counter()
    for member in members:
        delays[int(delay_of(member.name, jitter).total_seconds())] += member.runs
    return delays


def _times(ticks: PerMinute, runs: int) -> PerMinute:
    return Counter({minute: count * runs for minute, count in ticks.items()})


def _sum(parts: Iterable[PerMinute]) -> PerMinute:
    total: PerMinute = Counter()
    for part in parts:
        total.update(part)
    return total
