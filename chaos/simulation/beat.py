"""A beat: rounds under a lock that may be lost at any moment."""

from collections.abc import Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chaos.simulation import circuits, rescue, tick
from chaos.simulation.database import Database, Transaction
from chaos.simulation.engine import Cut, Engine, Process
from chaos.simulation.glue import Glue
from chaos.simulation.line import turns
from chaos.simulation.pace import AWAY, LOCK_MARGIN, LOCK_TTL, MESSAGE_TIMEOUT, POLL, RESCUE_INTERVAL
from chaos.simulation.redis import Redis
from chaos.simulation.rows import Run
from jobs.states import State

if TYPE_CHECKING:
    from chaos.simulation.world import World

Part = Generator[str | int | None, None, Any]
AT_ONCE = 5


class Beat(Process):
    """One beat process, with a clock of its own."""

    __slots__ = (
        "alone",
        "database",
        "epoch",
        "glue",
        "leads",
        "offset",
        "redis",
        "renewed_at",
        "trusted_until",
        "world",
    )

    def __init__(self, engine: Engine, name: str, world: "World", offset: int) -> None:
        super().__init__(engine, name)
        self.world = world
        self.database: Database = world.database
        self.redis: Redis = world.redis
        self.glue: Glue = world.glue
        self.epoch: datetime = world.epoch
        self.offset = offset
        self.leads = self.alone = False
        self.trusted_until = self.renewed_at = 0

    def steady(self) -> int:
        """Its own clock."""
        return self.engine.now + self.offset

    def live(self) -> Part:
        """Rounds, whatever fails."""
        rescued_at = self.steady()
        while True:
            try:
                pause = yield from self._round()
                if pause is not None and self.steady() - rescued_at >= RESCUE_INTERVAL:
                    rescued_at = self.steady()
                    yield from rescue.rescue(self)
            except Cut:
                for rollback in list(self.on_death):
                    rollback()
                pause = AWAY
            yield int(POLL * (0.7 + 0.3 * self.engine.chance())) if pause is None else pause

    def _round(self) -> Part:
        """One round; how long to sleep, or None for a standby."""
        yield from self._take_role()
        if not self.leads and not self.alone:
            return None
        more = True
        while more and self.glue.trusted(self):
            self._begin_batch()
            yield "now"
            more = yield from self._batch(self.database.now())
        return max(AT_ONCE, min(POLL, self._next_due() - self.database.now()))

    def _take_role(self) -> Part:
        asked_at = self.steady()
        yield "lock"
        try:
            self.leads = self.redis.lock(self)
            self.alone = False
        except Cut:
            self.leads, self.alone = False, True
        if self.leads:
            self.renewed_at = self.engine.now
            self.trusted_until = asked_at + LOCK_TTL - LOCK_MARGIN

    def _begin_batch(self) -> None:
        """Whoever begins a batch holds the lock, unless Redis has lost it."""
        redis = self.redis
        holds = redis.holder is self and redis.held_until > self.engine.now
        if not holds and not self.alone and redis.wiped_at < self.renewed_at:
            self.world.witness.accuse(f"{self.name} begins a batch without the lock")

    def _batch(self, now: int) -> Part:
        database = self.database
        more = False
        if any(job.next_run_at is not None and job.next_run_at <= now for job in database.jobs):
            more = yield from tick.tick(self, now)
        if any(circuits.wants(job) for job in database.jobs):
            yield from circuits.settle(self, now)
        if turns(database, now, self.epoch):
            more = (yield from self._admit(now)) or more
        if any(run.state is State.SCHEDULED and run.due_at <= now for run in database.live.values()):
            yield from self._dispatch(now)
        return more

    def _admit(self, now: int) -> Part:
        found = turns(self.database, now, self.epoch)
        wanted = {run.job for run in found}
        yield "admit.lock"
        transaction = Transaction(self.database, self)
        pool = transaction.take(self.database.pool)
        locked = {job for job in wanted if transaction.take(job)}
        yield "admit.look"
        able = [
            run
            for run in turns(self.database, now, self.epoch)
            if run.job in locked and (pool or not run.limited) and transaction.take(run)
        ]
        transaction.changes += [(run, State.SCHEDULED, {}) for run in able]
        yield "admit.commit"
        transaction.commit()
        yield "admit.answer"
        return bool(able)

    def _dispatch(self, now: int) -> Part:
        yield "dispatch"
        live = self.database.live.values()
        due = [(run, run.attempt) for run in live if run.state is State.SCHEDULED and run.due_at <= now]
        sent: list[tuple[Run, int]] = []
        for run, attempt in sorted(due, key=lambda one: one[0].order()):
            yield "publish"
            try:
                self.redis.publish((run.number, attempt))
            except Cut:
                return
            sent.append((run, attempt))
        yield "mark"
        for run, attempt in sent:
            if run.lock is None and run.state is State.SCHEDULED and run.attempt == attempt:
                self.database.move(run, State.QUEUED, queued_at=now, deadline_at=now + MESSAGE_TIMEOUT)
        yield "mark.answer"

    def _next_due(self) -> int:
        now = self.database.now()
        due = [job.next_run_at for job in self.database.jobs if job.next_run_at is not None]
        due += [run.due_at for run in self.database.live.values() if run.due_at > now]
        return min(due, default=now + POLL)
