"""Celery's exceptions as outcomes of a run, and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from jobs.exceptions import RetriesRefused, TaskExited, TaskMemoryError, TaskRejected
from jobs.finish import Conclusion
from jobs.policies.outcomes import Failed, Succeeded
from jobs.states import State
from jobs.task_outcomes import AskedRetry, mismatch, one_line, outcome_of, raise_for_celery, seconds_until

SEVEN: Any = 7  # celery-types has numbers.Real here, which to mypy no number is
NOUGHT: Any = 0


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


def raised(error: BaseException) -> BaseException:
    """The error with a traceback, as a task's frame would give it."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - whatever is to be raised, SystemExit among it
        return caught


def failed(error: BaseException) -> Failed:
    outcome = outcome_of(raised(error))
    assert isinstance(outcome, Failed)
    return outcome


def test_ignore_is_a_success_that_says_so() -> None:
    assert outcome_of(Ignore()) == Succeeded(reason="the task raised Ignore")


def test_an_exception_is_a_failure_with_its_message_that_may_be_retried() -> None:
    outcome = failed(ValueError("no luck"))
    assert (outcome.error, outcome.retryable, outcome.timed_out) == ("ValueError: no luck", True, False)
    assert outcome.traceback.endswith("ValueError: no luck\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError(), "KeyError"),
        (Mute(), "Mute: <its message raises RuntimeError>"),
        (MemoryError("too much"), "MemoryError: too much"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_every_exception_has_a_line_also_one_whose_message_raises(error: BaseException, line: str) -> None:
    assert failed(error).error == one_line(error) == line


def test_the_soft_limit_is_a_timeout() -> None:
    outcome = failed(SoftTimeLimitExceeded())
    assert (outcome.error, outcome.timed_out, outcome.retryable) == ("the timeout was exceeded", True, True)


@pytest.mark.parametrize("requeue", [True, False])
def test_a_reject_is_retried_only_if_it_asks_to_be_requeued(requeue: bool) -> None:
    outcome = failed(Reject("not for me", requeue=requeue))
    assert (outcome.error, outcome.retryable) == ("Reject: not for me", requeue)


def test_a_retry_with_a_countdown_asks_for_that_delay_and_is_told_by_its_cause() -> None:
    outcome = failed(Retry(exc=ValueError("again"), when=SEVEN))
    assert (outcome.error, outcome.asked_delay) == ("ValueError: again", 7.0)


def test_a_retry_without_a_time_leaves_the_delay_to_the_policy() -> None:
    assert failed(Retry(exc=ValueError("again"))).asked_delay is None
    assert failed(Retry("once more")).asked_delay is None


@pytest.mark.parametrize(
    "eta",
    [
        lambda: datetime.now(UTC) + timedelta(seconds=60),
        lambda: datetime.now(timezone(timedelta(hours=9))) + timedelta(seconds=60),
        lambda: datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=60),
    ],
)
def test_a_retry_with_an_eta_asks_for_the_time_until_then(eta: Callable[[], datetime]) -> None:
    asked = failed(Retry(when=eta())).asked_delay
    assert asked is not None
    assert 58 < asked <= 60


def test_an_eta_that_has_passed_asks_for_no_delay() -> None:
    assert seconds_until(datetime(2020, 1, 1, tzinfo=UTC)) == 0.0


def test_a_retry_may_ask_for_other_arguments() -> None:
    asked = AskedRetry(exc=ValueError("again"), when=NOUGHT)
    asked.new_args, asked.new_kwargs = [2], {"b": 3}
    outcome = failed(asked)
    assert (outcome.new_args, outcome.new_kwargs) == ([2], {"b": 3})


@pytest.mark.parametrize("unfit", [[object()], ["a\x00b"], [float("nan")], ["\ud800"]])
def test_arguments_that_no_row_can_hold_end_the_run_with_the_reason(unfit: list[Any]) -> None:
    asked = AskedRetry(exc=ValueError("again"), when=NOUGHT)
    asked.new_args = unfit
    outcome = failed(asked)
    assert outcome.retryable is False
    assert outcome.new_args is None
    assert outcome.error.startswith("retry: what it asks to be called with ")


def add(a: int, b: int = 2, *, c: int = 3) -> int:
    return a + b + c


@pytest.mark.parametrize(("args", "kwargs"), [([1], {}), ([1, 2], {"c": 4}), ([], {"a": 1})])
def test_fitting_arguments_have_no_mismatch(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert mismatch(add, args, kwargs) == ""


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ([], {}, "missing a required argument: 'a'"),
        ([1, 2, 3], {}, "too many positional arguments"),
        ([1], {"d": 1}, "got an unexpected keyword argument 'd'"),
        ([1], {"a": 1}, "multiple values for argument 'a'"),
    ],
)
def test_a_mismatch_is_told_before_the_call(args: list[Any], kwargs: dict[str, Any], words: str) -> None:
    assert mismatch(add, args, kwargs) == f"the arguments do not fit the task: {words}"


def test_a_lost_outcome_is_ignored_by_celery() -> None:
    with pytest.raises(Ignore):
        raise_for_celery(Conclusion(State.FAILED, won=False), ValueError("x"), "ValueError: x")


def test_a_granted_retry_is_shown_by_celery_as_one_with_its_delay() -> None:
    with pytest.raises(Retry) as shown:
        raise_for_celery(Conclusion(State.SCHEDULED, won=True, delay=1.23456), ValueError("x"), "ValueError: x")
    assert shown.value.when == 1.235
    assert isinstance(shown.value.exc, ValueError)


@pytest.mark.parametrize(
    ("error", "harmless"),
    [
        (ValueError("x"), ValueError),
        (MemoryError(), TaskMemoryError),
        (SystemExit(3), TaskExited),
        (KeyboardInterrupt(), TaskExited),
        (None, TaskExited),
        (Reject("no"), TaskRejected),
        (Retry(exc=KeyError("k")), KeyError),
        (Retry("once more"), RetriesRefused),
    ],
)
def test_what_celery_gets_to_see_of_a_failure_kills_no_process(
    error: BaseException | None, harmless: type[Exception]
) -> None:
    with pytest.raises(harmless) as shown:
        raise_for_celery(Conclusion(State.FAILED, won=True), error, "what happened")
    assert isinstance(shown.value, Exception)
    assert not isinstance(shown.value, MemoryError)
