"""Every change of a run's state: it wins from the states it may come from, and otherwise changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from jobs import transitions
from jobs.models import Run
from jobs.states import LIVE, MOVES, State
from jobs.transitions import Ticket
from tests.factories import NOON, claimant_of, make_worker, queued_run, reload, run_in, running_run, ticket_of

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=5)


@dataclass(frozen=True)
class Move:
    """One function of jobs.transitions, called for a ticket; and what it promises."""

    name: str
    call: Callable[[Ticket], Any]
    sources: frozenset[State]
    target: State
    guards_attempt: bool = True


def claim(ticket: Ticket) -> bool:
    return transitions.claim(ticket, "probe.add", claimant_of(make_worker(LATER)), 40, now=LATER) is not None


WITH_WORKERS = [State.QUEUED, State.RUNNING]
NOT_HELD = [State.SCHEDULED, *WITH_WORKERS]
MOVES_MADE = [
    Move("claim", claim, frozenset({State.SCHEDULED, State.QUEUED}), State.RUNNING),
    Move("queue", lambda t: transitions.queue([t], LATER, 30), frozenset({State.SCHEDULED}), State.QUEUED),
    Move("succeed", lambda t: transitions.succeed(t, {}, LATER), frozenset({State.RUNNING}), State.SUCCEEDED),
    Move(
        "try again",
        lambda t: transitions.try_again(t, WITH_WORKERS, 10, {}, LATER),
        frozenset(WITH_WORKERS),
        State.SCHEDULED,
    ),
    Move(
        "try again with a slot",
        lambda t: transitions.try_again(t, WITH_WORKERS, 10, {}, LATER),
        frozenset(WITH_WORKERS),
        State.WAITING,
    ),
    Move("fail", lambda t: transitions.fail(t, NOT_HELD, {}, LATER), frozenset(NOT_HELD), State.FAILED),
    Move(
        "resend",
        lambda t: transitions.resend([t.run_id], LATER),
        frozenset({State.QUEUED}),
        State.SCHEDULED,
        guards_attempt=False,
    ),
    Move(
        "expire",
        lambda t: transitions.expire([t.run_id], LATER),
        frozenset({State.SCHEDULED, State.WAITING, State.QUEUED, State.HELD}),
        State.MISSED,
        guards_attempt=False,
    ),
    Move("cancel", lambda t: transitions.cancel(t.run_id, "by x", LATER), LIVE, State.CANCELLED, guards_attempt=False),
    Move(
        "hold",
        lambda t: transitions.hold(t.run_id, "by x"),
        frozenset({State.SCHEDULED, State.WAITING, State.QUEUED}),
        State.HELD,
        guards_attempt=False,
    ),
    Move(
        "admit",
        lambda t: transitions.admit([t.run_id], LATER),
        frozenset({State.WAITING}),
        State.SCHEDULED,
        guards_attempt=False,
    ),
    Move(
        "step back",
        lambda t: transitions.step_back([t.run_id]),
        frozenset({State.SCHEDULED}),
        State.WAITING,
        guards_attempt=False,
    ),
    Move(
        "skip",
        lambda t: transitions.skip(t.run_id, "a reason", LATER),
        frozenset({State.WAITING}),
        State.SKIPPED,
        guards_attempt=False,
    ),
    Move(
        "release",
        lambda t: transitions.release(t.run_id),
        frozenset({State.HELD}),
        State.WAITING,
        guards_attempt=False,
    ),
]
ALL = pytest.mark.parametrize("move", MOVES_MADE, ids=lambda move: move.name)


def row(run: Run) -> dict[str, Any]:
    return dict(Run.objects.filter(pk=run.pk).values().get())


def ready_for(move: Move, state: State) -> Run:
    run = run_in(state)
    if move.name == "expire" and state in (State.SCHEDULED, State.WAITING, State.QUEUED, State.HELD):
        Run.objects.filter(pk=run.pk).update(expires_at=LATER - timedelta(seconds=1))
    Run.objects.filter(pk=run.pk).update(limited=move.name == "try again with a slot")
    return run


@ALL
@pytest.mark.parametrize("state", list(State))
def test_a_move_wins_from_its_sources_and_changes_nothing_elsewhere(move: Move, state: State) -> None:
    run = ready_for(move, state)
    before = row(run)

    won = move.call(ticket_of(run))

    assert bool(won) == (state in move.sources)
    assert row(run) == before if not won else reload(run).state == move.target


@ALL
def test_a_move_is_one_that_the_map_allows(move: Move) -> None:
    assert all(move.target in MOVES[source] for source in move.sources)


def test_every_arrow_of_the_map_is_drawn_by_some_function() -> None:
    drawn = {(source, move.target) for move in MOVES_MADE for source in move.sources}
    assert drawn == {(source, target) for source, targets in MOVES.items() for target in targets}


@pytest.mark.parametrize("off_by", [-1, 1])
@pytest.mark.parametrize("move", [m for m in MOVES_MADE if m.guards_attempt], ids=lambda move: move.name)
def test_a_move_for_another_attempt_changes_nothing(move: Move, off_by: int) -> None:
    run = run_in(sorted(move.sources)[0])
    Run.objects.filter(pk=run.pk).update(attempt=5)
    before = row(run)
    assert not move.call(Ticket(run.pk, 5 + off_by))
    assert row(run) == before
    assert move.call(Ticket(run.pk, 5))


@ALL
def test_a_move_touches_no_other_run(move: Move) -> None:
    state = sorted(move.sources)[0]
    run, other = ready_for(move, state), ready_for(move, state)
    before = row(other)
    assert move.call(ticket_of(run))
    assert row(other) == before


def test_a_move_outside_the_map_is_refused_before_it_reaches_the_database() -> None:
    with pytest.raises(ValueError, match="a run cannot move from held to succeeded"):
        transitions.move(run_in(State.HELD).pk, State.SUCCEEDED, [State.HELD], {})


def test_a_claim_writes_who_runs_it_and_until_when() -> None:
    worker = make_worker(LATER)
    run = queued_run(timeout=100)
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(worker, pid=99), 40, now=LATER)
    run = reload(run)
    assert claim is not None
    assert (run.worker_id, run.worker_name, run.pid, run.started_at) == (worker.pk, worker.name, 99, LATER)
    assert run.deadline_at == LATER + timedelta(seconds=140)
    assert run.lateness == timedelta(minutes=5)
    assert (claim.args, claim.kwargs, claim.retries, claim.started_at) == ([1, 2], {}, 0, LATER)


def test_another_attempt_is_due_later_and_keeps_no_trace_of_a_message() -> None:
    run, claim = running_run(expires=60)
    assert transitions.try_again(claim.ticket, [State.RUNNING], 10, {"reason": "again"}, LATER)
    run = reload(run)
    assert (run.attempt, run.due_at, run.reason) == (2, LATER + timedelta(seconds=10), "again")
    assert (run.deadline_at, run.queued_at, run.expires_at) == (None, None, None)
    assert run.retrying


def test_the_lateness_is_that_of_the_first_start() -> None:
    run, claim = running_run()
    assert transitions.try_again(claim.ticket, [State.RUNNING], 0, {}, NOON)
    again = transitions.claim(ticket_of(reload(run)), run.task, claimant_of(make_worker(LATER)), 40, now=LATER)
    assert again is not None
    assert reload(run).lateness == timedelta(0)


def test_without_a_moment_the_database_clock_is_taken() -> None:
    run, claim = running_run()
    assert transitions.succeed(claim.ticket, {})
    finished_at = reload(run).finished_at
    assert finished_at is not None
    assert finished_at > NOON


def test_a_batch_is_queued_run_by_run_each_by_its_own_attempt() -> None:
    right, stale = run_in(State.SCHEDULED), run_in(State.SCHEDULED)
    tickets = [ticket_of(right), replace(ticket_of(stale), attempt=2)]
    assert transitions.queue(tickets, NOON, 30) == 1
    assert (reload(right).state, reload(stale).state) == (State.QUEUED, State.SCHEDULED)
    assert reload(right).deadline_at == NOON + timedelta(seconds=30)


def test_resend_keeps_the_attempt_and_counts() -> None:
    run = queued_run()
    assert transitions.resend([run.pk], LATER) == 1
    run = reload(run)
    assert (run.attempt, run.resends) == (1, 1)
    assert run.reason == "its message was lost at 12:05:00 UTC and is sent again"


def test_a_released_run_is_due_when_it_was_before() -> None:
    run = run_in(State.HELD)
    assert transitions.release(run.pk)
    assert reload(run).due_at == run.due_at
    assert reload(run).reason == "waits for its turn after a pause"
    assert transitions.admit([run.pk], LATER) == 1
    assert reload(run).reason == ""


def test_a_run_whose_start_deadline_has_not_come_is_not_expired_though_it_is_named() -> None:
    run = queued_run(expires=3600)
    assert transitions.expire([run.pk], LATER) == 0
    assert reload(run).state == State.QUEUED
