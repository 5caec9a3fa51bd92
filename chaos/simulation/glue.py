"""What the product leaves to the guards of its statements, each in one method: a mutant lacks just one."""

from typing import TYPE_CHECKING

from chaos.simulation.rows import Run, Worker
from jobs.states import State

if TYPE_CHECKING:
    from chaos.simulation.beat import Beat
    from chaos.simulation.database import Database
    from chaos.simulation.worker import Life

CLAIMABLE = frozenset({State.SCHEDULED, State.QUEUED})
WITH_WORKERS = frozenset({State.QUEUED, State.RUNNING})


class Glue:
    """The guards as the product has them."""

    def conflicts(self, database: "Database", run: Run) -> bool:
        """The unique key: whether the tick has its row already."""
        return (run.job.spec.name, run.scheduled_for) in database.keys

    def lives(self, worker: Worker | None, now: int) -> bool:
        """Whether a worker may claim."""
        return worker is not None and worker.lease_until > now

    def claimable(self, run: Run, attempt: int, now: int) -> bool:
        """The claim's guard on the run."""
        return run.attempt == attempt and run.state in CLAIMABLE and not (run.expires_at and run.expires_at < now)

    def ended(self, worker: Worker, now: int) -> bool:
        """Whether rescue may bury a worker."""
        return worker.lease_until < now

    def renewed(self, database: "Database", worker: int) -> bool:
        """Whether a heartbeat found its row."""
        return worker in database.workers

    def finishable(self, run: Run, attempt: int) -> bool:
        """The guard of an outcome."""
        return run.state is State.RUNNING and run.attempt == attempt

    def tellable(self, run: Run, attempt: int, worker: int, pid: int) -> bool:
        """The guard of what a worker's parent tells of an attempt whose process could not."""
        if run.attempt != attempt:
            return False
        return run.state is State.QUEUED or (run.state is State.RUNNING and run.worker == worker and run.pid == pid)

    def trusted(self, beat: "Beat") -> bool:
        """Whether a beat may begin a batch."""
        return beat.alone or (beat.leads and beat.steady() < beat.trusted_until)

    def fit(self, life: "Life") -> bool:
        """Whether a process that has won its claim may begin: the answer may have come after its lease's end."""
        return not life.over()

    def watches(self) -> bool:
        """Whether workers have watchdogs."""
        return True
