"""The task class on which every task of the application is built: it makes any Celery task a job, unchanged.

A message that carries an attempt's number is executed as that attempt of a run: claimed, run and finished in this
one frame, because only here can an attempt be vetoed and MemoryError, SystemExit and Retry become an outcome.
A message without one is an ordinary Celery task and is left alone.
"""

import threading
from contextvars import copy_context
from typing import Any
from uuid import UUID

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]
from celery.app.task import Context
from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore, MaxRetriesExceededError, Retry

from jobs.broker import ATTEMPT, WORKER, WORKER_NAME
from jobs.current import current_run
from jobs.execute import execute, filled_in
from jobs.policies.outcomes import Failed, Outcome, Succeeded
from jobs.policies.templates import TemplateError
from jobs.task_outcomes import AskedRetry, mismatch, one_line, outcome_of, raise_for_celery
from jobs.transitions import Claim, Claimant, Ticket
from jobs.worker.clean_room import ROOM, one_process
from jobs.worker.lease_clock import LEASE_CLOCK
from jobs.worker.shield import exposed, shielded


class JobTask(DjangoTask[Any, Any]):
    """A Celery task that may be executed as a run."""

    abstract = True
    Request = "jobs.worker.request:JobRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ticket = _ticket(self.request)
        if ticket is None or current_run().id == ticket.run_id:
            return super().__call__(*args, **kwargs)
        with shielded():
            body = _Body(self)
            conclusion = execute(ticket, self.name, _claimant(self.request), body)
            ROOM.end_if_lost()
        if conclusion is None:
            raise Ignore
        if body.error is None and conclusion.won:
            return body.value
        return raise_for_celery(conclusion, body.error, body.message)

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: Exception | None = None,
        throw: bool = True,
        eta: Any = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """As Celery's, but in a run nothing is published: the job's retry policy decides and the next dispatch sends.

        `countdown`, `eta`, `args` and `kwargs` are honoured; `max_retries` can only lower what the job grants.
        """
        run = current_run()
        if not run or str(run.id) != self.request.id:
            return super().retry(args, kwargs, exc, throw, eta, countdown, max_retries, **options)
        if max_retries is not None and self.request.retries >= max_retries:
            raise exc or MaxRetriesExceededError(f"the task's own limit of {max_retries} retries is reached")
        when: Any = eta if countdown is None else countdown
        asked = AskedRetry(exc=exc, when=when)
        asked.new_args = None if args is None else list(args)
        asked.new_kwargs = None if kwargs is None else dict(kwargs)
        if throw:
            raise asked
        self.request.update(carillon_asked=asked)
        return asked


class _Body:
    """The user's function, called for a claim; keeps what it returned or raised for Celery."""

    def __init__(self, task: JobTask) -> None:
        self.task = task
        self.value: Any = None
        self.error: BaseException | None = None
        self.message = ""

    def __call__(self, claim: Claim) -> Outcome:
        if LEASE_CLOCK.over:
            # The claim's answer has taken so long that the run may be another worker's by now; rescue knows.
            raise Ignore
        try:
            claim = filled_in(claim)
        except TemplateError as error:
            return self._refuse(TemplateError(f"the arguments cannot be filled in: {error}"))
        self.task.request.update(args=claim.args, kwargs=claim.kwargs, retries=claim.retries)
        unfit = mismatch(self.task.run, claim.args, claim.kwargs)
        if unfit:
            return self._refuse(TypeError(unfit))
        try:
            self.value = self._run(claim)
        except BaseException as error:
            if terminate_handler_fired():
                # The pool is ending this process (a cold shutdown, a revoke): no outcome of the task's.
                raise
            self.error, self.message = error, one_line(error)
            return self._told(outcome_of(error))
        return Succeeded(self.value)

    def _refuse(self, error: Exception) -> Failed:
        """The arguments are wrong, and would be again."""
        self.error, self.message = error, str(error)
        return Failed(self.message, retryable=False)

    def _run(self, claim: Claim) -> Any:
        with one_process(), ROOM.entered(self.task.name), exposed():
            value = copy_context().run(self.task.run, *claim.args, **claim.kwargs)
        asked = getattr(self.task.request, "carillon_asked", None)
        if asked is not None:
            raise asked
        return value

    def _told(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Succeeded):
            self.error = None
        return outcome


def _ticket(request: Context) -> Ticket | None:
    attempt = getattr(request, ATTEMPT, None)
    if not isinstance(attempt, int) or request.called_directly:
        return None
    return Ticket(UUID(request.id), attempt)


def _claimant(request: Context) -> Claimant:
    """Who executes: the worker's parent has put its lease into the request; a prefork process is its main thread."""
    return Claimant(UUID(getattr(request, WORKER)), getattr(request, WORKER_NAME), threading.get_native_id())
