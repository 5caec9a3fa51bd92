"""supervisord, run inside this process, so that its events need no control socket and lose no output."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.programs import APPLICATIONS, BACKOFF, SETUP
from scheduler_project.embedded.terminal import Terminal

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


class Runner(Supervisor):  # type: ignore[misc]  # supervisor has no types
    """Starts the servers, then the setup, and when that has succeeded the applications.

    The first signal stops everything in order, a second one kills what is still being waited for.
    `failed` tells whether the setup did.
    """

    def __init__(self, options: ServerOptions, terminal: Terminal, guard: Guard, ready: Callable[[], None]) -> None:
        super().__init__(options)
        self.failed = False
        self._terminal = terminal
        self._guard = guard
        self._ready: Callable[[], None] | None = ready
        self._watched: set[int] = set()

    def runforever(self) -> None:
        """Supervisord's loop, with our subscriptions to its events."""
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateRunningEvent, self._on_running)
        events.subscribe(events.ProcessStateBackoffEvent, self._on_death)
        events.subscribe(events.ProcessStateExitedEvent, self._on_exit)
        super().runforever()

    def handle_signal(self) -> None:
        """Called in every turn of the loop. The closing of the terminal ends the run too."""
        self._inform_guard()
        stopping = self.options.mood == SupervisorStates.SHUTDOWN
        signalled = self.options.get_signal() in ENDINGS
        if signalled and stopping:
            self._hasten()
        elif signalled or (not stopping and self._terminal.closed()):
            self._terminal.say("stopping; once more to hasten")
            self.options.mood = SupervisorStates.SHUTDOWN

    def _processes(self, group: str | None = None) -> Iterator[Subprocess]:
        for name, members in self.process_groups.items():
            if group in (None, name):
                yield from members.processes.values()

    def _inform_guard(self) -> None:
        living = set(self.options.pidhistory)
        for pid in living - self._watched:
            self._guard.watch(pid, _stop_signal(self.options.pidhistory[pid]))
        for pid in self._watched - living:
            self._guard.forget(pid)
        self._watched = living

    def _hasten(self) -> None:
        for process in self._processes():
            if process.state == ProcessStates.STOPPING:
                process.delay = 0  # its time to stop politely is over

    def _on_output(self, event: events.ProcessLogEvent) -> None:
        self._terminal.output(event.process.config.name, event.data)

    def _on_running(self, _: events.ProcessStateRunningEvent) -> None:
        applications = list(self._processes(APPLICATIONS))
        if self._ready and all(process.state == ProcessStates.RUNNING for process in applications):
            self._ready()
            self._ready = None

    def _on_exit(self, event: events.ProcessStateExitedEvent) -> None:
        if event.process.group.config.name != SETUP:
            self._on_death(event)
        elif event.expected:
            for process in self._processes(APPLICATIONS):
                process.spawn()
        else:
            self._terminal.say("the setup failed; stopping")
            self.failed = True
            self.options.mood = SupervisorStates.SHUTDOWN

    def _on_death(self, event: events.ProcessStateEvent) -> None:
        """Says so, ends children that outlived their parent, and keeps the wait before the restart short."""
        process = event.process
        self._terminal.flush(process.config.name)
        self._terminal.say(f"{process.config.name} (process {process.pid}) has ended; it is started again")
        if process.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.backoff = min(process.backoff, BACKOFF)


def _stop_signal(process: Subprocess) -> signal.Signals:
    return signal.Signals(process.config.stopsignal)


def supervise(configuration: Path, terminal: Terminal, guard: Guard, ready: Callable[[], None]) -> bool:
    """Runs the processes of the configuration file until a signal ends it. False if the setup failed."""
    options = ServerOptions()
    options.realize(["--configuration", str(configuration)])
    options.first, options.test = True, False
    runner = Runner(options, terminal, guard, ready)
    with contextlib.suppress(ExitNow):
        runner.main()
    return not runner.failed
