"""What only the worker's parent sees of an attempt, and how each is written into the ledger."""

from dataclasses import dataclass
from uuid import UUID

from celery.worker import state

from jobs import control, losses
from jobs.losses import Teller
from jobs.transitions import Ticket


@dataclass(frozen=True, slots=True)
class Lost:
    """The process that executed the attempt is gone."""

    ticket: Ticket
    error: str
    by: Teller | None = None

    def write(self) -> None:
        losses.lose(self.ticket, self.error, by=self.by)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The worker was told to stop at once."""

    ticket: Ticket
    worker_name: str
    by: Teller | None = None

    def write(self) -> None:
        losses.give_back(self.ticket, f"given back: the worker {self.worker_name} was stopped", by=self.by)


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The attempt was killed at its hard limit."""

    ticket: Ticket
    error: str
    by: Teller | None = None

    def write(self) -> None:
        losses.time_out(self.ticket, self.error, by=self.by)


@dataclass(frozen=True, slots=True)
class UnknownTask:
    """The worker does not know the attempt's task."""

    ticket: Ticket
    worker_name: str
    by: Teller | None = None

    def write(self) -> None:
        losses.unknown_task(self.ticket, self.worker_name, by=self.by)


@dataclass(frozen=True, slots=True)
class Revoked:
    """Somebody revoked the task by Celery's own means: the CLI, or Flower."""

    run_id: UUID

    def write(self) -> None:
        control.cancel_run(self.run_id, "a Celery revoke", revoke=_already)


def _already(run_id: UUID) -> None:
    """The workers know."""


def process_ended(ticket: Ticket, worker_name: str, error: str, by: Teller | None) -> Lost | GivenBack:
    """The end of a process: a loss, unless the worker itself is ending its processes."""
    if state.should_terminate is not None:
        return GivenBack(ticket, worker_name, by)
    return Lost(ticket, error, by)


News = Lost | GivenBack | TimedOut | UnknownTask | Revoked
