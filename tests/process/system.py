"""Real beats and workers as processes of a test, on the test's own database and an empty Redis."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psutil
from celery import current_app
from django.db import connection

from jobs.broker import Broker
from jobs.clock import database_now
from jobs.models import Worker
from jobs.rescue import rescue
from jobs.round import work
from jobs.states import State
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
Settings = Mapping[str, str]
START = 30.0
"""Seconds a process may take to start on a busy machine."""


class Program:
    """A process of ours, with its log."""

    def __init__(self, name: str, arguments: Iterable[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        self._process.send_signal(number)

    def children(self) -> list[psutil.Process]:
        """Its children, for a worker the pool's processes."""
        return psutil.Process(self.pid).children(recursive=True)

    def freeze(self) -> None:
        """Stop the whole tree, as when its machine is suspended."""
        for process in [psutil.Process(self.pid), *self.children()]:
            process.suspend()

    def freeze_parent(self) -> None:
        """Stop the main process alone."""
        psutil.Process(self.pid).suspend()

    def thaw(self) -> None:
        """Let the whole tree go on."""
        for process in [*self.children(), psutil.Process(self.pid)]:
            process.resume()

    def wait(self, within: float = START) -> int:
        """Its exit code, when it has ended."""
        return self._process.wait(within)

    def stop(self, within: float = START) -> int:
        """Stop it politely."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self) -> None:
        """Kill the main process and all it has started."""
        if self.running:
            family = [*self.children(), psutil.Process(self.pid)]
            for process in family:
                process.kill()
            psutil.wait_procs(family, timeout=10)
        self._process.wait(10)


class System:
    """Starts programs for one test and ends them all with it."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.witness_file = folder / "witness"
        self.witness_file.touch()
        self.redis_url = redis_url
        self.programs: list[Program] = []
        self.database_url = self._database_url()
        self.broker = Broker(current_app)

    def beat(self, env: Settings | None = None) -> Program:
        """A beat."""
        return self._start(
            "beat", ["-m", "celery", "-A", "scheduler_project", "beat", "--pidfile=", "-l", "info"], None, env
        )

    def worker(
        self, *options: str, env: Settings | None = None, carillon: Mapping[str, float] | None = None
    ) -> Program:
        """A worker of two processes, registered and ready; `carillon` are settings of ours that it shall use."""
        name = f"w{len(self.programs)}@test"
        command = [
            "-m",
            "celery",
            "-A",
            "scheduler_project",
            "worker",
            "-l",
            "info",
            "-n",
            name,
            "-c",
            "2",
        ]
        program = self._start("worker", [*command, *options], carillon, env)
        wait_until(lambda: " ready." in program.text() or not program.running, START, f"{name} is ready")
        assert Worker.objects.filter(name=name).exists(), program.text()
        return program

    def _start(
        self, kind: str, arguments: list[str], carillon: Mapping[str, float] | None, env: Settings | None
    ) -> Program:
        log = self.folder / f"{len(self.programs)}-{kind}.log"
        program = Program(kind, arguments, {**self.environment(carillon), **(env or {})}, log)
        self.programs.append(program)
        return program

    def pump(self) -> bool:
        """A round and a rescue of the beat's, without the beat: it sends what is due. Always true."""
        work(database_now, lambda: True, self.broker.publish)
        rescue(database_now(), self.broker.depths)
        return True

    def leader(self) -> Program:
        """The beat that leads."""
        return wait_until(self._leader, START, "a beat leads")

    def _leader(self) -> Program | None:
        for program in self.programs:
            note = self.folder / "beats" / f"{program.pid}.json"
            text = note.read_text() if program.running and note.exists() else ""
            if text and json.loads(text)["role"] == "leader":  # a note that was just made is empty
                return program
        return None

    def seen(self, event: str | None = None) -> list[dict[str, Any]]:
        """What the tasks themselves have written."""
        lines = [json.loads(line) for line in self.witness_file.read_text().splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def close(self) -> None:
        """End everything, and show the logs in case the test has failed."""
        self.broker.close()
        for program in self.programs:
            if program.running:
                program.thaw()
                program.kill()
        for program in self.programs:
            sys.stdout.write(f"----- {program.log.name}\n{program.text()[-6000:]}\n")

    def environment(self, carillon: Mapping[str, float] | None = None) -> dict[str, str]:
        """The environment of its processes."""
        values: dict[str, Any] = {name.upper(): value for name, value in (carillon or {}).items()}
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "WITNESS": str(self.witness_file),
            "EXAMPLES": "0",
            "PYTHONUNBUFFERED": "1",
            "TEST_CARILLON": json.dumps({"BEAT_DIR": str(self.folder / "beats"), **values}),
        }

    @staticmethod
    def _database_url() -> str:
        address = urlsplit(os.environ["DATABASE_URL"])
        return urlunsplit(address._replace(path="/" + quote(str(connection.settings_dict["NAME"]))))


def states() -> Counter[State]:
    """How many runs are in each state."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM jobs_run GROUP BY state")
        return Counter({State(state): count for state, count in cursor.fetchall()})
