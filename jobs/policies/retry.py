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
    if not failure.retryable:
        return GiveUp("it would fail again")
    if rules.kind == "none" or rules.max_retries == 0:
        return GiveUp("the job's policy is not to retry")
    if retries >= rules.max_retries:
        return GiveUp(f"all {rules.max_retries} retries are used up")
    if failure.asked_delay is not None:
        return RetryIn(min(max(0.0, failure.asked_delay), LONGEST_ASKED))
    return RetryIn(delay(rules, retries, random))


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
