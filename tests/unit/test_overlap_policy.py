"""The overlap policy: what becomes of a run that comes while earlier ones of its job are live."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.models.choices import Overlap
from jobs.policies.overlap import Decision, OverlapRules, Replace, Skip, Start, Wait, decide

FIRST, SECOND, THIRD = uuid4(), uuid4(), uuid4()


@pytest.mark.parametrize("kind", Overlap.values)
def test_nothing_stands_in_the_way_of_a_run_without_live_ones(kind: str) -> None:
    assert decide(OverlapRules(kind, 1), [], []) == Start()


@pytest.mark.parametrize(
    ("kind", "active", "waiting", "expected"),
    [
        ("allow", [FIRST], [SECOND], Start()),
        ("skip", [FIRST], [], Skip(f"the earlier run {FIRST} had not ended")),
        ("queue_one", [FIRST], [], Wait(f"waits for the run {FIRST} to end")),
        ("queue_one", [FIRST], [SECOND], Skip(f"the run {SECOND} was waiting already")),
        ("queue_one", [], [SECOND], Skip(f"the run {SECOND} was waiting already")),
        ("queue_all", [FIRST], [SECOND], Wait(f"waits for the run {FIRST} to end")),
        ("queue_all", [FIRST], [SECOND, THIRD], Skip("2 runs were waiting already")),
        ("replace", [FIRST], [SECOND], Replace((FIRST, SECOND))),
    ],
)
def test_each_policy_decides_as_it_says(kind: str, active: list[UUID], waiting: list[UUID], expected: Decision) -> None:
    assert decide(OverlapRules(kind, 2), active, waiting) == expected


runs = st.lists(st.uuids(), max_size=5, unique=True)


@given(kind=st.sampled_from(Overlap.values), most=st.integers(1, 5), active=runs, waiting=runs)
def test_only_allow_starts_beside_another_and_no_line_grows_beyond_its_limit(
    kind: str, most: int, active: list[UUID], waiting: list[UUID]
) -> None:
    decision = decide(OverlapRules(kind, most), active, waiting)
    if isinstance(decision, Start):
        assert kind == "allow" or not (active or waiting)
    if isinstance(decision, Wait):
        assert len(waiting) < (1 if kind == "queue_one" else most)
    if isinstance(decision, Skip):
        assert decision.reason
