"""Upstreams: whether a run goes on, is skipped, or waits on, by how the jobs before it have ended for the same tick."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

AFTER = "@after"
"""The schedule of a job that runs after others, or by hand."""

NAMED = 3
"""How many upstreams one sentence names."""

BEGINS = "the upstream "

_ENDED = {"succeeded", "failed", "cancelled", "skipped", "missed"}
_BECAME = {"failed": "failed", "cancelled": "was cancelled", "skipped": "was skipped", "missed": "was missed"}


def runs_after_others(schedule: str) -> bool:
    """Whether this is the schedule of a job that has no fire times of its own."""
    return schedule.strip().lower() == AFTER


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an upstream's tick: the states of its runs, the latest of each shard, each with its reason.

    Without any it is `coming`, or there is none and there will be none.
    """

    name: str
    states: tuple[tuple[str, str], ...] = ()
    coming: bool = False

    @property
    def ended(self) -> bool:
        """Whether all of it has ended."""
        return not self.coming and all(state in _ENDED for state, _ in self.states)

    def found(self, states: Collection[str]) -> tuple[str, str] | None:
        """The first of its runs that is in one of these states."""
        return next((one for one in self.states if one[0] in states), None)


@dataclass(frozen=True, slots=True)
class GoOn:
    """The rule is met."""


@dataclass(frozen=True, slots=True)
class Forbid:
    """The rule cannot be met any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class WaitOn:
    """It is too early to say."""


Decision = GoOn | Forbid | WaitOn


def decide(rule: str, fates: Sequence[Fate]) -> Decision:
    """What becomes of a run whose job has these upstreams. `rule` is all_succeeded, all_done or any_failed.

    An upstream that has no run for the tick, and will have none, has no say. With all_succeeded one run that ended
    otherwise decides at once, and with any_failed one that failed; all_done takes every end.
    """
    if not fates:
        return Forbid("it has no upstreams any more")
    having = [fate for fate in fates if fate.states or fate.coming]
    if not having:
        return Forbid(f"{_the_upstreams(fate.name for fate in fates)} had no run for this tick")
    if rule == "all_succeeded" and (why := _first(having, _BECAME)):
        return Forbid(why)
    if rule == "any_failed" and _first(having, {"failed"}):
        return GoOn()
    if not all(fate.ended for fate in having):
        return WaitOn()
    return Forbid(f"{_the_upstreams(fate.name for fate in having)} did not fail") if rule == "any_failed" else GoOn()


def _first(fates: Iterable[Fate], states: Collection[str]) -> str:
    """What became of the first upstream that has a run in one of these states; empty if none has."""
    for fate in fates:
        if one := fate.found(states):
            state, reason = one
            return f"{BEGINS}{fate.name} {_BECAME[state]}{f': {_cause(reason)}' if reason else ''}"
    return ""


def _cause(reason: str) -> str:
    """The reason, of one that names upstream after upstream the last: far down it says who began it, in few words."""
    if not reason.startswith(BEGINS):
        return reason
    before, _, cause = reason.rpartition(f": {BEGINS}")
    return f"{BEGINS}{cause}" if before else reason


def _the_upstreams(names: Iterable[str]) -> str:
    return f"the upstream{'s' if len(told := list(names)) > 1 else ''} {listed(told)}"


def waits_for(names: Iterable[str]) -> str:
    """The reason of a run whose upstreams have not ended."""
    return f"waits for {_the_upstreams(sorted(names))}"


def listed(names: Sequence[str]) -> str:
    """The first names in a sentence, and how many more there are."""
    if len(names) > NAMED + 1:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def path(downwards: Mapping[int, Collection[int]], begin: int, end: int) -> list[int]:
    """The shortest way down from one job to another, both included; empty if there is none."""
    came_from: dict[int, int] = {begin: begin}
    front = [begin]
    while front and end not in came_from:
        steps = [(below, above) for above in front for below in sorted(downwards.get(above, ()))]
        front = []
        for below, above in steps:
            if below not in came_from:
                came_from[below] = above
                front.append(below)
    if end not in came_from:
        return []
    way = [end]
    while way[-1] != begin:
        way.append(came_from[way[-1]])
    return way[::-1]
