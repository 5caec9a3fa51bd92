"""The clean room: what a task changed of its pool process is put back, so that the next task there finds it clean.

What the process was like is noted before its first run, after the project's own `worker_process_init`. Looking
whether anything has changed costs about 15 µs a run. A pool of threads is left alone: its tasks share one process.
"""

import asyncio
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from jobs.worker.descriptors import Descriptors

logger = logging.getLogger(__name__)

SIGNALS: Final = [
    getattr(signal, name)
    for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGCHLD")
    if hasattr(signal, name)
]
LIMITS: Final = (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that belongs to the whole process, and that a task may leave changed."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    keep: Callable[[Any], Any] = _same
    """Makes of what was read something that no task can change."""
    quiet: bool = False
    """That it has changed is ordinary."""


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - at every run, and this is a tenth of the price
    except FileNotFoundError:
        return ""  # it was removed


def _environment() -> Mapping[bytes, bytes]:
    """The environment as `os` keeps it: comparing it so costs a hundredth of comparing `os.environ`."""
    found: Mapping[bytes, bytes] = vars(os.environb)["_data"]
    return found


def _set_environment(before: Mapping[bytes, bytes]) -> None:
    for name in os.environb.keys() - before.keys():
        del os.environb[name]
    for name, value in before.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    time.tzset()


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _alarm_is_set() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _set_alarm(before: bool) -> None:
    """An alarm that was set before cannot be wound back; one that the task leaves would strike the next."""
    if not before:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _set_handlers(before: list[Any]) -> None:
    for number, handler in zip(SIGNALS, before, strict=True):
        if handler is not None:  # set by a library in C: unknown to Python, so left as it is
            signal.signal(number, handler)


def _streams() -> tuple[Any, ...]:
    return sys.stdin, sys.stdout, sys.stderr, _is_closed(sys.stdout), _is_closed(sys.stderr)


def _is_closed(stream: Any) -> bool:
    return bool(getattr(stream, "closed", True))


def _set_streams(before: tuple[Any, ...]) -> None:
    sys.stdin, out, err, out_was_closed, err_was_closed = before
    sys.stdout = out if out_was_closed else _opened(out, 1)
    sys.stderr = err if err_was_closed else _opened(err, 2)


def _opened(stream: Any, descriptor: int) -> Any:
    """The stream, or another for the same descriptor. Celery's own, which writes into the log, opens by a word."""
    if not _is_closed(stream):
        return stream
    try:
        stream.closed = False
    except AttributeError:
        return open(descriptor, "w", buffering=1, closefd=False)
    return stream


def _collects() -> bool:
    return gc.isenabled()


def _set_collecting(before: bool) -> None:
    (gc.enable if before else gc.disable)()


def _logging() -> tuple[int, int, list[logging.Handler]]:
    root = logging.root
    return root.manager.disable, root.level, root.handlers[:]


def _set_logging(before: tuple[int, int, list[logging.Handler]]) -> None:
    logging.disable(before[0])
    logging.root.setLevel(before[1])
    logging.root.handlers[:] = before[2]


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in LIMITS]


def _set_limits(before: list[tuple[int, int]]) -> None:
    for limit, bounds in zip(LIMITS, before, strict=True):
        resource.setrlimit(limit, bounds)


def _loop_policy() -> Any:
    return vars(asyncio.events).get("_event_loop_policy")


def _set_loop_policy(before: Any) -> None:
    """Together with the loop that the task has made the current one, which may be closed by now."""
    vars(asyncio.events)["_event_loop_policy"] = before


TRAITS: Final = (
    Trait("a pending alarm", _alarm_is_set, _set_alarm),  # before the handlers: the default one ends the process
    Trait("signal handlers", _handlers, _set_handlers),
    Trait("the working directory", _working_directory, os.chdir),
    Trait("the environment", _environment, _set_environment, keep=dict),
    Trait("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    Trait("the umask", _umask, os.umask),
    Trait("the sockets' default timeout", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Trait("sys.stdout or sys.stderr", _streams, _set_streams),
    Trait("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Trait("logging", _logging, _set_logging),
    Trait("resource limits", _limits, _set_limits),
    Trait("garbage collection", _collects, _set_collecting),
    Trait("the running event loop", asyncio._get_running_loop, asyncio._set_running_loop),
    Trait("the event loop policy", _loop_policy, _set_loop_policy, quiet=True),
)


class CleanRoom:
    """Puts back what the tasks of this process change."""

    def __init__(self) -> None:
        self.lost = False
        """Whether a task has closed what ties this process to its parent, so that it can only end."""
        self._descriptors: Descriptors | None = None
        self._before: list[tuple[Trait, Any]] = []
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self._told: set[tuple[str, str]] = set()

    def open(self, **_: object) -> None:
        """Begin; Celery's `worker_process_init`, that is in a process that executes one task at a time."""
        self._descriptors = Descriptors.of_this_process()

    @contextmanager
    def entered(self, task: str) -> Iterator[None]:
        """Run a task's code inside, and afterwards put back what it has changed."""
        descriptors = self._descriptors
        if descriptors is None:
            yield
            return
        if not self._before:
            self._note()
        try:
            yield
        finally:
            if changed := self._put_back(descriptors):
                self._tell(task, ", ".join(changed))

    def _note(self) -> None:
        self._before = [(trait, trait.keep(trait.read())) for trait in TRAITS]
        self._threads.update(threading.enumerate())

    def _put_back(self, descriptors: Descriptors) -> list[str]:
        """What had changed. The descriptors first: until then no new file or connection may be opened."""
        changed = descriptors.put_back()
        self.lost = descriptors.lost
        for trait, before in self._before:
            if trait.read() != before:
                name = _written(trait, before)
                if not trait.quiet:
                    changed.append(name)
        return [*changed, *self._new_threads()]

    def _new_threads(self) -> list[str]:
        """A thread cannot be ended from outside, so it is only told of, once."""
        if threading.active_count() <= len(self._threads):
            return []
        new = [thread for thread in threading.enumerate() if thread not in self._threads]
        self._threads.update(new)
        return [f"the thread {thread.name} (still there)" for thread in new]

    def _tell(self, task: str, changed: str) -> None:
        if (task, changed) not in self._told:
            self._told.add((task, changed))
            logger.warning("the task %s left its process changed, which is put back: %s", task, changed)

    def end_if_lost(self) -> None:
        """End a process that cannot speak to its parent any more; the outcome is written, and the pool has others."""
        if self.lost:
            os._exit(1)


def _written(trait: Trait, before: Any) -> str:
    try:
        trait.write(before)
    except Exception as error:  # noqa: BLE001 - the rest is put back all the same
        return f"{trait.name} (which failed: {type(error).__name__}: {error})"
    return trait.name


@contextmanager
def one_process() -> Iterator[None]:
    """End any copy of this process that a task has forked inside, as it leaves: it must not go on as the worker."""
    pid = os.getpid()
    code: object = 1
    try:
        yield
        code = 0
    except SystemExit as error:
        code = error.code or 0
        raise
    finally:
        if os.getpid() != pid:
            os._exit(code if isinstance(code, int) else 1)


ROOM = CleanRoom()
"""This process's."""
