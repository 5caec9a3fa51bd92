"""The overlap policy: what becomes of a tick, or a trigger, that comes while earlier runs of the job are live."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OverlapRules:
    """A job's overlap policy: `kind` is allow, skip, queue_one, queue_all or replace; at most so many may wait."""

    kind: str
    most_waiting: int


@dataclass(frozen=True, slots=True)
class Start:
    """The run may be sent."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The run waits for its turn."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """There is no run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replace:
    """The earlier runs are cancelled, and the run follows."""

    victims: tuple[UUID, ...]


Decision = Start | Wait | Skip | Replace


def decide(rules: OverlapRules, active: Sequence[UUID], waiting: Sequence[UUID]) -> Decision:
    """What becomes of another run. `active` are the job's runs that have not ended and do not wait, oldest first."""
    if rules.kind == "allow" or not (active or waiting):
        return Start()
    earlier = (*active, *waiting)[0]
    match rules.kind:
        case "skip":
            return Skip(f"the earlier run {earlier} had not ended")
        case "queue_one" if waiting:
            return Skip(f"the run {waiting[0]} was waiting already")
        case "queue_all" if len(waiting) >= rules.most_waiting:
            return Skip(f"{len(waiting):,} runs were waiting already")
        case "queue_one" | "queue_all":
            return Wait(f"waits for the run {earlier} to end")
        case _:
            return Replace((*active, *waiting))
