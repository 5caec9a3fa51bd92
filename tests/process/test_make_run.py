"""`make run` from beginning to end: everything answers, what dies comes back, and nothing is left."""

import os
import re
import signal
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

from scheduler_project import environment
from scheduler_project.embedded import leftovers
from scheduler_project.embedded.ports import random_free
from scheduler_project.embedded.server import CHECKOUT
from tests.waiting import wait_until

START = 90.0  # seconds in which everything has to be up on a busy machine


class Run:
    """A `make run` on data of its own, and the words it says."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.parent / "output"
        ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")
        self.elsewhere = {key: value for key, value in os.environ.items() if key not in ours}
        self.elsewhere |= {"CARILLON_HOME": str(home), "EXAMPLES": "0"}
        ports = {f"{name}_PORT": str(random_free()) for name in ("POSTGRES", "REDIS", "WEB", "FLOWER")}
        self._environment = self.elsewhere | ports

    def start(self) -> None:
        """Starts it, as `make run` does after the installation, and waits for the banner."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scheduler_project.embedded"],
                cwd=CHECKOUT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: self.said("Ctrl-C stops everything") or self.ended(), START, "the banner is there")
        assert not self.ended(), self.words()

    def second(self) -> subprocess.CompletedProcess[str]:
        """What a second `make run` on the same data says."""
        command = [sys.executable, "-m", "scheduler_project.embedded"]
        return subprocess.run(command, cwd=CHECKOUT, env=self._environment, capture_output=True, text=True, check=False)

    def other_terminal(self, *arguments: str) -> str:
        """What a command says that was told nothing but where the data is."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=self.elsewhere,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def words(self) -> str:
        """All output so far."""
        return self.log.read_text(errors="replace")

    def said(self, pattern: str) -> bool:
        """Whether the output has a match."""
        return re.search(pattern, self.words()) is not None

    def ended(self) -> bool:
        """Whether the run is over."""
        return self.process.poll() is not None

    def child(self, argument: str) -> psutil.Process | None:
        """The first of its processes with this argument in its command."""
        for child in psutil.Process(self.process.pid).children():
            if child.status() != psutil.STATUS_ZOMBIE and argument in child.cmdline():
                return child
        return None

    def living_child(self, argument: str) -> psutil.Process:
        """The same, when there has to be one soon."""
        return wait_until(lambda: self.child(argument), 20, f"{argument} runs")

    def worker_answers(self) -> bool:
        """Whether another terminal reaches the worker."""
        return "pong" in self.other_terminal("-m", "celery", "-A", "scheduler_project", "inspect", "ping")

    def family(self) -> list[psutil.Process]:
        """The run and everything it has started."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run that is up."""
    run = Run(tmp_path / "a home")
    run.start()
    yield run
    if not run.ended():
        run.process.kill()
    run.process.wait()
    leftovers.end(run.home)


def answer(url: str, login: str | None = None) -> int | None:
    """The status of the answer, None when nobody answers."""
    request = Request(url)  # noqa: S310  # always http
    if login:
        request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    try:
        with urlopen(request, timeout=5) as response:  # noqa: S310
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code
    except (URLError, OSError):
        return None


@pytest.mark.timeout(300)
def test_everything_comes_up_comes_back_and_goes(run: Run) -> None:
    everything_answers(run)
    other_terminals_and_runs_are_served(run)
    what_dies_is_started_again(run)
    everything_answers(run)

    family = run.family()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 0, run.words()
    assert psutil.wait_procs(family, timeout=5)[1] == []


def everything_answers(run: Run) -> None:
    """Web, Flower, worker and both beats."""
    variables = environment.read(run.home / "env")
    login = environment.read(run.home / "administrator")
    wait_until(lambda: answer(f"{variables['WEB_URL']}/admin/login/") == 200, START, "the admin answers")
    wait_until(lambda: answer(f"{variables['FLOWER_URL']}/workers") == 401, START, "Flower asks who it is")
    assert answer(f"{variables['FLOWER_URL']}/workers", f"{login['USERNAME']}:{login['PASSWORD']}") == 200
    wait_until(lambda: run.said("beat-1 .*beat: Starting"), START, "the first beat runs")
    wait_until(lambda: run.said("beat-2 .*beat: Starting"), START, "the second beat runs")
    wait_until(run.worker_answers, START, "the worker answers")


def other_terminals_and_runs_are_served(run: Run) -> None:
    """Commands find the servers, the administrator can log in, secrets are private, a second run is refused."""
    login = environment.read(run.home / "administrator")
    code = f"from django.contrib.auth import authenticate; print(authenticate(None, {login_arguments(login)}))"
    assert "admin\n" in run.other_terminal("manage.py", "shell", "-v0", "-c", code)
    assert run.words().count(login["PASSWORD"]) == 1, "the password is shown once"
    for name in ("env", "administrator", "secret_key", "supervisord.conf"):
        assert stat.S_IMODE((run.home / name).stat().st_mode) == 0o600, name
    second = run.second()
    assert second.returncode == 1
    assert f"Carillon runs here already (process {run.process.pid})" in second.stderr


def login_arguments(login: dict[str, str]) -> str:
    """The login as arguments in Python's syntax."""
    return f"username={login['USERNAME']!r}, password={login['PASSWORD']!r}"


def what_dies_is_started_again(run: Run) -> None:
    """Kills one after the other and sees each again, as another process."""
    for argument in ("worker", "gunicorn", "beat", "flower", str(run.home / "redis" / "redis.conf")):
        dead = run.living_child(argument)
        dead.kill()
        missed = partial(run.said, rf"\(process {dead.pid}\) has ended")
        wait_until(missed, 10, f"{argument} is missed")
        assert run.living_child(argument).pid != dead.pid


@pytest.mark.timeout(300)
def test_a_killed_run_leaves_nothing_that_blocks_the_next_one(run: Run) -> None:
    password = environment.read(run.home / "administrator")["PASSWORD"]
    family = run.family()
    guard = run.living_child("-I")
    guard.suspend()  # even its guard has no time to clean up
    run.process.kill()
    run.process.wait()
    guard.kill()

    run.start()
    assert run.said("password as before")
    assert password not in run.words()
    assert psutil.wait_procs(family, timeout=10)[1] == []

    family = run.family()
    run.process.send_signal(signal.SIGHUP)
    assert run.process.wait(60) == 0, run.words()
    assert psutil.wait_procs(family, timeout=5)[1] == []
