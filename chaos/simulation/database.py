"""The simulated database: rows, locks on them, transactions that commit or do not, and a clock that counts."""

from typing import Any
from uuid import UUID

from chaos.simulation.engine import Engine, Process
from chaos.simulation.glue import Glue
from chaos.simulation.jobs import JobSpec
from chaos.simulation.pace import LEASE
from chaos.simulation.rows import Job, Pool, Run, Worker
from chaos.simulation.witness import Witness
from jobs.births import Birth
from jobs.states import BORN, LIVE, State

Row = Job | Run | Worker | Pool


class Database:
    """Committed rows. Whoever reads them between two steps reads what is committed."""

    def __init__(self, engine: Engine, specs: list[JobSpec], slots: int, glue: Glue, witness: Witness) -> None:
        self.engine = engine
        self.glue = glue
        self.witness = witness
        self.jobs = [Job(spec) for spec in specs]
        self.pool = Pool(slots)
        self.runs: list[Run] = []
        self.live: dict[int, Run] = {}
        self.keys: set[tuple[str, int]] = set()
        self.workers: dict[int, Worker] = {}
        self.made_workers = 0

    def now(self) -> int:
        """The only clock that counts."""
        return self.engine.now

    def insert(self, run: Run) -> bool:
        """ON CONFLICT DO NOTHING."""
        if self.glue.conflicts(self, run):
            return False
        if run.state not in BORN:
            self.witness.accuse(f"{run.id} is born {run.state}")
        self.keys.add((run.job.spec.name, run.scheduled_for))
        run.number = len(self.runs)
        self.runs.append(run)
        run.job.runs.append(run)
        if run.state in LIVE:
            self.live[run.number] = run
            run.job.live[run.number] = run
        else:
            run.finished_at = self.engine.now
        self.witness.born(run)
        return True

    def move(self, run: Run, target: State, **changes: Any) -> None:
        """Write a state, whose guard has been looked at, and what goes with it."""
        before = run.state
        self.witness.moves(run, target, changes)
        run.state = target
        for name, value in changes.items():
            setattr(run, name, value)
        if target not in LIVE:
            run.finished_at = self.engine.now
            run.deadline_at = None
            del self.live[run.number]
            del run.job.live[run.number]
        if self.engine.trace is not None:
            self.engine.note("", f"  run {run.number}: {before} -> {target}, attempt {run.attempt}")

    def register(self, life: Any) -> int:
        """Insert a worker's row with a fresh lease; its number."""
        self.made_workers += 1
        worker = Worker(self.made_workers, life)
        self.workers[worker.number] = worker
        self.extend(worker)
        return worker.number

    def extend(self, worker: Worker) -> None:
        """A heartbeat."""
        worker.heartbeat_at = self.engine.now
        worker.lease_until = self.engine.now + LEASE

    def bury(self, worker: Worker) -> None:
        """Delete a worker's row."""
        self.witness.buried(worker.number, worker.life)
        del self.workers[worker.number]


class Transaction:
    """Locks on rows and writes that are seen by nobody before the commit. Its process's death rolls it back."""

    __slots__ = ("births", "changes", "database", "dead", "holds", "job_changes", "owner")

    def __init__(self, database: Database, owner: Process) -> None:
        self.database = database
        self.owner = owner
        self.holds: list[Row] = []
        self.births: list[Run] = []
        self.changes: list[tuple[Run, State, dict[str, Any]]] = []
        self.job_changes: list[tuple[Job, dict[str, Any]]] = []
        self.dead: list[Worker] = []
        owner.on_death.append(self.rollback)

    def take(self, row: Row) -> bool:
        """FOR UPDATE SKIP LOCKED."""
        if row.lock is None:
            row.lock = self.owner
            self.holds.append(row)
            return True
        return row.lock is self.owner

    def give_birth(self, birth: Birth, job: Job, times: tuple[int, int, int], due_at: int) -> Run:
        """A row to be."""
        run = Run(-1, birth.id, job, birth.state, times)
        run.due_at = due_at
        self.births.append(run)
        return run

    def commit(self) -> None:
        """Everything at once, and the locks are free."""
        database = self.database
        for run, state, changes in self.changes:
            database.move(run, state, **changes)
        for run in self.births:
            database.insert(run)
        for job, changes in self.job_changes:
            for name, value in changes.items():
                setattr(job, name, value)
        for worker in self.dead:
            database.bury(worker)
        self.rollback()

    def rollback(self) -> None:
        """The locks are free."""
        for row in self.holds:
            row.lock = None
        self.holds.clear()
        if self.rollback in self.owner.on_death:
            self.owner.on_death.remove(self.rollback)


def run_key(engine: Engine) -> UUID:
    """An id for a run."""
    return UUID(int=engine.random.getrandbits(128))
