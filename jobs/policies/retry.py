"""The retry policy: whether a failed attempt is followed by another, and after how long."""

from collections.abc import Callable
from dataclasses import dataclass

from jobs.policies.outcomes import Failed

LONGEST_DOUBLING = 32
"""2 to this power is beyond every cap; it keeps the arithmetic away from overflow."""
LONGEST_ASKED = 366 * 86_400.0
"""Seconds; what a task asks for beyond this (it may be infinite) would not be a date that can be read back."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """A job's retry policy; delays in seconds. `kind` is none, immediate, fixed or exponential."""

    kind: str
    max_retries: int
    delay: float
    cap: float
    jitter: bool
    never: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    """Exceptions that are not retried, or that alone are, by the name of their class, or of one it derives from."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Another attempt, after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt."""

    reason: str


def decide(rules: RetryRules, retries: int, failure: Failed, random: Callable[[], float]) -> RetryIn | GiveUp:
    """What follows a failed attempt, of which `retries` failed before it. `random` draws from [0, 1).

    A delay that the task itself asked for is taken, up to a year; the number of retries stays the job's to say.
    """
    if why := _refusal(rules, retries, failure):
        return GiveUp(why)
    if failure.asked_delay is not None:
        return RetryIn(min(max(0.0, failure.asked_delay), LONGEST_ASKED))
    return RetryIn(delay(rules, retries, random))


def _refusal(rules: RetryRules, retries: int, failure: Failed) -> str:
    """Why there is no further attempt, or an empty text."""
    if not failure.retryable:
        return "it would fail again"
    if rules.kind == "none" or rules.max_retries == 0:
        return "the job's policy is not to retry"
    if excluded := failure.classes & rules.never:
        return f"the job never retries {', '.join(sorted(excluded))}"
    if rules.only and not failure.classes & rules.only:
        return f"the job retries only {', '.join(sorted(rules.only))}"
    if retries >= rules.max_retries:
        return f"all {rules.max_retries} retries are used up"
    return ""


def class_names(text: str) -> frozenset[str]:
    """The names in a list such as `ValueError, billing.errors.Refused`."""
    return frozenset(text.replace(",", " ").split())


def no_class_names(text: str) -> list[str]:
    """Those in the list that cannot be the name of a class."""
    return sorted(name for name in class_names(text) if not all(part.isidentifier() for part in name.split(".")))


def names_of(kind: type[BaseException]) -> frozenset[str]:
    """The names by which an exception's class is known: its own and those it derives from, short and in full."""
    classes = [one for one in kind.__mro__ if one is not object]
    return frozenset(one.__qualname__ for one in classes) | {f"{one.__module__}.{one.__qualname__}" for one in classes}


def delay(rules: RetryRules, retries: int, random: Callable[[], float]) -> float:
    """Seconds to wait before retry number `retries` + 1.

    Exponential: min(cap, delay · 2^retries); with full jitter a uniform draw from zero to that ("Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    if rules.kind == "immediate":
        return 0.0
    full = rules.delay if rules.kind == "fixed" else rules.delay * 2 ** min(retries, LONGEST_DOUBLING)
    full = min(full, rules.cap)
    return full * random() if rules.jitter else full
