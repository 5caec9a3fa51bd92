"""The suite of the suite: each mutant lacks one guard, and the simulation has to notice."""

from typing import Final

from chaos.simulation.beat import Beat
from chaos.simulation.database import Database
from chaos.simulation.glue import CLAIMABLE, Glue
from chaos.simulation.pace import HEARTBEAT
from chaos.simulation.rows import Run, Worker
from chaos.simulation.worker import Life
from jobs.states import LIVE, State


class NoUniqueKey(Glue):
    """The ledger has no unique key."""

    def conflicts(self, database: Database, run: Run) -> bool:
        return False


class ClaimOfAnyAttempt(Glue):
    """The claim does not look at the attempt."""

    def claimable(self, run: Run, attempt: int, now: int) -> bool:
        return run.state in CLAIMABLE


class ClaimOfAnyState(Glue):
    """The claim does not look at the state."""

    def claimable(self, run: Run, attempt: int, now: int) -> bool:
        return run.attempt == attempt and run.state in LIVE


class EarlyBurial(Glue):
    """Rescue buries a worker one heartbeat before its lease ends."""

    def ended(self, worker: Worker, now: int) -> bool:
        return worker.lease_until - HEARTBEAT < now


class DeafHeartbeat(Glue):
    """A worker does not notice that its heartbeat found no row."""

    def renewed(self, database: Database, worker: int) -> bool:
        return True


class BlindBeat(Glue):
    """A beat does not look at its lock again before each batch."""

    def trusted(self, beat: Beat) -> bool:
        return beat.leads or beat.alone


class FinishById(Glue):
    """An outcome is written by the run's id alone."""

    def finishable(self, run: Run, attempt: int) -> bool:
        return run.state is State.RUNNING


class NoWatchdog(Glue):
    """Nobody kills what executes when the lease could not be renewed."""

    def watches(self) -> bool:
        return False


class LateStart(Glue):
    """A process begins whatever time it has taken to hear that its claim was won."""

    def fit(self, life: Life) -> bool:
        return True


class Hearsay(Glue):
    """A parent that tells of a dead process speaks for whoever executes the attempt by now."""

    def tellable(self, run: Run, attempt: int, worker: int, pid: int) -> bool:
        return run.attempt == attempt and run.state in (State.QUEUED, State.RUNNING)


MUTANTS: Final[tuple[type[Glue], ...]] = (
    NoUniqueKey,
    ClaimOfAnyAttempt,
    ClaimOfAnyState,
    EarlyBurial,
    DeafHeartbeat,
    BlindBeat,
    FinishById,
    NoWatchdog,
    LateStart,
    Hearsay,
)
