"""How an attempt ended, as the task's side tells it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task returned."""

    result: Any = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised, ran out of time, or could not be called."""

    error: str
    traceback: str = ""
    timed_out: bool = False
    classes: frozenset[str] = frozenset()
    """The names of the exception's class and of those it derives from."""
    retryable: bool = True
    """False when another attempt would end the same way, or the task said so."""
    asked_delay: float | None = None
    """Seconds the task itself asked to wait, with Celery's `retry(countdown=…)`."""
    new_args: list[Any] | None = None
    new_kwargs: dict[str, Any] | None = None
    """What the task wants its next attempt called with, with Celery's `retry(args=…, kwargs=…)`."""


Outcome = Succeeded | Failed
