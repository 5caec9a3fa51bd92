"""The world of a scenario: real beats and workers, with proxies before the servers, watched jobs, and a witness."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from redis import Redis

from chaos.checker import Verdict, check
from chaos.expectation import Window, ticks
from chaos.proxy import Proxy
from jobs import transitions
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import LIVE
from tests.factories import make_job
from tests.process.system import Program, System
from tests.waiting import wait_until

T = TypeVar("T")
EVERY_SECOND = "* * * * * *"
SETTLED_WITHIN = 90.0
SECRET = "correct horse battery staple"  # noqa: S105 - nobody's


@dataclass(slots=True)
class Findings:
    """What the table says of a scenario."""

    promise: str
    bar: float | None = None
    """Seconds within which it must recover."""
    recovery: float | None = None
    note: str = ""
    verdict: Verdict = field(default_factory=Verdict)


class World(System):
    """A system under fault."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        super().__init__(folder, redis_url)
        (folder / "locks").mkdir()
        (folder / "latches").mkdir()
        self.findings = Findings("")
        self._proxies: list[Proxy] = []
        self._windows: dict[str, list[Window]] = {}
        self._since: dict[str, datetime] = {}

    def proxy(self, server: str) -> Proxy:
        """A new proxy before "postgres" or "redis"."""
        address = urlsplit(self.database_url if server == "postgres" else self.redis_url)
        assert address.port is not None
        proxy = Proxy(address.port).start()
        self._proxies.append(proxy)
        return proxy

    def via(self, postgres: Proxy | None = None, redis: Proxy | None = None) -> dict[str, str]:
        """The environment of a program that reaches its servers through these."""
        env = {}
        if postgres is not None:
            env["DATABASE_URL"] = _through(self.database_url, postgres.port)
        if redis is not None:
            env["REDIS_URL"] = _through(self.redis_url, redis.port)
        return env

    def environment(self, carillon: Mapping[str, float] | None = None) -> dict[str, str]:
        own = {"DJANGO_SETTINGS_MODULE": "chaos.settings", "CHAOS_LATCHES": str(self.folder / "latches")}
        return super().environment(carillon) | own

    def carillon(self, **settings: Any) -> str:
        """The value of TEST_CARILLON with these settings beside those that every program gets."""
        own = json.loads(self.environment()["TEST_CARILLON"])
        return json.dumps(own | {name.upper(): value for name, value in settings.items()})

    def failing(self, points: str) -> dict[str, str]:
        """The environment of a program with these failpoints."""
        return {"CHAOS_FAILPOINTS": points}

    def happened(self, point: str) -> bool:
        """Whether a failpoint's one-time action has taken place."""
        return any((self.folder / "latches").glob(f"{point}=*"))

    def job(self, schedule: str = EVERY_SECOND, **fields: Any) -> Job:
        """A job that is watched: from now on each of its ticks is expected."""
        fields = {"task": "chaos.work", "args": [0.05], "overlap": "allow", "timezone": "UTC", "grace": 3600} | fields
        fields.setdefault("kwargs", {"password": SECRET})
        job = make_job(schedule=schedule, **fields)
        job.refresh_from_db()
        self._since[job.name] = job.planned_from
        return job

    def disable(self, job: Job) -> None:
        """No more ticks from now on."""
        Job.objects.filter(pk=job.pk).update(enabled=False)
        job.refresh_from_db()
        self._until(job, job.planned_from)

    def _until(self, job: Job, moment: datetime) -> None:
        window = Window(job.schedule, job.timezone, self._since.pop(job.name), moment)
        self._windows.setdefault(job.name, []).append(window)

    def recovered(self, what: str, condition: Callable[[], T | None], within: float, bar: float | None = None) -> T:
        """Wait for the recovery, and note how long it took from now; more than `bar` breaks the promise."""
        began = time.monotonic()
        value = wait_until(condition, within, what)
        self.findings.recovery, self.findings.bar = time.monotonic() - began, bar
        return value

    def finish(self, within: float = SETTLED_WITHIN) -> Verdict:
        """End all ticks, wait until every run has ended, and let the checker compare."""
        for job in Job.objects.filter(name__in=list(self._since)):
            self.disable(job)
        planned = Job.objects.filter(planned=False)
        wait_until(lambda: not planned.exists(), within, "the beat has noticed that the jobs are disabled")
        live = Run.objects.filter(state__in=LIVE)
        deadline = time.monotonic() + within
        while live.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        due = {name: [tick for window in windows for tick in ticks(window)] for name, windows in self._windows.items()}
        self.findings.verdict = check(due, self.seen())
        self.findings.verdict.wrong += [f"the password is in {place}" for place in self._leaks()]
        return self.findings.verdict

    def goes_on(self, within: float = 60.0, event: str = "end") -> None:
        """Wait until more is executed than by now."""
        before = len(self.seen(event))
        wait_until(lambda: len(self.seen(event)) > before, within, "runs are executed")

    def executes_again(self, within: float = 60.0, bar: float | None = None) -> None:
        """As `goes_on`, and this is the recovery."""
        with self.timed(bar):
            self.goes_on(within)

    def emits_until(self, moment: float) -> None:
        """Wait for a moment of the monotonic clock, while the fault has its way."""
        wait_until(lambda: time.monotonic() >= moment, moment - time.monotonic() + 5, "the time has passed")

    def cancel_all(self) -> None:
        """Cancel what lives, as an operator would; the workers' heartbeats stop the processes."""
        for run_id in Run.objects.filter(state__in=LIVE).values_list("pk", flat=True):
            transitions.cancel(run_id, "cancelled by the scenario")

    def _leaks(self) -> Iterator[str]:
        """Where the jobs' password can be read that must not tell it: the logs, and Redis."""
        yield from (program.log.name for program in self.programs if SECRET in program.text())
        client = Redis.from_url(self.redis_url)
        for key in client.scan_iter(_type="list"):
            if any(SECRET.encode() in message for message in client.lrange(key, 0, -1)):
                yield f"the queue {key!r}"
        client.close()

    def runs_since(self, moment: datetime) -> int:
        """How many rows the ledger got since then."""
        return Run.objects.filter(created_at__gt=moment).count()

    def close(self) -> None:
        super().close()
        for proxy in self._proxies:
            proxy.stop()

    @contextmanager
    def timed(self, bar: float | None = None) -> Iterator[None]:
        """What is inside is the recovery."""
        began = time.monotonic()
        yield
        self.findings.recovery, self.findings.bar = time.monotonic() - began, bar

    def now(self) -> datetime:
        """The database's clock."""
        return database_now()

    def seen_by(self, program: Program) -> list[dict[str, Any]]:
        """What the processes of a worker have witnessed."""
        pids = {child.pid for child in program.children()} | {program.pid}
        return [line for line in self.seen() if line["pid"] in pids]


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    login, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"))
