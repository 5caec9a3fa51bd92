"""The simulation can fail: with a guard taken away, or a decision spoilt, it says so within a few hundred seeds."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from chaos.simulation import command, tick
from chaos.simulation.glue import Glue
from chaos.simulation.mutants import MUTANTS, ClaimOfAnyAttempt
from chaos.simulation.shrink import shrink, told
from chaos.simulation.simulate import History, simulate
from jobs.policies import missed, overlap, retry
from jobs.policies.outcomes import Failed
from jobs.schedules import Schedule
from jobs.states import MOVES, State

ENOUGH = 400


def first_broken(glue: Glue | None = None) -> History:
    """The first seed in which it shows."""
    broken = next((history for seed in range(ENOUGH) if (history := simulate(seed, glue)).broken), None)
    assert broken is not None, f"not noticed in {ENOUGH} seeds"
    return broken


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_guard_that_is_missing_is_noticed(mutant: type[Glue]) -> None:
    assert first_broken(mutant()).broken
    assert mutant.__doc__


def one_more_retry(rules: retry.RetryRules, retries: int, failure: Failed, random: Callable[[], float]) -> Any:
    return retry.RetryIn(1.0) if retries <= rules.max_retries + 1 else retry.GiveUp("at last")


def always_start(rules: overlap.OverlapRules, active: Sequence[UUID], waiting: Sequence[UUID]) -> overlap.Decision:
    return overlap.Start()


def one_waits_too_many(
    rules: overlap.OverlapRules, active: Sequence[UUID], waiting: Sequence[UUID]
) -> overlap.Decision:
    return DECIDE_OVERLAP(overlap.OverlapRules(rules.kind, rules.most_waiting + 1), active, waiting)


DECIDE_OVERLAP = overlap.decide
DECIDE_MISSED = missed.decide


def forgets_a_stretch(
    schedule: Schedule, first: datetime, now: datetime, rules: missed.MissedRules, burst: int
) -> missed.Due:
    due = DECIDE_MISSED(schedule, first, now, rules, burst)
    return missed.Due(due.fire, due.made_up, due.missed[1:], due.upcoming)


def miscounts_a_stretch(
    schedule: Schedule, first: datetime, now: datetime, rules: missed.MissedRules, burst: int
) -> missed.Due:
    due = DECIDE_MISSED(schedule, first, now, rules, burst)
    stretches = tuple(missed.Stretch(one.first, one.last, one.count + 1) for one in due.missed)
    return missed.Due(due.fire, due.made_up, stretches, due.upcoming)


def leaves_a_tick_out(
    schedule: Schedule, first: datetime, now: datetime, rules: missed.MissedRules, burst: int
) -> missed.Due:
    due = DECIDE_MISSED(schedule, first, now, rules, burst)
    return missed.Due(due.fire, due.made_up, due.missed, due.upcoming and schedule.next_after(due.upcoming))


@pytest.mark.parametrize(
    ("where", "spoilt"),
    [
        (retry, one_more_retry),
        (overlap, always_start),
        (overlap, one_waits_too_many),
        (missed, forgets_a_stretch),
        (missed, miscounts_a_stretch),
        (missed, leaves_a_tick_out),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_decision_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch, where: Any, spoilt: Any) -> None:
    monkeypatch.setattr(where, "decide", spoilt)
    assert first_broken().broken


def test_a_move_outside_the_map_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = MOVES[State.QUEUED] - {State.SCHEDULED}
    monkeypatch.setitem(MOVES, State.QUEUED, fewer)
    assert "moves from queued to scheduled" in first_broken().broken


def test_a_beat_that_writes_what_is_not_due_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "_since", lambda moment, epoch: (moment - epoch) // tick.MILLISECOND + 1_000)
    assert "outside its schedule" in first_broken().broken


def test_a_failure_is_shrunk_to_what_it_takes() -> None:
    broken = first_broken(ClaimOfAnyAttempt())
    smallest = shrink(broken, ClaimOfAnyAttempt())
    assert smallest.broken
    assert len(smallest.faults) <= min(4, len(broken.faults))
    assert smallest.steps <= broken.steps
    assert simulate(broken.seed, faults=smallest.faults, horizon=smallest.until).broken == ""
    text = told(smallest)
    assert str(smallest.faults[0]) in text
    assert smallest.trace[-1].endswith(smallest.broken)


def test_what_breaks_nothing_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="seed 3 breaks nothing"):
        shrink(simulate(3))


def test_the_command_prints_the_shortest_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Glue, "claimable", ClaimOfAnyAttempt.claimable)
    seed = first_broken().seed
    assert command.main(["--seed", str(seed), "--trace"]) == 1
    assert "The shortest that still breaks:" in capsys.readouterr().out
    assert command.main(["--first", str(seed), "--seeds", "1"]) == 1
    assert "1 broken" in capsys.readouterr().out
