"""The world of a seed: who lives in it, and how faults befall them."""

from collections.abc import Callable, Iterable
from typing import Final

from chaos.simulation import jobs
from chaos.simulation.beat import Beat
from chaos.simulation.child import Child
from chaos.simulation.database import Database
from chaos.simulation.engine import Engine, Process
from chaos.simulation.faults import AT_STEPS, BEATS, WORKERS, Fault
from chaos.simulation.glue import Glue
from chaos.simulation.pace import SETTLED
from chaos.simulation.redis import Redis
from chaos.simulation.witness import Witness
from chaos.simulation.worker import Life
from jobs.states import State

HOUR: Final = 3_600_000
CHECK: Final = 5_000
JUST_NOW: Final = 2_000


class World:
    """Two beats and three workers, a database, a Redis, and what goes wrong."""

    def __init__(self, engine: Engine, glue: Glue, horizon: int | None) -> None:
        self.engine = engine
        self.glue = glue
        random = engine.random
        self.epoch, self.until, specs = jobs.draw(random, horizon)
        slots = random.choice((1, 2))
        self.witness = Witness(engine, specs, slots)
        self.database = Database(engine, specs, slots, glue, self.witness)
        self.redis = Redis(engine)
        self.pids = 0
        self.skew = {name: random.randrange(-HOUR, HOUR) for name in BEATS + WORKERS}
        self.beats: dict[str, Beat] = {}
        self.lives: dict[str, Life] = {}
        self.past: list[Life] = []

    def begin(self, faults: Iterable[Fault]) -> None:
        """Start everybody, and lay out what will go wrong."""
        for spec in (job.spec for job in self.database.jobs):
            self.engine.note("", f"{spec.name}: {spec.describe()}")
        for name in BEATS:
            self._start_beat(name)
        for name in WORKERS:
            self._start_worker(name)
        for fault in faults:
            self._lay_out(fault)
        self.engine.at(self.until, self._disarm)
        self.engine.at(self.until + CHECK, self._look_for_the_end)

    def next_pid(self) -> int:
        """No number comes twice."""
        self.pids += 1
        return self.pids

    def stop(self, runs: Iterable[int]) -> None:
        """Ask all workers to kill the processes of these runs; whom Redis does not reach learns it by heartbeat."""
        if self.engine.now >= self.redis.away_until:
            for number in runs:
                self.engine.at(self.engine.now + 20, self._stop, number)

    def _stop(self, number: int) -> None:
        for life in self.lives.values():
            life.stop(number)

    def _start_beat(self, name: str) -> None:
        beat = Beat(self.engine, name, self, self.skew[name])
        self.beats[name] = beat
        beat.start(beat.live(), int(self.engine.chance() * 1_000))

    def _start_worker(self, name: str) -> None:
        self.lives[name] = Life(self, name, self.skew[name])
        self.past.append(self.lives[name])

    def _lay_out(self, fault: Fault) -> None:
        if fault.kind in ("drop", "double", "delay"):
            self.redis.luck.setdefault(fault.at, []).append((fault.kind, fault.much))
        elif fault.kind in AT_STEPS:
            self.engine.armed.setdefault(fault.target, []).append(self._strike(fault))
        else:
            self.engine.at(fault.at, self._befall, fault)

    def _strike(self, fault: Fault) -> Callable[[Process], bool]:
        left = fault.at

        def strike(process: Process) -> bool:
            nonlocal left
            if fault.kind == "loser" and not self._loses(process):
                return False
            left -= 1
            if left > 0:
                return False
            self.engine.note("fault", f"{fault}: {process.name}")
            self._do(fault, process)
            return True

        return strike

    def _loses(self, process: Process) -> bool:
        """Whether it is about to claim what another executes."""
        ticket = process.ticket if isinstance(process, Child) else None
        return ticket is not None and self.database.runs[ticket[0]].state is State.RUNNING

    def _do(self, fault: Fault, process: Process) -> None:
        if fault.kind == "cut":
            process.cut = fault.target not in ("lock", "publish", "fetch")
        elif fault.kind == "slow":
            process.slow = fault.much
        if fault.kind == "stall":
            self._freeze([process] if isinstance(process, Beat) else self._host(process.life), fault.much)
            return
        if fault.kind == "late":
            # It dies, and what it has sent arrives later all the same.
            process.sent, process.slow = True, fault.much
        if fault.kind in ("cut", "slow"):
            return
        if isinstance(process, Child):
            process.life.child_dies("killed")
        elif isinstance(process, Beat):
            self._kill(process.name, fault.much)
        else:
            self._kill(process.life.name, fault.much)

    def _befall(self, fault: Fault) -> None:
        self.engine.note("fault", str(fault))
        now, much = self.engine.now, fault.much
        match fault.kind:
            case "kill":
                self._kill(fault.target, much)
            case "beats":
                for name in BEATS:
                    self._kill(name, much)
            case "orphan":
                self._kill(fault.target, much, child_too=False)
            case "flush" | "redis" | "shuffle":
                self._befall_redis(fault)
            case "database" | "hang":
                self.engine.database_until = now + much
                self.engine.database_hangs = fault.kind == "hang"
            case "cancel":
                self._cancel()
            case "rewind":
                self._rewind()
            case _:
                self._freeze(self._frozen(fault), much)

    def _befall_redis(self, fault: Fault) -> None:
        if fault.kind == "flush":
            self.redis.flush()
        elif fault.kind == "redis":
            self.redis.away_until = max(self.redis.away_until, self.engine.now + fault.much)
        else:
            self.redis.reorder(self.engine.random.sample(range(1_000), len(self.redis.queue)))

    def _frozen(self, fault: Fault) -> list[Process]:
        if fault.target in self.beats:
            return [self.beats[fault.target]]
        life = self.lives[fault.target]
        everybody = self._host(life)
        parents = [one for one in everybody if one in life.parents]
        child = [one for one in everybody if one not in life.parents]
        return {"freeze": everybody, "freeze-child": child, "freeze-parent": parents}[fault.kind]

    def _host(self, life: Life) -> list[Process]:
        return [*life.parents, *(one for one in (life.child, life.watching) if one is not None)]

    def _freeze(self, processes: list[Process], much: int) -> None:
        frozen = [process for process in processes if process.alive and not process.paused]
        for process in frozen:
            process.pause()
        self.engine.at(self.engine.now + much, self._thaw, frozen)

    def _thaw(self, processes: list[Process]) -> None:
        for process in [*processes, *self._begun_meanwhile(processes)]:
            if isinstance(process, Child):
                self.witness.woken(process, late=process.life.over())
            process.thaw(1 + int(self.engine.chance() * 190))

    @staticmethod
    def _begun_meanwhile(processes: list[Process]) -> list[Process]:
        """What a frozen parent was to do after its freezing goes on with it."""
        lives = [process.life for process in processes if process.life and process is process.life.parents[0]]
        return [one for life in lives for one in life.parents if one.paused and one not in processes]

    def _kill(self, name: str, much: int, *, child_too: bool = True) -> None:
        if name in self.beats:
            if self.beats[name].alive:
                self.beats[name].die()
                self.engine.at(self.engine.now + much, self._start_beat, name)
        elif self.lives[name].alive:
            self.lives[name].die(child_too=child_too)
            self.engine.at(self.engine.now + much, self._start_worker, name)

    def _cancel(self) -> None:
        live = [run for run in self.database.live.values() if run.lock is None]
        if live:
            run = self.engine.random.choice(live)
            run.by_user = True
            self.database.move(run, State.CANCELLED)

    def _rewind(self) -> None:
        """Somebody puts a job's row back, so that a beat comes to a tick that has its row."""
        for job in self.database.jobs:
            last = max((run.last for run in job.runs if run.ticks == 1), default=None)
            if last is not None and job.lock is None and self.engine.now - last < JUST_NOW:
                job.next_run_at = last

    def _disarm(self, _: object) -> None:
        self.engine.armed.clear()
        self.redis.luck.clear()

    def _look_for_the_end(self, _: object) -> None:
        """Everything has ended, or had time enough for it."""
        waiting = [job.spec.name for job in self.database.jobs if job.next_run_at is not None]
        if not waiting and not self.database.live:
            self.witness.at_the_end(self.database.jobs, self.past, self.database.workers)
            self.engine.running = False
            return
        if self.engine.now > self.until + SETTLED:
            stuck = [f"run {run.number} {run.state}" for run in self.database.live.values()]
            self.witness.accuse(f"still not ended: {', '.join(stuck + waiting)}")
        self.engine.at(self.engine.now + CHECK, self._look_for_the_end)
