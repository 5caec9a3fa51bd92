"""The retry policy: how long the waits are, and when it gives up."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.outcomes import Failed
from jobs.policies.retry import (
    LONGEST_ASKED,
    GiveUp,
    RetryIn,
    RetryRules,
    class_names,
    decide,
    delay,
    names_of,
    no_class_names,
)

RULES = RetryRules("exponential", max_retries=5, delay=10, cap=3600, jitter=False)
FAILURE = Failed("ValueError: no luck")
YEAR = 366 * 86_400

all_rules = st.builds(
    RetryRules,
    kind=st.sampled_from(["none", "immediate", "fixed", "exponential"]),
    max_retries=st.integers(0, 100),
    delay=st.integers(1, 30 * 86_400),
    cap=st.integers(1, 30 * 86_400),
    jitter=st.booleans(),
)
draws = st.floats(0, 1, exclude_max=True)


def middle() -> float:
    return 0.5


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("immediate", [0, 0, 0, 0]),
        ("fixed", [10, 10, 10, 10]),
        ("exponential", [10, 20, 40, 80]),
    ],
)
def test_the_waits_are_those_of_the_policy(kind: str, waits: list[float]) -> None:
    rules = replace(RULES, kind=kind)
    assert [delay(rules, retries, middle) for retries in range(4)] == waits


def test_the_cap_bounds_what_doubling_and_a_long_fixed_delay_reach() -> None:
    assert delay(replace(RULES, cap=60), 3, middle) == 60
    assert delay(replace(RULES, kind="fixed", delay=100, cap=60), 0, middle) == 60


def test_a_huge_number_of_retries_does_not_overflow() -> None:
    assert delay(RULES, 1_000_000, middle) == 3600


def test_full_jitter_draws_between_zero_and_the_full_wait() -> None:
    jittered = replace(RULES, jitter=True)
    assert delay(jittered, 2, lambda: 0.0) == 0
    assert delay(jittered, 2, lambda: 0.25) == 10
    assert delay(jittered, 2, lambda: 0.999) == pytest.approx(39.96)


def test_jittered_waits_spread_evenly_over_the_whole_range() -> None:
    generator = random.Random(7)
    waits = [delay(replace(RULES, jitter=True), 3, generator.random) for _ in range(4_000)]
    quarters = [sum(20 * k <= wait < 20 * (k + 1) for wait in waits) for k in range(4)]
    assert all(850 < quarter < 1150 for quarter in quarters), quarters


@given(rules=all_rules, retries=st.integers(0, 10_000), draw=draws)
def test_a_wait_is_never_negative_and_never_above_the_cap(rules: RetryRules, retries: int, draw: float) -> None:
    assert 0 <= delay(rules, retries, lambda: draw) <= rules.cap


@given(rules=all_rules, retries=st.integers(0, 10_000), draw=draws)
def test_a_jittered_wait_is_never_above_the_full_one(rules: RetryRules, retries: int, draw: float) -> None:
    full = delay(replace(rules, jitter=False), retries, middle)
    assert delay(replace(rules, jitter=True), retries, lambda: draw) == pytest.approx(full * draw)


@given(rules=all_rules, retries=st.integers(0, 200))
def test_the_full_wait_never_shrinks_from_one_retry_to_the_next(rules: RetryRules, retries: int) -> None:
    steady = replace(rules, jitter=False)
    assert delay(steady, retries, middle) <= delay(steady, retries + 1, middle)


@given(rules=all_rules, asked=st.none() | st.floats(allow_nan=True), draw=draws)
def test_no_run_is_tried_more_often_than_its_job_allows(rules: RetryRules, asked: float | None, draw: float) -> None:
    failure = Failed("error", asked_delay=asked)
    retries = 0
    while isinstance(decide(rules, retries, failure, lambda: draw), RetryIn):
        retries += 1
    assert retries == (0 if rules.kind == "none" else rules.max_retries)


@pytest.mark.parametrize(
    ("rules", "retries", "failure", "reason"),
    [
        (RULES, 5, FAILURE, "all 5 retries are used up"),
        (replace(RULES, kind="none"), 0, FAILURE, "the job's policy is not to retry"),
        (replace(RULES, max_retries=0), 0, FAILURE, "the job's policy is not to retry"),
        (RULES, 0, Failed("TypeError", retryable=False), "it would fail again"),
        (RULES, 5, Failed("error", asked_delay=1), "all 5 retries are used up"),
        (replace(RULES, kind="none"), 0, Failed("error", asked_delay=1), "the job's policy is not to retry"),
    ],
)
def test_giving_up_tells_why(rules: RetryRules, retries: int, failure: Failed, reason: str) -> None:
    assert decide(rules, retries, failure, middle) == GiveUp(reason)


def test_the_last_retry_that_is_granted_is_granted() -> None:
    assert decide(RULES, 4, FAILURE, middle) == RetryIn(160)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (7.5, 7.5),
        (0, 0),
        (-3, 0),
        (100_000, 100_000),
        (float("inf"), LONGEST_ASKED),
        (1e300, LONGEST_ASKED),
        (float("nan"), 0),
    ],
)
def test_a_wait_that_the_task_asked_for_is_taken_within_what_a_date_can_hold(asked: float, wait: float) -> None:
    assert decide(replace(RULES, jitter=True, cap=60), 0, Failed("error", asked_delay=asked), middle) == RetryIn(wait)


REFUSED = names_of(ConnectionRefusedError)


@pytest.mark.parametrize(
    ("never", "only", "expected"),
    [
        ("", "", RetryIn(10)),
        ("ConnectionRefusedError", "", GiveUp("the job never retries ConnectionRefusedError")),
        ("ValueError OSError", "", GiveUp("the job never retries OSError")),
        ("builtins.ConnectionError", "", GiveUp("the job never retries builtins.ConnectionError")),
        ("ValueError", "", RetryIn(10)),
        ("", "TimeoutError, ConnectionError", RetryIn(10)),
        ("", "TimeoutError, ValueError", GiveUp("the job retries only TimeoutError, ValueError")),
    ],
)
def test_a_job_may_say_which_exceptions_are_retried(never: str, only: str, expected: RetryIn | GiveUp) -> None:
    rules = replace(RULES, never=class_names(never), only=class_names(only))
    assert decide(rules, 0, Failed("refused", classes=REFUSED), middle) == expected


def test_a_failure_of_which_no_class_is_known_is_not_among_the_only_ones() -> None:
    rules = replace(RULES, only=class_names("ValueError"))
    assert decide(rules, 0, Failed("lost"), middle) == GiveUp("the job retries only ValueError")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("", []), ("ValueError, a.b.C\n", []), ("1st", ["1st"]), ("a..b, Good, no-no", ["a..b", "no-no"])],
)
def test_what_cannot_be_the_name_of_a_class_is_told(text: str, wrong: list[str]) -> None:
    assert no_class_names(text) == wrong
