"""Whatever comes in whatever order, also at the same moment: each tick of a backfill has just the rows promised."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from jobs import backfill, lease, losses, transitions
from jobs.admit import admit
from jobs.backfill import Asked, advance
from jobs.models import Backfill, Job, Run, Worker
from jobs.models.choices import BackfillState
from jobs.states import LIVE, State, Trigger
from jobs.tick import tick
from tests.backfills import tick_row
from tests.connections import together
from tests.factories import NOON, claimant_of, make_worker, planned_job, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
TICKS = [NOON - minute * MINUTE for minute in range(30, 0, -1)]
FAILURES = (State.FAILED, State.CANCELLED, State.SKIPPED, State.MISSED)
BEFORE = (None, State.SUCCEEDED, *FAILURES)


@dataclass
class World:
    """A job with a tick each minute, what its ledger held, and the one backfill of the half hour before noon."""

    chance: random.Random
    job: Job
    before: dict[datetime, State | None]
    backfill: Backfill
    worker: Worker
    now: datetime = NOON

    @classmethod
    def random(cls, chance: random.Random, overlap: str, fan_out: str) -> "World":
        job = planned_job(
            NOON + MINUTE, schedule="* * * * *", timezone="UTC", overlap=overlap, fan_out=fan_out, shards=2, grace=3600
        )
        states = BEFORE if overlap == "skip" else (*BEFORE, State.SCHEDULED)
        before = {when: chance.choice(states) for when in TICKS}
        cls._stretch(job, before)
        for when, state in before.items():
            if state is not None and not job.runs.filter(ticks__gt=1, last_scheduled_for__gte=when).exists():
                tick_row(job, when, state)
        order, redo = chance.choice(("oldest", "newest")), chance.choice(("none", "failed", "all"))
        asked = Asked(TICKS[0], TICKS[-1], redo, order, chance.randint(1, 6), "a test")
        return cls(chance, job, before, backfill.start(job.pk, asked, "ann", NOON), make_worker(NOON))

    @staticmethod
    def _stretch(job: Job, before: dict[datetime, State | None]) -> None:
        """The first five ticks were missed, and have one row for all."""
        before |= dict.fromkeys(TICKS[:5], State.MISSED)
        tick_row(job, TICKS[0], State.MISSED, last_scheduled_for=TICKS[4], ticks=5)

    def promised(self, when: datetime) -> Counter[str]:
        """What the backfill has to make of this tick, by what made the run; in other words than the code's."""
        state, redo = self.before[when], self.backfill.redo
        shards = 2 if self.job.fan_out == "shards" else 1
        if state is None or (when in TICKS[1:5] and redo != "none"):
            return Counter({Trigger.BACKFILL.value: shards})
        if state == State.SCHEDULED or redo == "none" or (state == State.SUCCEEDED and redo == "failed"):
            return Counter()
        ran = state not in (State.SKIPPED, State.MISSED)
        return Counter({Trigger.RETRY.value: 1 if ran else shards})

    def step(self) -> None:
        """Some of what beats, workers and people do, at the same time on connections of their own."""
        self._go_on(self.chance.choice((0.2, 1, 5, 20)))
        luck = self.chance.random()
        deeds: list[Callable[[], object]] = [
            *[lambda: advance(self.now)] * 3,
            *[lambda: admit(self.now)] * 2,
            self.crash,
            lambda: tick(self.now),
            *[lambda: self.claim_or_end(luck)] * 4,
            lambda: backfill.pause(self.backfill.pk, "ann"),
            *[lambda: backfill.resume(self.backfill.pk)] * 2,
        ]
        together(*self.chance.sample(deeds, self.chance.choice((2, 3, 4))))

    def _go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        lease.renew(self.worker.pk, 0, draining=False, now=self.now)

    def crash(self) -> None:
        """A beat that dies before its commit."""
        with suppress(ZeroDivisionError), transaction.atomic():
            advance(self.now)
            raise ZeroDivisionError

    def claim_or_end(self, luck: float) -> None:
        """A worker takes a run, or one ends somehow."""
        movable = (State.SCHEDULED, State.QUEUED, State.RUNNING)
        run = self.job.runs.filter(state__in=movable, created_at__gte=NOON, due_at__lte=self.now).order_by("?").first()
        if run is None:
            return
        if run.state != State.RUNNING:
            transitions.claim(ticket_of(run), run.task, claimant_of(self.worker), 40, now=self.now)
        elif luck < 0.5:
            transitions.succeed(ticket_of(run), {}, self.now)
        elif luck < 0.7:
            transitions.fail(ticket_of(run), [State.RUNNING], {}, self.now)
        elif luck < 0.9:
            losses.lose(ticket_of(run), "killed", self.now)
        else:
            transitions.try_again(ticket_of(run), [State.RUNNING], 3, {}, self.now)

    def check(self, when: str) -> None:
        """The ledger of one moment."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT coalesce(group_id, id)) FILTER (WHERE backfill_id IS NOT NULL),"
                "       count(DISTINCT coalesce(group_id, id)) FILTER (WHERE state NOT IN ('waiting', 'held'))"
                "  FROM jobs_run WHERE job_id = %s AND state = ANY(%s)",
                [self.job.pk, sorted(LIVE)],
            )
            live, active = cursor.fetchone()
        assert live <= self.backfill.at_once, when
        assert self.job.overlap == "allow" or active <= 1, when

    def settle(self) -> None:
        """All crashes and pauses are over, and the workers come to an end with everything."""
        for _ in range(200):
            self._go_on(4)
            backfill.resume(self.backfill.pk)
            advance(self.now)
            admit(self.now)
            self.claim_or_end(0.1)
            self.claim_or_end(0.1)
            if Backfill.objects.get(pk=self.backfill.pk).state == BackfillState.DONE:
                return
        pytest.fail("it never ends")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("overlap", "fan_out"), [("allow", "one"), ("allow", "shards"), ("skip", "one")])
def test_each_tick_ends_with_the_rows_promised(overlap: str, fan_out: str, seed: int) -> None:
    world = World.random(random.Random(f"{overlap} {fan_out} {seed}"), overlap, fan_out)
    for number in range(40):
        world.step()
        world.check(f"after step {number}")
    world.settle()
    made: dict[datetime, Counter[str]] = {when: Counter() for when in TICKS}
    for when, trigger in Run.objects.filter(backfill=world.backfill).values_list("scheduled_for", "trigger"):
        made[when][trigger] += 1
    assert made == {when: world.promised(when) for when in TICKS}
    done = Backfill.objects.get(pk=world.backfill.pk)
    assert (done.seen, done.made) == (len(TICKS), sum(counter.total() for counter in made.values()))
    waited_for = world.job.runs.filter(state=State.SKIPPED, created_at__gte=NOON).values_list("reason", flat=True)
    held_up = {str(run) for run in Run.objects.filter(backfill=world.backfill).values_list("pk", flat=True)}
    assert not [reason for reason in waited_for if any(run in reason for run in held_up)], "no live tick was skipped"
