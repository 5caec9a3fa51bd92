"""The witness: sees every step, knows the schedule by another's reckoning, and trusts neither beat nor worker."""

from collections.abc import Iterable, Mapping
from typing import Any

from chaos.simulation.engine import Engine, Process
from chaos.simulation.jobs import JobSpec
from chaos.simulation.pace import MAX_LOSSES, WATCH
from chaos.simulation.rows import Job, Run
from jobs.models.choices import Overlap
from jobs.states import MOVES, TERMINAL, State

JITTER = 50
"""Milliseconds within which a process that has been told to die may still be seen."""


class Broken(Exception):
    """A promise is broken."""


class Execution:
    """A process that executes an attempt."""

    __slots__ = ("attempt", "late_since", "process", "run")

    def __init__(self, process: Process, run: Run, attempt: int) -> None:
        self.process = process
        self.run = run
        self.attempt = attempt
        self.late_since: int | None = None
        """Since when it is awake although its lease has ended: it was frozen until then."""


class Witness:
    """What has been seen."""

    def __init__(self, engine: Engine, specs: Iterable[JobSpec], slots: int) -> None:
        self.engine = engine
        self.slots = slots
        self.due = {spec.name: {time: place for place, time in enumerate(spec.times)} for spec in specs}
        self.covered: dict[str, list[int]] = {spec.name: [0] * len(spec.times) for spec in specs}
        self.started: dict[tuple[int, int], Process] = {}
        self.executing: dict[Process, Execution] = {}

    def accuse(self, what: str) -> None:
        """Stop at the first broken promise."""
        self.engine.note("witness", what)
        raise Broken(what)

    def born(self, run: Run) -> None:
        """A row has come into the ledger: for ticks that were due, and had none."""
        name = run.job.spec.name
        if self.engine.trace is not None:
            self.engine.note("", f"  run {run.number}: born {run.state} for {name} at {run.scheduled_for / 1000:g}")
        places, covered = self.due[name], self.covered[name]
        first, last = places.get(run.scheduled_for), places.get(run.last)
        if first is None or last is None or last < first:
            self.accuse(f"{name} has a row at {run.scheduled_for / 1000:g} s, outside its schedule")
            return
        if last - first + 1 != run.ticks:
            self.accuse(
                f"{name}: {run.ticks} ticks told from {run.scheduled_for} to {run.last}, not {last - first + 1}"
            )
        for place in range(first, last + 1):
            covered[place] += 1
            if covered[place] > 1:
                self.accuse(f"{name} has two rows for its tick at {run.job.spec.times[place] / 1000:g} s")
        if run.last > self.engine.now:
            self.accuse(f"{name} has a row for a tick that is not due yet")
        self._line(run.job)

    def moves(self, run: Run, target: State, changes: Mapping[str, Any]) -> None:
        """A run's state is about to be written."""
        if run.state in TERMINAL:
            self.accuse(f"run {run.number} had ended as {run.state}, and becomes {target}")
        if target not in MOVES[run.state]:
            self.accuse(f"run {run.number} moves from {run.state} to {target}")
        if not run.attempt <= changes.get("attempt", run.attempt) <= run.attempt + 1:
            self.accuse(f"run {run.number} goes from attempt {run.attempt} to {changes['attempt']}")
        if changes.get("retries", 0) > run.job.spec.retry.max_retries + 1:
            self.accuse(f"run {run.number} failed {changes['retries']} times with {run.job.spec.retry}")
        if changes.get("losses", 0) > MAX_LOSSES:
            self.accuse(f"run {run.number} was lost {changes['losses']} times")
        if target is State.SCHEDULED or target is State.WAITING:
            self._line(run.job)

    def _line(self, job: Job) -> None:
        kind = job.spec.overlap.kind
        if kind == Overlap.SKIP and len(job.live) > 1:
            self.accuse(f"{job.spec.name} skips overlapping ticks and has {len(job.live)} live runs")
        if kind == Overlap.QUEUE_ALL and len(job.live) > job.spec.overlap.most_waiting + 1:
            self.accuse(f"{job.spec.name} has {len(job.live)} runs in its line")

    def outcome(self, run: Run, process: Process) -> None:
        """A process has written the outcome of the attempt that the run is at."""
        if self.started.get((run.number, run.attempt)) is not process:
            self.accuse(f"the outcome of run {run.number}, attempt {run.attempt}, comes from {process.name}, no owner")

    def begins(self, process: Process, run: Run, attempt: int, *, late: bool, listed: bool) -> None:
        """A process begins to execute; `listed` says whether its worker has its row."""
        if late:
            self.accuse(f"run {run.number}, attempt {attempt} begins after its lease's end")
        if not listed:
            self.accuse(f"run {run.number}, attempt {attempt} begins on a worker that has no row")
        if (run.number, attempt) in self.started:
            self.accuse(f"run {run.number}, attempt {attempt} is started twice")
        self.started[run.number, attempt] = process
        for other in self.executing.values():
            if not other.process.paused and not self._dying(other):
                self._beside(run, attempt, other)
        self.executing[process] = Execution(process, run, attempt)
        if run.limited:
            awake = [one for one in self.executing.values() if one.run.limited and not one.process.paused]
            if sum(not self._dying(one) and not one.run.by_user for one in awake) > self.slots:
                self.accuse(f"{len(awake)} processes in {self.slots} slots")

    def _beside(self, run: Run, attempt: int, other: Execution) -> None:
        if other.run is run:
            self.accuse(f"run {run.number}: attempt {attempt} begins while {other.attempt} executes")
        elif other.run.job is run.job and run.job.spec.overlap.kind != Overlap.ALLOW and not other.run.by_user:
            self.accuse(f"{run.job.spec.name}: run {run.number} begins while run {other.run.number} executes")

    def _dying(self, execution: Execution) -> bool:
        """Woken after its lease's end: it has until its watchdog's next look."""
        late = execution.late_since
        return late is not None and self.engine.now <= late + WATCH + JITTER

    def ends(self, process: Process) -> None:
        """A process executes no longer, whatever the reason."""
        execution = self.executing.pop(process, None)
        if execution is None or execution.late_since is None or process.paused:
            return
        if process.life.over() and not self._dying(execution):
            run, attempt = execution.run.number, execution.attempt
            self.accuse(f"run {run}, attempt {attempt} was executed on after its lease's end")

    def woken(self, process: Process, *, late: bool) -> None:
        """A frozen process goes on."""
        execution = self.executing.get(process)
        if execution is not None and late:
            execution.late_since = self.engine.now

    def buried(self, number: int, life: Any) -> None:
        """A worker is declared dead: it must have stopped trusting its lease by its own clock."""
        if life.alive and life.worker == number and life.stop_at > life.steady():
            self.accuse(f"{life.name} is declared dead {life.stop_at - life.steady()} ms before it would stop")

    def at_the_end(self, jobs: Iterable[Job], lives: Iterable[Any], workers: Mapping[int, Any]) -> None:
        """Every tick has its row, and whoever believes that it is alive is."""
        for job in jobs:
            missing = [
                time for time, count in zip(job.spec.times, self.covered[job.spec.name], strict=True) if not count
            ]
            if missing:
                self.accuse(f"{job.spec.name} has no row for its ticks at {missing}")
        for life in lives:
            if life.alive and life.stop_at > life.steady() and life.worker not in workers:
                self.accuse(f"{life.name} believes that it is alive, and has no row")
