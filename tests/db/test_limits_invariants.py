"""Whatever comes in whatever order, also at the same moment: no limit is exceeded, in the ledger or in processes."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from jobs import lease, limits, losses, transitions
from jobs.admit import admit
from jobs.births import Birth, insert, new_run_id
from jobs.models import Attempt, Job, Pool, Run, Worker
from jobs.plan import plan
from jobs.states import LIVE, State, Trigger
from jobs.transitions import Ticket
from jobs.trigger import Request, run_many
from tests.connections import together
from tests.factories import NOON, claimant_of, make_worker, planned_job

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 60
RATE, PERIOD = 2, 4
HOLDING = (State.SCHEDULED, State.QUEUED, State.RUNNING)

Dimension = tuple[Any, ...]
"""What has a limit: a pool, a job, or a key of a job."""


@dataclass
class World:
    """Two jobs in a pool and one by itself, a worker, and what its processes really execute."""

    chance: random.Random
    pool: Pool
    rated: Pool
    jobs: list[Job]
    worker: Worker
    now: datetime = NOON
    executing: dict[Ticket, list[Dimension]] = field(default_factory=dict)

    def limits(self) -> dict[Dimension, int]:
        """The limits in force."""
        found: dict[Dimension, int] = {("pool", self.pool.pk): Pool.objects.get(pk=self.pool.pk).slots or 0}
        for job in Job.objects.all():
            if job.max_running is not None:
                found["job", job.pk] = job.max_running
            if job.key_limit is not None:
                found |= {("key", job.pk, f"t{tenant}"): job.key_limit for tenant in range(3)}
        return found

    def ask(self) -> None:
        job = self.chance.choice(self.jobs)
        wanted = [Request(kwargs={"tenant": self.chance.randrange(3)}) for _ in range(self.chance.randint(1, 6))]
        run_many(job.pk, wanted, self.now)

    def send(self) -> None:
        rows = Run.objects.filter(state=State.SCHEDULED).values_list("pk", "attempt")[:2]
        transitions.queue([Ticket(*row) for row in rows], self.now, 30)

    def claim(self) -> None:
        sent = Run.objects.filter(state__in=(State.SCHEDULED, State.QUEUED), due_at__lte=self.now)
        for run in sent.order_by("?")[:3]:
            ticket = Ticket(run.pk, run.attempt)
            if transitions.claim(ticket, run.task, claimant_of(self.worker), 40, now=self.now):
                self.executing[ticket] = dimensions(run)

    def end(self) -> None:
        luck, running = self.chance.random(), list(self.executing)
        if not running:
            return
        ticket = self.chance.choice(running)
        if luck < 0.5:
            over = transitions.succeed(ticket, {}, self.now)
        elif luck < 0.7:
            over = transitions.try_again(ticket, [State.RUNNING], self.chance.choice((0, 3)), {}, self.now)
        else:
            over = losses.lose(ticket, "killed", self.now)
        if over:
            self.executing.pop(ticket, None)

    def interfere(self) -> None:
        run = Run.objects.filter(state__in=sorted(LIVE)).order_by("?").first()
        if run is None:
            return
        if run.state == State.HELD:
            transitions.release(run.pk)
        elif not (self.chance.random() < 0.5 and transitions.hold(run.pk, "by ann")):
            transitions.cancel(run.pk, "by ann", self.now)

    def lose_a_message(self) -> None:
        transitions.resend(list(Run.objects.filter(state=State.QUEUED).values_list("pk", flat=True)[:1]), self.now)

    def edit(self) -> None:
        job = self.chance.choice(self.jobs[1:])
        if self.chance.random() < 0.3:
            Pool.objects.filter(pk=self.pool.pk).update(slots=self.chance.randint(0, 5))
        elif job.key_limit is not None:
            Job.objects.filter(pk=job.pk).update(key_limit=self.chance.randint(1, 3))
        else:
            Job.objects.filter(pk=job.pk).update(max_running=self.chance.randint(1, 4))

    def beat(self) -> None:
        plan(self.now)
        admit(self.now)
        limits.explain(self.now)

    def heartbeat(self) -> None:
        """The worker kills what was cancelled, and then tells what it executes."""
        cancelled = set(Run.objects.filter(state=State.CANCELLED).values_list("pk", flat=True))
        for ticket in list(self.executing):
            if ticket.run_id in cancelled:
                self.executing.pop(ticket, None)
        told = list(self.executing)
        lease.renew(self.worker.pk, len(told), draining=False, now=self.now, executing=told)


def dimensions(run: Run) -> list[Dimension]:
    return [("pool", run.pool_id), ("job", run.job_id), ("key", run.job_id, run.limit_key)]


def taken(world: World) -> Counter[Dimension]:
    """What holds a slot by the ledger, asked in one statement, or is still executing though it was cancelled."""
    holders = {run.pk: dimensions(run) for run in Run.objects.filter(state__in=HOLDING)}
    holders |= {ticket.run_id: executed for ticket, executed in world.executing.items()}
    return Counter(chosen for executed in holders.values() for chosen in executed)


def make_world(seed: int) -> World:
    pool = Pool.objects.create(name="shared", slots=4)
    rated = Pool.objects.create(name="rated", rate=RATE, period=PERIOD)
    far = NOON.replace(year=2100)
    common: dict[str, Any] = {"overlap": "allow", "args": [], "kwargs": {"tenant": 0}}
    jobs = [
        planned_job(far, pool=rated, **common),
        planned_job(far, pool=pool, max_running=3, **common),
        planned_job(far, pool=pool, key="t{kwargs[tenant]}", key_limit=2, **common),
        planned_job(far, max_running=2, **common),
        planned_job(far, key="t{kwargs[tenant]}", key_limit=1, **common),
    ]
    return World(random.Random(seed), pool, rated, jobs, make_worker(NOON))


@pytest.mark.parametrize("seed", range(3))
def test_no_limit_is_exceeded_over_random_lives(seed: int) -> None:
    world = make_world(seed)
    for job in world.jobs:
        run_many(job.pk, [Request()] * 10, NOON)
    full = Counter[Dimension]()
    for step in range(STEPS):
        world.now += timedelta(seconds=world.chance.choice((0.2, 0.5, 1, 2)))
        world.heartbeat()
        limits_before, before = world.limits(), taken(world)
        together(*pick(world))
        most = {what: max(limits_before[what], limit) for what, limit in world.limits().items()}
        now_taken = taken(world)
        assert_within(now_taken, most, before, f"after step {step}")
        full.update(what for what, limit in most.items() if now_taken[what] >= limit)
    assert_rate(world.rated)
    assert len(full) > len(most) / 2, "the limits were reached"


def pick(world: World) -> list[Callable[[], None]]:
    """Two to four things that beats, workers and people do, at the same time on connections of their own."""
    deeds = [
        *(world.beat,) * 4,
        *(world.claim,) * 5,
        *(world.end,) * 3,
        *(world.ask,) * 2,
        world.send,
        world.interfere,
        world.lose_a_message,
        world.edit,
    ]
    return world.chance.sample(deeds, world.chance.choice((2, 3, 4)))


def assert_within(found: Counter[Dimension], most: dict[Dimension, int], before: Counter[Dimension], when: str) -> None:
    """A limit that was lowered may be exceeded by what ran before, and by nothing else."""
    for what, limit in most.items():
        assert found[what] <= max(limit, before[what]), f"{what} {when}"


def assert_rate(pool: Pool) -> None:
    starts = sorted(all_starts(pool))
    windows = zip(starts, starts[RATE:], strict=False)
    assert all(later - first >= timedelta(seconds=PERIOD) for first, later in windows)
    assert len(starts) > RATE, "something started"


def all_starts(pool: Pool) -> Iterable[datetime]:
    runs: set[tuple[UUID, datetime | None]] = set(
        Run.objects.filter(pool=pool, started_at__isnull=False).values_list("pk", "started_at")
    )
    runs |= set(Attempt.objects.filter(run__pool=pool, started_at__isnull=False).values_list("run_id", "started_at"))
    return (started for _, started in runs if started is not None)


@pytest.mark.parametrize("seed", range(2))
def test_when_all_is_over_no_slot_is_missing(seed: int) -> None:
    world = make_world(seed)
    for _ in range(30):
        world.now += timedelta(seconds=1)
        world.heartbeat()
        together(*pick(world))
    Run.objects.filter(state=State.HELD).update(state=State.CANCELLED, finished_at=world.now)
    Pool.objects.filter(pk=world.pool.pk).update(slots=3)
    for _ in range(500):
        world.now += timedelta(seconds=2)
        world.heartbeat()
        world.beat()
        for ticket in list(world.executing):
            transitions.succeed(ticket, {}, world.now)
            del world.executing[ticket]
        for _ in range(8):
            world.claim()
        if not Run.objects.filter(state__in=sorted(LIVE)).exists():
            break
    else:
        pytest.fail(f"these never ran: {list(Run.objects.filter(state__in=sorted(LIVE)).values())}")


def test_two_beats_at_once_give_no_slot_twice() -> None:
    pool = Pool.objects.create(name="shared", slots=5)
    far = NOON.replace(year=2100)
    jobs = [planned_job(far, pool=pool, overlap="allow") for _ in range(4)]
    for job in jobs:
        run_many(job.pk, [Request()] * 10, NOON)
    given = together(*(lambda: admit(NOON),) * 6)
    given.append(admit(NOON))
    assert sum(given) == 5
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM jobs_run WHERE state = 'scheduled'")
        assert cursor.fetchone() == (5,)


@pytest.mark.parametrize("fields", [{"pool": True}, {"max_running": 1}])
def test_a_beat_that_has_counted_but_not_yet_written_keeps_others_from_counting(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other would choose is another run, which has come meanwhile: no guard on the run itself would help."""
    limit = {"pool": Pool.objects.create(name="shared", slots=1)} if "pool" in fields else fields
    job = planned_job(NOON.replace(year=2100), overlap="allow", **limit)
    run_many(job.pk, [Request()], NOON)
    counted, go_on = Event(), Event()
    write = transitions.admit

    def write_late(run_ids: Collection[UUID], now: datetime) -> int:
        monkeypatch.setattr(transitions, "admit", write)
        counted.set()
        assert go_on.wait(20)
        return write(run_ids, now)

    def other() -> int:
        assert counted.wait(20)
        urgent = Birth(new_run_id(NOON), job.pk, NOON, trigger=Trigger.MANUAL, priority=0)
        try:
            assert insert([urgent], NOON) == {urgent.id}, "an insert does not wait"
            return limits.admit(NOON)
        finally:
            go_on.set()

    monkeypatch.setattr(transitions, "admit", write_late)
    assert together(lambda: limits.admit(NOON), other) == [1, 0]
    assert Run.objects.filter(state=State.SCHEDULED).count() == 1
    assert limits.admit(NOON) == 0
