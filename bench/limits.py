"""How many runs a second with limits, and without, on the real engine: two beats, four workers of two processes, Redis.

    python -m scheduler_project.embedded.temporary python -m bench.limits [RUNS] [TIMES]

A job asks for RUNS runs at once, whose task ends at once, and the clock runs until the last has ended. The variants
take turns TIMES times, because a machine is not always as fast, and the medians are compared. The limits are wide
enough not to be what a run waits for, so the difference is what they cost. The last variant has as many slots as there
are processes: with tasks that end at once it shows how fast a slot is handed on.

Beside the runs a second, which others on the machine change too, stands the processor's time for each run: of
PostgreSQL, of the beats, and of the workers.
"""

import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from django.core.management import call_command
from django.db import connection

from jobs.clock import database_now
from jobs.models import Job, Pool
from jobs.trigger import Request, run_many
from tests.process.system import System

WIDE = 2000
KEYS = 20
VARIANTS: dict[str, dict[str, Any]] = {
    "without": {},
    "job": {"max_running": WIDE},
    "pool": {"pool": {"slots": WIDE}},
    "rate": {"pool": {"rate": 100_000, "period": 60}},
    "key": {"key": "{args[0]}", "key_limit": WIDE // KEYS},
    "all": {"max_running": WIDE, "pool": {"slots": WIDE, "rate": 100_000}, "key": "{args[0]}", "key_limit": WIDE},
    "8 slots": {"max_running": 8},
}


@dataclass
class Cost:
    """Runs a second, and milliseconds of the processor for each run, by who used it."""

    rate: float
    spent: dict[str, float]

    def total(self) -> float:
        """Of all together."""
        return sum(self.spent.values())


def server() -> psutil.Process:
    """The main process of this database: the parent of the one that serves us."""
    connection.ensure_connection()
    return psutil.Process(psutil.Process(connection.connection.info.backend_pid).ppid())


def spent(system: System) -> dict[str, float]:
    """Seconds of the processor's time so far."""
    beats = [program for program in system.programs if "beat" in program.log.name]
    found = [("postgres", server())]
    found += [("beats" if one in beats else "workers", psutil.Process(one.pid)) for one in system.programs]
    totals: dict[str, float] = defaultdict(float)
    for kind, process in found:
        for one in [process, *process.children(recursive=True)]:
            times = one.cpu_times()
            totals[kind] += times.user + times.system + times.children_user + times.children_system
    return totals


def measured(system: System, variant: str, runs: int) -> Cost:
    """From the moment they are asked for until the last has ended."""
    fields = dict(VARIANTS[variant])
    if pool := fields.pop("pool", None):
        fields["pool"] = Pool.objects.create(name=f"bench {time.time()}", **pool)
    names = {"name": f"bench {time.time()}", "task": "probe.add", "args": [0, 1]}
    job = Job.objects.create(schedule="@yearly", overlap="allow", **names, **fields)
    before, begun = spent(system), time.perf_counter()
    run_many(job.pk, [Request(args=[number % KEYS, 1]) for number in range(runs)], database_now())
    while job.runs.filter(finished_at__isnull=True).exists():
        time.sleep(0.05)
    elapsed = time.perf_counter() - begun
    if job.runs.filter(state="succeeded").count() != runs:
        raise RuntimeError("not every run has succeeded")
    return Cost(runs / elapsed, {name: 1000 * (now - before[name]) / runs for name, now in spent(system).items()})


def main(runs: int, times: int) -> None:
    """Print each variant's runs a second and cost, and how they compare with none."""
    call_command("migrate", verbosity=0)
    found: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    with TemporaryDirectory() as folder:
        system = System(Path(folder), os.environ["REDIS_URL"])
        try:
            for start in (system.beat, system.beat, *(system.worker,) * 4):
                start()
            measured(system, "without", runs)
            for _ in range(times):
                for variant in VARIANTS:
                    found[variant].append(measured(system, variant, runs))
        finally:
            for program in system.programs:
                program.kill()
    for variant, costs in found.items():
        print(line(variant, costs, found["without"]))


def line(variant: str, costs: list[Cost], without: list[Cost]) -> str:
    """What is told of a variant."""
    rate = median(cost.rate for cost in costs)
    total = median(cost.total() for cost in costs)
    parts = ", ".join(f"{name} {median(cost.spent[name] for cost in costs):.2f}" for name in costs[0].spent)
    by_rate = rate / median(cost.rate for cost in without)
    by_cost = median(cost.total() for cost in without) / total
    return f"{variant:8} {rate:5.0f} runs/s ({by_rate:6.1%})   {total:.2f} ms a run ({by_cost:6.1%}): {parts}"


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [2000, 3][len(given) :]))
