"""What a task's code sees of the run it is executing: `current_run()`."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.conf import conf
from jobs.database import AWAY, first_line
from jobs.models import Run
from jobs.querysets import RunQuerySet
from jobs.states import State
from jobs.storable import as_json
from jobs.transitions import Claim, Ticket

logger = logging.getLogger(__name__)

THROTTLE = 1.0
"""Seconds between two questions to, or two writes of progress into, the run's row."""


class CurrentRun:
    """No run: what `current_run()` answers outside of one, so that a task stays an ordinary task."""

    id: UUID | None = None
    job: str = ""
    scheduled_for: datetime | None = None
    attempt: int = 0
    shard: int = 0
    """Which of `shards` runs of its tick it is, from 0."""
    shards: int = 1

    def __bool__(self) -> bool:
        return self.id is not None

    @property
    def previous(self) -> datetime | None:
        """The schedule's last tick before `scheduled_for`, in UTC, if there is one: the data interval's start."""
        return None

    @property
    def cancelled(self) -> bool:
        """Whether the run has been cancelled or taken away, so the task should stop. Asks at most once a second."""
        return False

    def progress(self, fraction: float, message: str = "") -> None:
        """Show how far the run is: `fraction` from 0 to 1. Written at most once a second, and at 1 in any case."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress: {fraction!r} is not between 0 and 1")

    @property
    def last_checkpoint(self) -> dict[str, Any] | None:
        """What an earlier attempt of the run has kept with `checkpoint`; None when there is nothing."""
        return None

    def checkpoint(self, data: dict[str, Any]) -> None:
        """Keep a JSON object for the next attempt, should there be one: where to go on from.

        Written at most once a second, and before the attempt ends, however it does that itself; a process that is
        killed loses what came within the last second. ValueError for what is no JSON object, or longer than a result
        may be.
        """
        if not isinstance(data, dict):
            raise ValueError("checkpoint: must be a JSON object")
        try:
            length = len(as_json(data))
        except ValueError as error:
            raise ValueError(f"checkpoint: {error}") from error
        if length > conf().result_limit:
            raise ValueError(f"checkpoint: {length:,} characters are more than {conf().result_limit:,}")


@dataclass(slots=True)
class Executing(CurrentRun):
    """A run that this process executes."""

    claim: Claim
    id: UUID | None = field(init=False)
    job: str = field(init=False)
    scheduled_for: datetime | None = field(init=False)
    attempt: int = field(init=False)
    shard: int = field(init=False)
    shards: int = field(init=False)
    _kept: dict[str, Any] | None = field(default=None, init=False)
    _kept_at: float = field(default=float("-inf"), init=False)
    _asked_at: float = field(default=float("-inf"), init=False)
    _wrote_at: float = field(default=float("-inf"), init=False)
    _gone: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.id = self.claim.ticket.run_id
        self.job = self.claim.job_name
        self.scheduled_for = self.claim.scheduled_for
        self.attempt = self.claim.ticket.attempt
        self.shard = self.claim.shard
        self.shards = self.claim.shards

    @property
    def previous(self) -> datetime | None:
        found = self.claim.interval_start or self.claim.schedule().previous_before(self.claim.scheduled_for)
        return found and found.astimezone(UTC)

    @property
    def cancelled(self) -> bool:
        now = time.monotonic()
        if not self._gone and now - self._asked_at >= THROTTLE:
            self._asked_at = now
            with _tolerant("asked whether it is cancelled"):
                self._gone = not self._mine().exists()
        return self._gone

    def progress(self, fraction: float, message: str = "") -> None:
        CurrentRun.progress(self, fraction, message)
        now = time.monotonic()
        # Inside the task's own transaction the write would stay unseen and keep the run's row locked until its end.
        if connection.in_atomic_block or (fraction < 1 and now - self._wrote_at < THROTTLE):
            return
        self._wrote_at = now
        message = message.replace("\x00", "").encode("utf-8", "replace").decode()[:255]
        with _tolerant("written its progress"):
            self._gone = self._mine().update(progress=fraction, progress_message=message) == 0

    @property
    def last_checkpoint(self) -> dict[str, Any] | None:
        return self.claim.checkpoint

    def checkpoint(self, data: dict[str, Any]) -> None:
        CurrentRun.checkpoint(self, data)
        self._kept = data
        if not connection.in_atomic_block and time.monotonic() - self._kept_at >= THROTTLE:
            self.keep()

    def keep(self) -> None:
        """Write the checkpoint that the throttle has held back, if there is one."""
        if self._kept is None:
            return
        self._kept_at = time.monotonic()
        with _tolerant("kept its checkpoint"):
            self._gone = self._mine().update(checkpoint=self._kept) == 0
            self._kept = None

    def _mine(self) -> RunQuerySet:
        return Run.objects.filter(pk=self.claim.ticket.run_id, attempt=self.attempt, state=State.RUNNING)


@contextmanager
def _tolerant(what: str) -> Iterator[None]:
    """A database that is away fails neither the progress bar nor the task; the worker's lease decides what follows."""
    try:
        yield
    except AWAY as error:
        connection.close_if_unusable_or_obsolete()
        logger.warning("the database is away, the run has not %s: %s", what, first_line(error))


_NONE = CurrentRun()
_executed_here: set[Ticket] = set()
_current: ContextVar[CurrentRun] = ContextVar("carillon_current_run", default=_NONE)


def current_run() -> CurrentRun:
    """The run that the calling code is part of; a harmless stand-in, which is false, outside of one."""
    return _current.get()


@contextmanager
def executing(claim: Claim) -> Iterator[Executing]:
    """Make `claim` the current run for the code inside. Afterwards its `keep` writes what the throttle held back."""
    run = Executing(claim)
    token = _current.set(run)
    _executed_here.add(claim.ticket)
    try:
        yield run
    finally:
        _executed_here.discard(claim.ticket)
        _current.reset(token)


def is_executing() -> bool:
    """Whether any thread of this process executes a run."""
    return bool(_executed_here)
