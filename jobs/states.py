"""The state machine of a run, as data. Choices, check constraints, guards and the docs' diagram derive from it."""

from collections.abc import Mapping
from typing import Final

from django.db.models import TextChoices


class State(TextChoices):
    """The states a run can be in; MEANING says what each one tells."""

    SCHEDULED = "scheduled", "Scheduled"
    WAITING = "waiting", "Waiting"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    HELD = "held", "Held"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    SKIPPED = "skipped", "Skipped"
    MISSED = "missed", "Missed"


class Trigger(TextChoices):
    """What made a run."""

    SCHEDULE = "schedule", "Schedule"
    MANUAL = "manual", "Run now"
    RETRY = "retry", "Retry of a finished run"
    UPSTREAM = "upstream", "Upstream"
    BACKFILL = "backfill", "Backfill"


MEANING: Final[Mapping[State, str]] = {
    State.SCHEDULED: "waits for its time, or for the next attempt",
    State.WAITING: "its time has come, and it waits for something else, which its reason tells",
    State.QUEUED: "sent to the workers, not yet started",
    State.RUNNING: "a worker is executing it",
    State.HELD: "paused by someone; waits to be resumed",
    State.SUCCEEDED: "the task returned",
    State.FAILED: "the task failed and the retry policy gave up, or it was set aside as poison",
    State.CANCELLED: "stopped by someone",
    State.SKIPPED: "a policy of its job forbade the run; the reason tells which",
    State.MISSED: "its tick was not run in time",
}

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.SCHEDULED: frozenset(
        {State.QUEUED, State.RUNNING, State.WAITING, State.HELD, State.CANCELLED, State.MISSED, State.FAILED}
    ),
    State.QUEUED: frozenset(
        {State.RUNNING, State.SCHEDULED, State.WAITING, State.HELD, State.CANCELLED, State.MISSED, State.FAILED}
    ),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.SCHEDULED, State.WAITING, State.CANCELLED}),
    State.WAITING: frozenset({State.SCHEDULED, State.HELD, State.CANCELLED, State.MISSED, State.SKIPPED}),
    State.HELD: frozenset({State.WAITING, State.CANCELLED, State.MISSED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.SKIPPED: frozenset(),
    State.MISSED: frozenset(),
}

TERMINAL: Final = frozenset(state for state, moves in MOVES.items() if not moves)
LIVE: Final = frozenset(MOVES) - TERMINAL
BORN: Final = frozenset({State.SCHEDULED, State.WAITING, State.SKIPPED, State.MISSED})
"""The states in which a run may come into being."""


def sources(target: State) -> frozenset[State]:
    """The states from which a run may move to `target`."""
    return frozenset(state for state, moves in MOVES.items() if target in moves)
