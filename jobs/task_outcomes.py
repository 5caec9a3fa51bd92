"""Between Celery's exceptions and Carillon's outcomes, both ways."""

import inspect
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Never

from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from jobs.exceptions import RetriesRefused, TaskExited, TaskMemoryError, TaskRejected
from jobs.finish import Conclusion
from jobs.losses import TIME_LIMIT
from jobs.policies.outcomes import Failed, Outcome, Succeeded
from jobs.policies.retry import names_of
from jobs.states import State
from jobs.storable import as_json

OWN_FRAMES = 1
"""Frames of Carillon's own at the top of a task's traceback."""


class AskedRetry(Retry):
    """The task called `self.retry()`; nothing was published. It may ask for other arguments."""

    new_args: list[Any] | None = None
    new_kwargs: dict[str, Any] | None = None


def outcome_of(error: BaseException) -> Outcome:
    """What an exception out of a task means for its run."""
    match error:
        case Ignore():
            return Succeeded(reason="the task raised Ignore")
        case Retry():
            return _asked(error)
        case Reject():
            reason, requeue = error.args
            return Failed(f"Reject: {reason}", retryable=bool(requeue))
        case SoftTimeLimitExceeded():
            classes = names_of(type(error)) | TIME_LIMIT
            return Failed("the timeout was exceeded", traceback_of(error), timed_out=True, classes=classes)
        case _:
            return Failed(one_line(error), traceback_of(error), classes=names_of(type(error)))


def _asked(retry: Retry) -> Failed:
    cause = retry.exc if isinstance(retry.exc, BaseException) else retry
    args, kwargs = getattr(retry, "new_args", None), getattr(retry, "new_kwargs", None)
    try:
        as_json([args, kwargs])
    except ValueError as unfit:
        return Failed(f"retry: what it asks to be called with {unfit}", traceback_of(cause), retryable=False)
    return Failed(
        one_line(cause),
        traceback_of(cause),
        classes=names_of(type(cause)),
        asked_delay=seconds_until(retry.when),
        new_args=args,
        new_kwargs=kwargs,
    )


def seconds_until(when: Any) -> float | None:
    """The delay that Celery's `countdown` or `eta` asks for, measured on the clock that the task itself read."""
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())  # noqa: TID251 - as the docstring says
    return float(when) if isinstance(when, (int, float)) else None


def mismatch(call: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str:
    """Why the arguments do not fit, or an empty text. Asked before the call: the task may raise a TypeError itself."""
    try:
        inspect.signature(call).bind(*args, **kwargs)
    except TypeError as error:
        return f"the arguments do not fit the task: {error}"
    return ""


def raise_for_celery(conclusion: Conclusion, error: BaseException | None, failed: str) -> Never:
    """Tell Celery what became of an attempt that did not succeed, so that events and Flower show it."""
    if not conclusion.won:
        raise Ignore
    cause = _harmless(error, failed)
    if conclusion.state == State.SCHEDULED:
        raise Retry(exc=cause, when=_celery_number(conclusion.delay or 0.0))
    raise cause


def _celery_number(seconds: float) -> Any:
    """A delay for display; the stubs of Celery ask for numbers.Real, which no float is to a type checker."""
    return round(seconds, 3)


def _harmless(error: BaseException | None, failed: str) -> Exception:
    """An exception that does not take the pool process or the worker down on its way to Celery."""
    match error:
        case MemoryError():
            return TaskMemoryError(failed)
        case Retry():
            return error.exc if isinstance(error.exc, Exception) else RetriesRefused(failed)
        case Reject():
            return TaskRejected(failed)
        case Exception():
            return error
        case _:
            return TaskExited(failed)


def one_line(error: BaseException) -> str:
    """An exception's type and message, of those whose str() raises as well."""
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001 - whatever it raises
        message = f"<its message raises {type(broken).__name__}>"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def traceback_of(error: BaseException) -> str:
    """The traceback as text, from the task's own first frame on."""
    return "".join(traceback.format_exception(type(error), error, _below(error.__traceback__, OWN_FRAMES)))


def _below(frames: TracebackType | None, own: int) -> TracebackType | None:
    while frames is not None and own > 0:
        frames, own = frames.tb_next, own - 1
    return frames
