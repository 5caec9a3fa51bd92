"""The request in the worker's parent: it sees the ends of attempts that the pool process could not tell of."""

from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from jobs.broker import WORKER, WORKER_NAME
from jobs.worker import bookkeeper
from jobs.worker.news import TimedOut, process_ended
from jobs.worker.pool import teller_of, ticket_of


class JobRequest(Request):
    """Celery's request, which gives an attempt its worker's lease and reports a process that was killed.

    No I/O here: this is the worker's event loop. Celery replaces `on_success` and `execute_using_pool`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keeper = bookkeeper.current()
        if keeper is not None and ticket_of(self) is not None:
            self.request_dict[WORKER] = str(keeper.worker_id)
            self.request_dict[WORKER_NAME] = keeper.worker_name

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        try:
            if not return_ok:
                self._report(exc_info.exception)
        finally:
            super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def _report(self, error: BaseException) -> None:
        """Tell the bookkeeper of an end that the process itself did not see."""
        ticket, keeper = ticket_of(self), bookkeeper.current()
        if ticket is None or keeper is None:
            return
        by = teller_of(self)
        error = getattr(error, "exc", error)  # billiard wraps an exception that carries its traceback as text
        if isinstance(error, TimeLimitExceeded):
            keeper.tell(TimedOut(ticket, f"killed at the hard limit of {error.args[0]} s", by))
        elif isinstance(error, (WorkerLostError, SystemExit, KeyboardInterrupt)):
            keeper.tell(process_ended(ticket, keeper.worker_name, f"its process ended: {error}", by))
