"""The rows of the simulated database. Times are milliseconds after the seed's beginning, by the database's clock."""

from typing import Any
from uuid import UUID

from chaos.simulation.engine import Process
from chaos.simulation.jobs import JobSpec
from jobs.models.choices import Circuit
from jobs.states import State


class Job:
    """A job's row, and its runs."""

    __slots__ = (*("changed_at", "circuit", "counts_from", "live", "lock", "next_run_at", "probe", "runs", "spec"),)

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.lock: Process | None = None
        self.next_run_at: int | None = spec.times[0] if spec.times else None
        self.runs: list[Run] = []
        self.live: dict[int, Run] = {}
        self.circuit = Circuit.CLOSED
        self.probe: int | None = None
        self.changed_at = 0
        self.counts_from = -1


class Run:
    """A run's row."""

    __slots__ = (
        *("attempt", "by_user", "deadline_at", "due_at", "expires_at", "finished_at", "id", "job"),
        *("last", "limited", "lock", "losses", "number", "pid", "queued_at", "retries", "scheduled_for", "settled"),
        *("started_at", "state", "ticks", "worker"),
    )

    def __init__(self, number: int, key: UUID, job: Job, state: State, ticks: tuple[int, int, int]) -> None:
        self.number = number
        self.id = key
        self.job = job
        self.state = state
        self.scheduled_for, self.last, self.ticks = ticks
        self.limited = job.spec.limited
        self.due_at = self.scheduled_for
        self.attempt = 1
        self.retries = self.losses = self.worker = self.pid = 0
        self.deadline_at: int | None = None
        self.expires_at: int | None = None
        self.queued_at = self.started_at = self.finished_at = 0
        self.settled = self.by_user = False
        self.lock: Process | None = None

    def order(self) -> tuple[int, int]:
        """Its place in the line."""
        return self.due_at, self.number


class Worker:
    """A worker's row."""

    __slots__ = ("executing", "heartbeat_at", "lease_until", "life", "lock", "number")

    def __init__(self, number: int, life: Any) -> None:
        self.number = number
        self.life = life
        self.lock: Process | None = None
        self.lease_until = self.heartbeat_at = 0
        self.executing: tuple[int, ...] = ()


class Pool:
    """The pool whose slots limited jobs share."""

    __slots__ = ("lock", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.lock: Process | None = None
