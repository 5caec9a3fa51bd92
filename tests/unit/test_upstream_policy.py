"""The rules of jobs that run after others, and the way from one job down to another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.upstream import Fate, Forbid, GoOn, WaitOn, decide, listed, path, runs_after_others, waits_for

LIVE = ("scheduled", "waiting", "queued", "running", "held")
ENDED = ("succeeded", "failed", "cancelled", "skipped", "missed")

SHARDS = st.lists(st.sampled_from([*LIVE, *ENDED]), max_size=3)
FATES = st.lists(
    st.builds(
        lambda states, coming: Fate("it", tuple((state, "") for state in states), coming and not states),
        SHARDS,
        st.booleans(),
    ),
    max_size=4,
)


def fate(*states: str, name: str = "load", reason: str = "") -> Fate:
    return Fate(name, tuple((state, reason) for state in states))


def test_the_schedule_of_a_job_after_others() -> None:
    assert runs_after_others(" @After ")
    assert not runs_after_others("@daily")


@given(FATES)
def test_with_all_succeeded_all_that_have_runs_must_succeed(fates: list[Fate]) -> None:
    having = [one for one in fates if one.states or one.coming]
    states = [state for one in fates for state, _ in one.states]
    decision = decide("all_succeeded", fates)
    if not having or any(state in ENDED[1:] for state in states):
        assert isinstance(decision, Forbid)
    elif any(one.coming for one in fates) or any(state in LIVE for state in states):
        assert decision == WaitOn()
    else:
        assert decision == GoOn()


@given(FATES)
def test_with_all_done_only_a_live_one_is_waited_for(fates: list[Fate]) -> None:
    having = [one for one in fates if one.states or one.coming]
    live = any(one.coming for one in fates) or any(state in LIVE for one in fates for state, _ in one.states)
    decision = decide("all_done", fates)
    assert decision == (WaitOn() if live else GoOn()) if having else isinstance(decision, Forbid)


@given(FATES)
def test_with_any_failed_one_failure_is_enough(fates: list[Fate]) -> None:
    states = [state for one in fates for state, _ in one.states]
    live = any(one.coming for one in fates) or any(state in LIVE for state in states)
    decision = decide("any_failed", fates)
    if "failed" in states:
        assert decision == GoOn()
    elif live:
        assert decision == WaitOn()
    else:
        assert isinstance(decision, Forbid)


def test_the_reason_names_the_upstream_its_state_and_why() -> None:
    failed = fate("failed", reason="all 3 retries are used up")
    assert decide("all_succeeded", [fate("succeeded"), failed]) == Forbid(
        "the upstream load failed: all 3 retries are used up"
    )
    assert decide("any_failed", [fate("succeeded"), fate("skipped", name="other")]) == Forbid(
        "the upstreams load and other did not fail"
    )
    assert decide("all_done", []) == Forbid("it has no upstreams any more")
    assert decide("all_done", [fate()]) == Forbid("the upstream load had no run for this tick")


def test_far_down_the_reason_names_the_one_above_and_the_one_that_began() -> None:
    reason = "no luck"
    for state in ("failed", "skipped", "skipped", "skipped"):
        decision = decide("all_succeeded", [fate(state, name=f"the {state} one", reason=reason)])
        assert isinstance(decision, Forbid)
        reason = decision.reason
    assert reason == "the upstream the skipped one was skipped: the upstream the failed one failed: no luck"


def test_sentences_name_a_few() -> None:
    assert waits_for(["b", "a"]) == "waits for the upstreams a and b"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and d"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert listed([]) == ""


def test_the_way_down() -> None:
    below = {1: {2, 3}, 2: {4}, 3: {4}, 4: {5}, 5: {1}}
    assert path(below, 1, 5) == [1, 2, 4, 5]
    assert path(below, 2, 3) == [2, 4, 5, 1, 3]
    assert path(below, 1, 9) == []
    assert path({}, 1, 1) == [1]


@given(st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, 6), max_size=3)), st.integers(0, 6), st.integers(0, 6))
def test_a_way_is_one_of_steps_down(below: dict[int, set[int]], begin: int, end: int) -> None:
    way = path(below, begin, end)
    if way:
        assert (way[0], way[-1]) == (begin, end)
        assert all(step in below[above] for above, step in pairwise(way))
        assert len(set(way)) == len(way)
