"""What the two servers have in common: a folder of their own, an account, a port, a process."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from scheduler_project.embedded.account import account_for
from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.private import kept_secret, write_private

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds for a start or a stop


class ServerFailed(RuntimeError):
    """A server could not be started, or did not stop."""


class Server(ABC):
    """A server on a loopback port, with its data and its password in one folder.

    `prepare` makes it ready to be started by somebody else with `command`; `start` and `stop` do it here. A
    process that was started here is stopped by the guard if this process dies.
    """

    name: str
    executable: str
    polite: signal.Signals
    not_ready: type[Exception]  # what `ping` raises while the server does not answer

    def __init__(self, folder: Path, port: int, guard: Guard | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._account = account_for(self.folder, CHECKOUT)

    @property
    @abstractmethod
    def url(self) -> str:
        """The address, with the password in it."""

    @abstractmethod
    def prepare(self) -> None:
        """Makes the data on first use, writes the configuration, ends what a killed run left over."""

    @abstractmethod
    def command(self) -> list[str]:
        """What to execute, as this account, to run the server in the foreground."""

    @abstractmethod
    def ping(self) -> None:
        """Returns if the server answers; raises the client library's error if it does not."""

    @property
    @abstractmethod
    def data(self) -> Path:
        """The data directory, in which the server's process works."""

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Where the server writes its process id, on the first line."""

    @property
    def password(self) -> str:
        """The password, made on first use."""
        return kept_secret(self.folder / "password")

    @property
    def log(self) -> Path:
        """What the server said, if it was started here."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id, whoever started the server on this data; None when it does not run."""
        try:
            pid = int(self.pid_file.read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            mine = process.name().startswith(self.executable) and process.cwd() == str(self.data.resolve())
            return pid if mine and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            return None  # no file, or the number belongs to another process by now

    @property
    def running(self) -> bool:
        """Whether a server runs on this data; a paused one does."""
        return self.pid is not None

    def start(self) -> None:
        """Starts the server and returns when it answers; ServerFailed holds the end of its log if not."""
        deadline = time.monotonic() + PATIENCE
        self.prepare()
        self._launch()
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                # After a kill -9 the old server's children hold its shared memory for a moment longer.
                self._relaunch_or_fail(deadline)
            if time.monotonic() > deadline:
                self.kill()
                words = self._last_words()
                raise ServerFailed(f"{self.name} did not answer within {PATIENCE:.0f} s\n{words}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stops the server cleanly; a server that does not run is left alone."""
        self.resume()
        self._end(self.polite)
        if self.running:
            self.kill()

    def restart(self) -> None:
        """Stops and starts on the same port and data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Ends the server as a crash would, with SIGKILL, and waits until it is gone."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freezes the server and its children: connections stay open and nothing answers."""
        self._signal_tree(signal.SIGSTOP)

    def resume(self) -> None:
        """Wakes a paused server."""
        self._signal_tree(signal.SIGCONT)

    def end_leftover(self) -> None:
        """Ends a server of an earlier run and removes its pid file, which may name a stranger by now."""
        if self.running:
            self.stop()
        self.pid_file.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """The server's environment: nothing of ours that would change how it behaves."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def wait_until_ready(self, patience: float = PATIENCE) -> None:
        """Returns when the server answers, whoever started it; ServerFailed after `patience` seconds."""
        deadline = time.monotonic() + patience
        while not self._answers():
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not answer on port {self.port} within {patience:.0f} s")
            time.sleep(0.1)

    def _make_folder(self) -> None:
        for folder in (self.folder, self.data.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._account.own(folder)
        _ = self.password
        self._account.own(self.folder / "password")

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        write_private(path, text)
        self._account.own(path)
        return path

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self.environment(),
                start_new_session=True,
            )
        if self._guard is not None:
            self._guard.watch(self._process.pid, self.polite)

    def _relaunch_or_fail(self, deadline: float) -> None:
        words = self._last_words()
        if "shared memory block" not in words or time.monotonic() > deadline:
            raise ServerFailed(f"{self.name} stopped while starting on port {self.port}\n{words}")
        self._forget()
        time.sleep(0.1)
        self.pid_file.unlink(missing_ok=True)
        self._launch()

    def _answers(self) -> bool:
        try:
            self.ping()
        except self.not_ready:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        pid = self.pid or (self._process.pid if self._process and self._process.poll() is None else None)
        if pid is not None:
            family = _family(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            self._reap()
            psutil.wait_procs(family, timeout=PATIENCE)
        self._forget()

    def _reap(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)

    def _forget(self) -> None:
        if self._process is not None and self._guard is not None:
            self._guard.forget(self._process.pid)
        self._process = None

    def _signal_tree(self, number: signal.Signals) -> None:
        for process in _family(self.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def _family(pid: int | None) -> list[psutil.Process]:
    """The process and its children, the parent first."""
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
