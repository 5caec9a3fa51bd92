"""Random lives of a run: whatever happens in whatever order, it ends at most once and only its owner ends it."""

import random
from datetime import timedelta

import pytest

from jobs import control, losses, transitions
from jobs.finish import finish
from jobs.models import Attempt, Run
from jobs.policies.outcomes import Failed, Succeeded
from jobs.states import MOVES, TERMINAL, State
from jobs.transitions import Claim
from tests.factories import NOON, claimant_of, make_worker, reload, scheduled_run, ticket_of

pytestmark = pytest.mark.django_db

STEPS = 30
EVENTS = (
    *["queue", "claim", "fail"] * 2,
    *["claim", "succeed", "zombie", "lose", "give_back", "time_out", "resend", "hold", "release", "unknown"],
    "cancel",
)


class Life:
    """One run, the claims that were ever made of it, and all that may happen to it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOON
        self.run = scheduled_run(
            max_retries=self.random.choice([0, 2, 10]), retry_policy=self.random.choice(["none", "immediate", "fixed"])
        )
        self.claims: list[Claim] = []
        self.worker = make_worker(NOON + timedelta(days=1))

    def happen(self) -> str:
        """Something happens, at random; what it was."""
        event = self.random.choice(EVENTS if self.random.random() < 0.1 else EVENTS[:-1])
        self.now += timedelta(seconds=1)
        getattr(self, event)()
        return event

    def queue(self) -> None:
        transitions.queue([ticket_of(self.run)], self.now, 30)

    def claim(self) -> None:
        pid = self.random.randint(1, 1000)
        claimed = transitions.claim(ticket_of(self.run), self.run.task, claimant_of(self.worker, pid), 40, now=self.now)
        self.claims += [claimed] if claimed else []

    def succeed(self) -> None:
        self.end(self.claims[-1:], Succeeded("done"))

    def fail(self) -> None:
        self.end(self.claims[-1:], Failed("ValueError"))

    def zombie(self) -> None:
        outcomes: list[Succeeded | Failed] = [Succeeded("late"), Failed("late")]
        self.end(self.claims[:-1], self.random.choice(outcomes))

    def end(self, claims: list[Claim], outcome: Succeeded | Failed) -> None:
        for claim in claims:
            owner = self.run.state == State.RUNNING and self.run.attempt == claim.ticket.attempt
            assert finish(claim, outcome, self.now).won == owner
            self.run = reload(self.run)

    def lose(self) -> None:
        losses.lose(ticket_of(self.run), "killed", self.now)

    def give_back(self) -> None:
        losses.give_back(ticket_of(self.run), "stopping", self.now)

    def time_out(self) -> None:
        losses.time_out(ticket_of(self.run), "too long", self.now)

    def unknown(self) -> None:
        losses.unknown_task(ticket_of(self.run), "old@test", self.now)

    def resend(self) -> None:
        transitions.resend([self.run.pk], self.now)

    def hold(self) -> None:
        control.pause_run(self.run.pk, "ann")

    def release(self) -> None:
        control.resume_run(self.run.pk)

    def cancel(self) -> None:
        control.cancel_run(self.run.pk, "ann", lambda _: None)


@pytest.mark.parametrize("seed", range(25))
def test_no_order_of_events_breaks_what_always_holds(seed: int) -> None:
    life = Life(seed)
    for _ in range(STEPS):
        before = reload(life.run)
        event = life.happen()
        after = life.run = reload(life.run)
        assert after.state == before.state or _allowed(before, after), event
        assert before.attempt <= after.attempt <= before.attempt + 1, event
        if before.state in TERMINAL:
            assert Run.objects.filter(pk=after.pk).values().get() == {
                name: getattr(before, name) for name in Run.objects.filter(pk=after.pk).values().get()
            }
        _check_the_book(after)


def _allowed(before: Run, after: Run) -> bool:
    return State(after.state) in MOVES[State(before.state)]


def _check_the_book(run: Run) -> None:
    """Every attempt that did not succeed has its row, and each of them counts as what it was."""
    attempts = list(Attempt.objects.filter(run=run).order_by("number"))
    ended = run.attempt - 1 + (run.state == State.FAILED)
    assert [attempt.number for attempt in attempts] == list(range(1, ended + 1))
    outcomes = [attempt.outcome for attempt in attempts]
    assert run.losses == outcomes.count("lost")
    assert run.retries == outcomes.count("failed") + outcomes.count("timed_out")
    assert run.losses <= 3
    assert outcomes.count("unknown_task") <= 8
