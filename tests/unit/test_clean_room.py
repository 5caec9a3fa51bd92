"""The clean room: what a task changed of its process is put back, told of once, and the rest is left alone."""

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
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.worker.clean_room import TRAITS, CleanRoom
from jobs.worker.descriptors import Descriptors

TOLD = "the task careless left its process changed, which is put back:"
NO_DESCRIPTORS = Descriptors({}, {}, {})


def reading() -> dict[str, object]:
    """What the process is like, but for what pytest itself notes in the environment."""
    found = {trait.name: trait.keep(trait.read()) for trait in TRAITS if not trait.quiet}
    del found["the environment"]
    return found | {"variables": {name: os.environ[name] for name in os.environ if name != "PYTEST_CURRENT_TEST"}}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[CleanRoom]:
    """A clean room in the tests' own process, for a test that begins with a task that does nothing."""
    monkeypatch.setattr(Descriptors, "of_this_process", lambda: NO_DESCRIPTORS)
    room = CleanRoom()
    room.open()
    alarm, interval = signal.setitimer(signal.ITIMER_REAL, 0)  # the one by which pytest ends a test that hangs
    before = reading()
    yield room
    after = reading()
    signal.setitimer(signal.ITIMER_REAL, alarm, interval)
    assert after == before


def run(room: CleanRoom, task: Callable[[], object] = lambda: None) -> None:
    """Execute a task."""
    with room.entered("careless"):
        task()


def remove_the_working_directory(folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def change_the_environment(_: Path) -> None:
    os.environ["CLEAN_ROOM"] = "added"
    os.environ["PATH"] = "changed"
    del os.environ["DATABASE_URL"]


LOOP = asyncio.new_event_loop()
CHANGES: dict[str, Callable[[Path], object]] = {
    "the working directory": os.chdir,
    "the environment": change_the_environment,
    "the locale": lambda _: locale.setlocale(
        locale.LC_ALL, "C" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8"
    ),
    "the umask": lambda _: os.umask(0o777),
    "signal handlers": lambda _: signal.signal(signal.SIGTERM, lambda *_: None),
    "a pending alarm": lambda _: signal.alarm(100),
    "the sockets' default timeout": lambda _: socket.setdefaulttimeout(0.5),
    "the recursion limit": lambda _: sys.setrecursionlimit(500),
    "garbage collection": lambda _: gc.disable(),
    "logging": lambda _: logging.disable(logging.CRITICAL),
    "resource limits": lambda _: resource.setrlimit(
        resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    ),
    "sys.stdout or sys.stderr": lambda _: setattr(sys, "stdout", None),
    "the running event loop": lambda _: asyncio._set_running_loop(LOOP),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_task_changes_is_put_back_and_told_of_once(
    room: CleanRoom, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(room)
    for _ in range(2):
        run(room, lambda: CHANGES[name](tmp_path))
    assert [record.message for record in caplog.records] == [f"{TOLD} {name}"]


def test_a_task_that_fails_is_cleaned_up_after_as_well(room: CleanRoom, tmp_path: Path) -> None:
    def change_and_fail() -> None:
        os.chdir(tmp_path)
        raise KeyboardInterrupt

    run(room)
    with pytest.raises(KeyboardInterrupt):
        run(room, change_and_fail)


def test_a_working_directory_that_is_gone_is_left(room: CleanRoom, tmp_path: Path) -> None:
    run(room)
    run(room, lambda: remove_the_working_directory(tmp_path))


def test_what_cannot_be_put_back_keeps_nothing_else_from_it(
    room: CleanRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    run(room)
    gone.rmdir()
    os.chdir(tmp_path)
    run(room, lambda: socket.setdefaulttimeout(7))
    assert socket.getdefaulttimeout() is None
    assert f"{TOLD} the working directory (which failed: FileNotFoundError" in caplog.text
    monkeypatch.undo()


def test_a_closed_default_loop_is_not_the_next_task_s(room: CleanRoom) -> None:
    def close_the_loop() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.close()

    run(room)
    run(room, close_the_loop)
    assert asyncio.run(asyncio.sleep(0, "awake")) == "awake"


def test_a_thread_that_is_left_behind_is_named_once(room: CleanRoom, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="straggler")
    run(room)
    run(room, thread.start)
    run(room)
    stop.set()
    thread.join()
    assert [record.message for record in caplog.records] == [f"{TOLD} the thread straggler (still there)"]


def test_without_processes_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pool of threads another task may need what this one has changed."""
    monkeypatch.chdir(Path.cwd())
    run(CleanRoom(), lambda: os.chdir(tmp_path))
    assert Path.cwd() == tmp_path


def test_looking_whether_anything_has_changed_costs_next_to_nothing() -> None:
    """About 20 µs; the bound leaves room for a busy machine."""
    room = CleanRoom()
    room.open()
    seconds = min(timeit.repeat(lambda: run(room), number=1000, repeat=5)) / 1000
    sys.stdout.write(f"{seconds * 1e6:.1f} µs\n")
    assert seconds < 100e-6
