"""A pool process: takes messages, claims, executes, finishes."""

from typing import TYPE_CHECKING

from chaos.simulation.engine import Cut, Process, Steps
from chaos.simulation.losses import failed
from chaos.simulation.pace import AWAY, CLAIM_PATIENCE, FINISH_PATIENCE, LOCKED, TIMEOUT
from chaos.simulation.redis import Ticket
from jobs.policies.outcomes import Failed
from jobs.states import State

if TYPE_CHECKING:
    from chaos.simulation.rows import Run
    from chaos.simulation.worker import Life
    from chaos.simulation.world import World

ERROR = Failed("it failed")


class Child(Process):
    """One pool process. It takes the lease that its parent has when a message comes."""

    __slots__ = ("executing", "pid", "ticket", "worker", "world")

    def __init__(self, world: "World", name: str, life: "Life") -> None:
        super().__init__(world.engine, name, life)
        self.world = world
        self.pid = world.next_pid()
        self.ticket: Ticket | None = None
        self.worker = 0
        self.executing = False
        self.on_death.append(lambda: world.witness.ends(self))

    def work(self) -> Steps:
        """One message after the other, while there is a parent."""
        redis, life = self.world.redis, self.life
        while life.alive:
            self.ticket = None
            yield "fetch"
            try:
                self.ticket = redis.pop()
            except Cut:
                yield AWAY
                continue
            if self.ticket is None:
                redis.idle.append(self)
                yield None
                continue
            self.worker = life.worker
            number, attempt = self.ticket
            run = self.world.database.runs[number]
            try:
                if (yield from self._claim(run, attempt)):
                    yield from self._execute(run, attempt)
            except Cut:
                yield AWAY

    def _claim(self, run: "Run", attempt: int) -> Steps:
        database, glue = self.world.database, self.world.glue
        give_up_at = self.engine.now + CLAIM_PATIENCE
        again = False
        while True:
            try:
                yield "claim"
                now = database.now()
                alive = glue.lives(database.workers.get(self.worker), now)
                while run.lock is not None:
                    yield LOCKED
                ours = again and run.state is State.RUNNING and run.attempt == attempt and run.pid == self.pid
                won = alive and (ours or glue.claimable(run, attempt, now))
                if won and not ours:
                    owner = {"worker": self.worker, "pid": self.pid}
                    database.move(run, State.RUNNING, started_at=now, deadline_at=None, **owner)
                yield "claim.answer"
                return won
            except Cut:
                if self.engine.now + AWAY > give_up_at:
                    raise
                again = True
                yield AWAY

    def _execute(self, run: "Run", attempt: int) -> Steps:
        world, luck = self.world, run.job.spec.luck
        if not world.glue.fit(self.life):
            return
        world.witness.begins(self, run, attempt, late=self.life.over(), listed=self.worker in world.database.workers)
        self.executing = True
        takes, fate = 1 + int(self.engine.chance() * luck.longest), self.engine.chance()
        if fate < luck.hangs:
            yield TIMEOUT
            while not self.life.alive or self.life.parents[0].paused:
                yield AWAY
            self.life.child_dies("its hard limit", hung=True)
            return
        yield takes
        if fate < luck.hangs + luck.crashes:
            self.life.child_dies("it crashed")
            return
        world.witness.ends(self)
        self.executing = False
        yield from self._finish(run, attempt, succeeded=fate >= luck.hangs + luck.crashes + luck.fails)

    def _finish(self, run: "Run", attempt: int, *, succeeded: bool) -> Steps:
        database = self.world.database
        give_up_at = self.engine.now + FINISH_PATIENCE
        while True:
            try:
                yield "finish"
                while run.lock is not None:
                    yield LOCKED
                if self.world.glue.finishable(run, attempt):
                    self.world.witness.outcome(run, self)
                    state, changes = (State.SUCCEEDED, {}) if succeeded else failed(database, run, ERROR)
                    database.move(run, state, **changes)
                yield "finish.answer"
                return None
            except Cut:
                if self.engine.now + AWAY > give_up_at:
                    raise
                yield AWAY
