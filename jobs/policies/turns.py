"""Turns: who is next where slots are few. The more urgent first, then the key that has the fewest running.

Waiting makes a run more urgent, one step for each `ageing` seconds, but only while nothing with its key runs, and from
the end of what ran last: so the old runs of a key that is served do not stand before the new ones of another.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that waits for a slot. A room of None is unlimited; all with the same job or key have the same."""

    run_id: UUID
    priority: int
    due_at: datetime
    turn_of: Hashable
    """What it takes turns for with others: its key, or its job if that has none."""
    running: int
    """How many of those are running."""
    served_at: datetime | None
    """When the last of those ended."""
    job: int
    job_room: int | None
    key: str
    """Its own key within the job."""
    key_room: int | None

    def own_order(self) -> tuple[int, datetime, UUID]:
        """Its place among those with which it shares turns."""
        return self.priority, self.due_at, self.run_id


Urgency = tuple[float, int, datetime, UUID]


def choose(candidates: Iterable[Candidate], room: int, ageing: int, now: datetime) -> list[UUID]:
    """The runs that get the `room` slots of one pool (or job), in their order."""
    return _Choice(candidates, ageing, now).made(room)


class _Choice:
    """Slots given out one after the other, each to whoever is most urgent then."""

    def __init__(self, candidates: Iterable[Candidate], ageing: int, now: datetime) -> None:
        self.ageing = ageing
        self.now = now
        self.queues: dict[Hashable, deque[Candidate]] = defaultdict(deque)
        for candidate in sorted(candidates, key=Candidate.own_order):
            self.queues[candidate.turn_of].append(candidate)
        self.given: dict[Hashable, int] = defaultdict(int)
        """How many slots each key, each job and each key within a job has been given."""

    def made(self, room: int) -> list[UUID]:
        chosen: list[UUID] = []
        heads = [self._urgency(queue[0]) for queue in self.queues.values()]
        turns = {queue[0].run_id: turn for turn, queue in self.queues.items()}
        heapq.heapify(heads)
        while heads and len(chosen) < room:
            turn = turns.pop(heapq.heappop(heads)[-1])
            candidate = self.queues[turn].popleft()
            if self._fits(candidate):
                self._give(candidate)
                chosen.append(candidate.run_id)
            if queue := self.queues[turn]:
                heapq.heappush(heads, self._urgency(queue[0]))
                turns[queue[0].run_id] = turn
        return chosen

    def _urgency(self, candidate: Candidate) -> Urgency:
        running = candidate.running + self.given[candidate.turn_of]
        return (*urgency(candidate, running, self.ageing, self.now), candidate.due_at, candidate.run_id)

    def _fits(self, candidate: Candidate) -> bool:
        return all(room is None or self.given[what] < room for what, room in _rooms(candidate))

    def _give(self, candidate: Candidate) -> None:
        self.given[candidate.turn_of] += 1
        for what, _ in _rooms(candidate):
            self.given[what] += 1


def urgency(candidate: Candidate, running: int, ageing: int, now: datetime) -> tuple[int, int]:
    """How urgent it is, the less the more, when so many with its key run."""
    if running:
        return candidate.priority, running
    since = candidate.due_at if candidate.served_at is None else max(candidate.due_at, candidate.served_at)
    waited = max(0.0, (now - since).total_seconds())
    return candidate.priority - int(waited // ageing), 0


def _rooms(candidate: Candidate) -> Sequence[tuple[Hashable, int | None]]:
    return (
        (("job", candidate.job), candidate.job_room),
        (("key", candidate.job, candidate.key), candidate.key_room),
    )
