"""A worker: a parent that keeps the lease, a watchdog in it, a child that executes, and a watchdog in that."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from chaos.simulation.child import Child
from chaos.simulation.engine import Cut, Process, Steps
from chaos.simulation.losses import HUNG, failed, lost
from chaos.simulation.pace import AWAY, HEARTBEAT, LEASE, LEASE_MARGIN, LOCKED, WATCH
from chaos.simulation.redis import Ticket

if TYPE_CHECKING:
    from chaos.simulation.world import World

NEVER = 1 << 60
FORKS_IN = 500


class Life:
    """One life of a worker, from its start to its death; the next has another."""

    def __init__(self, world: "World", name: str, offset: int) -> None:
        self.world = world
        self.name = name
        self.offset = offset
        self.alive = True
        self.worker = 0
        self.stop_at = -NEVER
        self.children = 0
        self.suspects: frozenset[Ticket] = frozenset()
        self.child: Child | None = None
        self.watching: Process | None = None
        self.parents = [Process(world.engine, name, self), Process(world.engine, f"{name}.dog", self)]
        self.parents[0].start(self._keep_lease())
        if world.glue.watches():
            self.parents[1].start(self._watch(self._kill_from_parent))

    def steady(self) -> int:
        """Its host's own clock."""
        return self.world.engine.now + self.offset

    def over(self) -> bool:
        """Whether what it executes must have stopped."""
        return self.steady() >= self.stop_at

    def active(self) -> Ticket | None:
        """What its child has been given."""
        return self.child.ticket if self.child is not None and self.child.alive else None

    def _keep_lease(self) -> Steps:
        registered = False
        while True:
            asked_at = self.steady()
            try:
                if registered:
                    registered = yield from self._renew()
                if not registered:
                    yield "register"
                    worker = self.world.database.register(self)
                    yield "register.answer"
                    self.worker, registered = worker, True
                self.stop_at = asked_at + LEASE - LEASE_MARGIN
                self.parents[1].wake()
                if self.watching is not None:
                    self.watching.wake()
                if self.child is None:
                    self._fork()
                yield from self._compare()
            except Cut:
                yield AWAY
            else:
                yield max(1, asked_at + HEARTBEAT - self.steady())

    def _renew(self) -> Steps:
        database = self.world.database
        active = self.active()
        yield "renew"
        row = database.workers.get(self.worker)
        while row is not None and row.lock is not None:
            yield LOCKED
            row = database.workers.get(self.worker)
        renewed = self.world.glue.renewed(database, self.worker)
        if row is not None:
            database.extend(row)
            row.executing = () if active is None else (active[0],)
        yield "renew.answer"
        if not renewed:
            self._kill("the worker was declared dead")
        return renewed

    def _compare(self) -> Steps:
        """What looks odd twice in a row is put right; what was cancelled is killed at once."""
        active = self.active()
        yield "compare"
        database = self.world.database
        odd: set[Ticket] = set()
        mine = {
            (run.number, run.attempt)
            for run in database.live.values()
            if run.worker == self.worker and run.state.value == "running"
        }
        unknown = {ticket for ticket in mine if ticket != active}
        odd |= unknown
        if active is not None:
            run = database.runs[active[0]]
            theirs = run.state.value == "running" and run.worker != self.worker
            if run.state.value == "cancelled" and self.active() == active:
                self._kill("its run was cancelled")
            elif run.attempt != active[1] or theirs:
                odd.add(active)
        certain = odd & self.suspects
        self.suspects = frozenset(odd - certain)
        if active in certain and active not in unknown and self.active() == active:
            self._kill("its run is not its own any more")
        for number, attempt in sorted(unknown & certain):
            run = database.runs[number]
            if run.lock is None and run.attempt == attempt and run.state.value == "running":
                state, changes = lost(run, database.now())
                database.move(run, state, **changes)

    def _watch(self, kill: Callable[[], None]) -> Steps:
        while True:
            left = self.stop_at - self.steady()
            if left <= 0:
                kill()
                yield None
                left = self.stop_at - self.steady()
            yield max(0, left) + 1 + int(self.world.engine.chance() * (WATCH - 1))

    def _kill_from_parent(self) -> None:
        if self.child is not None and self.child.ticket is not None:
            self._kill("the lease is over")

    def _kill(self, why: str) -> None:
        if self.child is not None and self.child.alive:
            self.child_dies(why)

    def _fork(self) -> None:
        if self.child is None and self.alive:
            self.children += 1
            self.child = Child(self.world, f"{self.name}.{self.children}", self)
            self.child.start(self.child.work())
            if self.world.glue.watches():
                self.watching = Process(self.world.engine, f"{self.child.name}.dog", self)
                self.watching.start(self._watch(self._suicide))

    def _suicide(self) -> None:
        if self.child is not None and self.child.executing:
            self.child_dies("it sees that the lease is over")

    def child_dies(self, why: str, *, hung: bool = False) -> None:
        """The child is gone; the parent hears of it, tells the ledger, and forks another."""
        child, watching = self.child, self.watching
        if child is None or not child.alive:
            return
        engine = self.world.engine
        engine.note(child.name, f"dies: {why}")
        child.die()
        if watching is not None:
            watching.die()
        news = Process(engine, f"{self.name}.news", self)
        news.paused = self.parents[0].paused
        news.alive = self.alive
        self.parents.append(news)
        news.start(self._tell(child, hung=hung), 1 + int(engine.chance() * 1_500))

    def _tell(self, child: Child, *, hung: bool) -> Steps:
        database, glue = self.world.database, self.world.glue
        self.child = None
        self._fork()
        while child.ticket is not None:
            try:
                yield "news"
                number, attempt = child.ticket
                run = database.runs[number]
                while run.lock is not None:
                    yield LOCKED
                if glue.tellable(run, attempt, child.worker, child.pid):
                    state, changes = failed(database, run, HUNG) if hung else lost(run, database.now())
                    database.move(run, state, **changes)
                return
            except Cut:
                yield AWAY

    def die(self, *, child_too: bool) -> None:
        """The host goes, or its parent process alone, whose child goes on until its own watchdog ends it."""
        self.alive = False
        for process in self.parents:
            process.die()
        if child_too and self.child is not None:
            self.child.die()
            if self.watching is not None:
                self.watching.die()

    def stop(self, number: int) -> None:
        """A beat asks to kill the process of a run that was cancelled."""
        ticket = self.active()
        if self.alive and not self.parents[0].paused and ticket is not None and ticket[0] == number:
            self._kill("its run was replaced")
