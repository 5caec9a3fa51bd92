"""The state machine as data: it has no dead ends, no strangers, and its derived sets agree with it."""

import pytest

from jobs.states import BORN, LIVE, MEANING, MOVES, TERMINAL, State, sources


def reachable() -> set[State]:
    found, ahead = set(BORN), list(BORN)
    while ahead:
        new = MOVES[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_every_state_is_in_the_map_and_has_a_meaning() -> None:
    assert set(MOVES) == set(MEANING) == set(State)
    assert all(MEANING.values())


def test_every_state_can_be_reached_from_a_birth() -> None:
    assert reachable() == set(State)


def test_the_ends_are_these_and_nothing_leaves_them() -> None:
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED, State.MISSED} == TERMINAL
    assert all(not MOVES[state] for state in TERMINAL)


def test_live_and_terminal_share_out_all_states() -> None:
    assert set(State) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_state_can_come_to_an_end(state: State) -> None:
    found, ahead = {state}, [state]
    while ahead:
        new = MOVES[ahead.pop()] - found
        found |= new
        ahead += new
    assert found & TERMINAL


def test_no_state_moves_to_itself() -> None:
    assert not [state for state, moves in MOVES.items() if state in moves]


@pytest.mark.parametrize("target", list(State))
def test_sources_is_the_map_read_backwards(target: State) -> None:
    assert sources(target) == {state for state in State if target in MOVES[state]}


def test_only_a_running_attempt_can_succeed() -> None:
    assert sources(State.SUCCEEDED) == {State.RUNNING}


def test_a_run_starts_only_from_where_its_message_may_be() -> None:
    assert sources(State.RUNNING) == {State.SCHEDULED, State.QUEUED}


def test_a_tick_is_skipped_at_birth_or_while_it_waits() -> None:
    assert sources(State.SKIPPED) == {State.WAITING}
    assert State.SKIPPED in BORN
