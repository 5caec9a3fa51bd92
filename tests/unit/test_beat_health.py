"""A beat's note of its health, and the command that a container's health check asks."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from jobs.beat_health import HealthFile, beats


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """The folder of the notes."""
    settings.CARILLON = {"BEAT_DIR": str(tmp_path / "beats")}
    return tmp_path / "beats"


def write_note(folder: Path, pid: int, role: str, age: float) -> Path:
    """The note of a beat that is dead: nobody holds it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{pid}.json"
    path.write_text(json.dumps({"pid": pid, "role": role, "ticked_at": time.time() - age}))
    return path


Held = Callable[[int, str, float], None]


@pytest.fixture
def held_note(folder: Path) -> Iterator[Held]:
    """Makes notes of beats that live: each is held, as its beat would hold it."""
    with ExitStack() as stack:

        def hold(pid: int, role: str, age: float) -> None:
            fcntl.flock(stack.enter_context(write_note(folder, pid, role, age).open("rb")), fcntl.LOCK_EX)

        yield hold


def test_a_beat_s_note_tells_who_it_is_and_when_it_ticked(folder: Path) -> None:
    file = HealthFile()
    file.note("leader")
    (health,) = beats()
    assert (health.pid, health.role) == (os.getpid(), "leader")
    assert 0 <= health.age() < 5
    assert [path.name for path in folder.iterdir()] == [f"{os.getpid()}.json"]
    assert folder.stat().st_mode & 0o077 == 0
    file.remove()


def test_notes_are_not_written_at_every_round(folder: Path) -> None:
    file = HealthFile()
    file.note("leader")
    written = (folder / f"{os.getpid()}.json").stat().st_mtime_ns
    for _ in range(20):
        file.note("leader")
    assert (folder / f"{os.getpid()}.json").stat().st_mtime_ns == written
    file.remove()


def test_a_beat_that_ends_takes_its_note_away(folder: Path) -> None:
    file = HealthFile()
    file.note("standby")
    file.remove()
    file.remove()
    assert list(beats()) == []


def test_the_note_of_a_beat_that_was_killed_is_removed_though_its_pid_lives_on(folder: Path) -> None:
    path = write_note(folder, os.getpid(), "leader", 0)
    assert list(beats()) == []
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": 1}', '"text"'])
def test_a_note_that_is_not_ours_stops_nobody(folder: Path, text: str) -> None:
    file = HealthFile()
    file.note("leader")
    (folder / "stray.json").write_text(text)
    assert len(list(beats())) == 1
    file.remove()


def test_the_command_is_content_with_beats_that_ticked_lately(held_note: Held) -> None:
    held_note(os.getpid(), "leader", 1)
    held_note(os.getppid(), "standby", 2)
    out = StringIO()
    call_command("beat_health", stdout=out)
    assert f"beat {os.getpid()}: leader, ticked 1." in out.getvalue()
    assert f"beat {os.getppid()}: standby, ticked 2." in out.getvalue()


def test_the_command_fails_when_no_beat_runs() -> None:
    with pytest.raises(CommandError, match="no beat runs on this machine"):
        call_command("beat_health", stdout=StringIO())


def test_the_command_fails_when_one_of_the_beats_has_not_ticked_for_long(held_note: Held) -> None:
    held_note(os.getpid(), "leader", 1)
    held_note(os.getppid(), "standby", 11)
    with pytest.raises(CommandError, match="1 of 2 have not ticked for 10 s"):
        call_command("beat_health", stdout=StringIO())
    call_command("beat_health", "--max-age", "60", stdout=StringIO())


def test_a_clock_that_went_back_makes_no_beat_younger_than_new(held_note: Held) -> None:
    held_note(os.getpid(), "leader", -3600)
    (health,) = beats()
    assert health.age() == 0
