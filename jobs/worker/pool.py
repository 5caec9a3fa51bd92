"""What the worker is executing at this moment, as Celery's parent process knows it, and how to kill it."""

import os
import signal
from collections.abc import Collection
from typing import Any
from uuid import UUID

from celery.worker import WorkController, state
from celery.worker.request import Request

from jobs.broker import ATTEMPT, WORKER
from jobs.losses import Teller
from jobs.transitions import Ticket


def ticket_of(request: Request) -> Ticket | None:
    """The attempt that a request executes, or None for an ordinary Celery task."""
    attempt = request.request_dict.get(ATTEMPT)
    return Ticket(UUID(request.id), attempt) if isinstance(attempt, int) else None


def teller_of(request: Request) -> Teller | None:
    """Who executes a request, as far as it is known: its process, unless that is this one."""
    worker_id = request.request_dict.get(WORKER)
    pid: Any = request.worker_pid
    return None if worker_id is None else Teller(UUID(worker_id), None if pid == os.getpid() else pid)


class Pool:
    """The pool of a worker, by its processes. A pool of threads has none, and nothing in it can be killed."""

    def __init__(self, worker: WorkController) -> None:
        self._worker = worker

    def can_kill(self) -> bool:
        """Whether it executes in processes of its own."""
        return bool(self._pids())

    def active_requests(self) -> list[Request]:
        """The requests whose execution has begun, ordinary tasks among them."""
        while True:
            try:
                return list(state.active_requests)
            except RuntimeError:
                continue  # the event loop changed the set while it was copied

    def active_runs(self) -> dict[Ticket, Request]:
        """The attempts that are being executed."""
        pairs = ((ticket_of(request), request) for request in self.active_requests())
        return {ticket: request for ticket, request in pairs if ticket is not None}

    def runs_without_process(self) -> dict[Ticket, Teller | None]:
        """The attempts whose process has ended, but which Celery's own parent has not noticed yet; and that process."""
        pids = self._pids()
        processes: list[tuple[Request, Any]] = [(run, run.worker_pid) for run in self.active_requests()]
        ended = [run for run, pid in processes if pid in pids and _has_ended(pid)]
        pairs = ((ticket_of(run), teller_of(run)) for run in ended)
        return {ticket: teller for ticket, teller in pairs if ticket is not None}

    def kill_runs(self, tickets: Collection[Ticket]) -> int:
        """Kill the processes that execute these attempts; how many were killed."""
        pids, running = self._pids(), self.active_runs()
        doomed: set[Any] = {running[ticket].worker_pid for ticket in tickets if ticket in running}
        return sum(_kill(pid) for pid in pids if pid in doomed)

    def kill_everything(self) -> int:
        """Kill every process but those that execute ordinary tasks; how many were killed.

        Also the idle ones: one may have begun a run that the parent has not heard of yet.
        """
        spared = {request.worker_pid for request in self.active_requests() if ticket_of(request) is None}
        return sum(_kill(pid) for pid in self._pids() - spared)

    def _pids(self) -> set[int]:
        processes = (getattr(self._worker.pool, "info", None) or {}).get("processes", [])
        return {pid for pid in processes if isinstance(pid, int) and pid != os.getpid()}


def _has_ended(pid: int) -> bool:
    """Whether a child has ended. It is left for Celery's pool to reap, which looks only every few seconds."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False  # just reaped: Celery tells


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
