"""A task that fails at first, to watch retries with exponential backoff."""

from celery import shared_task

from examples.arguments import whole_number
from jobs.current import current_run


class UpstreamUnavailable(ConnectionError):
    """The pretended upstream did not answer."""


@shared_task(name="examples.ask_unreliable_upstream")
def ask_unreliable_upstream(failures: int = 2) -> str:
    """A demonstration: no upstream is asked. The first `failures` attempts of a run fail, the next one succeeds.

    ValueError outside of a run, where there are no attempts to count.
    """
    whole_number("failures", failures, 0, 100)
    run = current_run()
    if not run:
        raise ValueError("attempt: there is none outside of a run; make a job of this task")
    if run.attempt <= failures:
        raise UpstreamUnavailable(f"attempt {run.attempt}: the upstream answered 503 (pretended)")
    return f"attempt {run.attempt}: the upstream answered (pretended)"
