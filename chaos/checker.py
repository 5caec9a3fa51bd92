"""The checker: what the witness saw, what the ledger says, and what was due, held against each other."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from jobs.states import TERMINAL, State

_LEDGER = """
SELECT run.id, job.name, run.trigger, run.scheduled_for, coalesce(run.last_scheduled_for, run.scheduled_for), run.ticks,
       run.shard, run.state, run.attempt, run.retries, job.max_retries, run.deadline_at, run.reason
  FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A run as the ledger has it."""

    id: str
    job: str
    trigger: str
    scheduled_for: datetime
    last: datetime
    ticks: int
    shard: int
    state: str
    attempt: int
    retries: int
    max_retries: int
    deadline_at: datetime | None
    reason: str


@dataclass(slots=True)
class Verdict:
    """What was found; all empty means that every promise was kept. Each entry says what is wrong with what."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    overlapped: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Whatever else contradicts: rows outside the schedule, attempts beyond the policy, ends that nobody saw begin."""

    def faults(self) -> list[str]:
        """Everything that was found, in words."""
        kinds = ("lost", "doubled", "overlapped", "stuck", "wrong")
        return [f"{kind}: {entry}" for kind in kinds for entry in getattr(self, kind)]


def ledger() -> list[Row]:
    """The whole ledger."""
    with connection.cursor() as cursor:
        cursor.execute(_LEDGER)
        return [Row(str(run_id), *rest) for run_id, *rest in cursor.fetchall()]


def check(
    due: Mapping[str, Iterable[datetime]], seen: Sequence[Mapping[str, Any]], *, shards: Mapping[str, int] | None = None
) -> Verdict:
    """Compare. `due` are the ticks of each job that was enabled all the time, `seen` the lines of the witness."""
    verdict = Verdict()
    rows = ledger()
    _check_ticks(rows, due, shards or {}, verdict)
    _check_rows(rows, verdict)
    _check_witness(rows, seen, verdict)
    return verdict


def _check_ticks(
    rows: Sequence[Row], due: Mapping[str, Iterable[datetime]], shards: Mapping[str, int], verdict: Verdict
) -> None:
    for job, expected in due.items():
        of_job = [row for row in rows if row.job == job and row.trigger == "schedule"]
        wanted = set(expected)
        for shard in range(shards.get(job, 1)):
            covered: Counter[datetime] = Counter()
            for row in of_job:
                if row.shard == shard or row.ticks > 1 or row.state in (State.SKIPPED, State.MISSED):
                    covered.update(tick for tick in wanted if row.scheduled_for <= tick <= row.last)
            verdict.lost += [f"{job} at {tick:%H:%M:%S}, shard {shard}" for tick in sorted(wanted - covered.keys())]
            verdict.doubled += [f"{job} at {tick:%H:%M:%S}, {n} rows" for tick, n in covered.items() if n > 1]
        strangers = [row for row in of_job if row.ticks == 1 and row.scheduled_for not in wanted]
        verdict.wrong += [f"{job} at {row.scheduled_for:%H:%M:%S}: no such tick was due" for row in strangers]


def _check_rows(rows: Sequence[Row], verdict: Verdict) -> None:
    for row in rows:
        if row.state not in TERMINAL:
            verdict.stuck.append(f"{row.job}, run {row.id}: {row.state} ({row.reason})")
        if row.retries > row.max_retries + 1:
            verdict.wrong.append(f"{row.job}, run {row.id}: {row.retries} failures with {row.max_retries} retries")


def _check_witness(rows: Sequence[Row], seen: Sequence[Mapping[str, Any]], verdict: Verdict) -> None:
    starts = Counter((line["run"], line["attempt"]) for line in seen if line["event"] == "start")
    verdict.doubled += [
        f"attempt {attempt} of run {run}: started {n} times" for (run, attempt), n in starts.items() if n > 1
    ]
    verdict.overlapped += [
        f"run {line['run']}: attempt {line['attempt']} while another executed"
        for line in seen
        if line["event"] == "overlap"
    ]
    verdict.overlapped += _late(seen)
    begun, ended = {run for run, _ in starts}, {line["run"] for line in seen if line["event"] == "end"}
    known = {row.id for row in rows}
    verdict.wrong += [f"run {run} was executed and has no row" for run in sorted(begun - known)]
    for row in rows:
        if row.state == State.SUCCEEDED and row.id not in ended:
            verdict.wrong.append(f"{row.job}, run {row.id}: succeeded, and nobody saw it end")


def _late(seen: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an attempt still did after a later one of its run had started."""
    started: dict[str, int] = {}
    late = []
    for line in sorted(seen, key=lambda line: float(line["at"])):
        attempt = started.get(line["run"], 0)
        if line["attempt"] < attempt:
            late.append(f"run {line['run']}: attempt {line['attempt']} went on after attempt {attempt} had started")
        elif line["event"] == "start":
            started[line["run"]] = line["attempt"]
    return late
