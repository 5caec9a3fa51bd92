"""The backup example: real pg_dump and pg_restore, on this run's own server."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from examples import postgres_tools
from examples.models import Contact
from examples.postgres_tools import ToolFailed, tools_for
from examples.tasks.backup import back_up_database
from scheduler_project.embedded.postgres import Postgres

# pg_dump has a connection of its own and sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def directory(settings: Settings, tmp_path: Path) -> Path:
    settings.EXAMPLES_DIR = tmp_path / "files"
    return tmp_path / "files"


def test_a_backup_can_be_restored(directory: Path, postgres_server: Postgres) -> None:
    Contact.objects.create(email="ana@example.org", name="Ana", team="Payments")

    result = back_up_database()

    dump = Path(result["file"])
    assert dump.parent == directory / "backups"
    assert dump.stat().st_size == result["bytes"] > 1000
    assert dump.stat().st_mode & 0o077 == 0
    assert result["tables"] > 10
    assert restored(dump, postgres_server) == "ana@example.org,Ana,Payments"


def restored(dump: Path, server: Postgres) -> str:
    """The contacts in a database made from the dump."""
    tools, environment = tools_for(connection), postgres_tools.environment(connection)
    subprocess.run([tools / "createdb", "restored"], env=environment, check=True)
    try:
        environment["PGDATABASE"] = "restored"
        subprocess.run(
            [tools / "pg_restore", "--exit-on-error", "--dbname=restored", dump], env=environment, check=True
        )
        query = "SELECT email, name, team FROM examples_contact"
        done = subprocess.run(
            [tools / "psql", "--csv", "--tuples-only", "-c", query], env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()
    finally:
        subprocess.run([tools / "dropdb", "--force", "restored"], env=environment, check=True)


def test_only_the_newest_of_a_label_are_kept(directory: Path) -> None:
    backups = directory / "backups"
    backups.mkdir(parents=True)
    names = [f"default-daily-2026110{day}T020000Z.dump" for day in range(1, 6)]
    other = "default-monthly-20260101T020000Z.dump"
    for name in (*names, other):
        (backups / name).write_text("an older dump")

    result = back_up_database(keep=3)

    assert result["removed"] == names[:3]
    assert sorted(path.name for path in backups.iterdir()) == [*names[3:], Path(result["file"]).name, other]


def test_a_draft_left_by_a_killed_process_is_removed(directory: Path) -> None:
    backups = directory / "backups"
    backups.mkdir(parents=True)
    for name, age in ((".draft-old", 90_000), (".draft-being-written", 0)):
        (backups / name).write_text("half")
        modified = (backups / name).stat().st_mtime - age
        os.utime(backups / name, (modified, modified))

    back_up_database()

    assert [path.name for path in backups.glob(".draft-*")] == [".draft-being-written"]


def test_a_failed_dump_leaves_nothing_and_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()  # ours is open; pg_dump's own is the one that fails
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    with pytest.raises(ToolFailed, match="no_such_database") as failure:
        back_up_database()
    assert connection.settings_dict["PASSWORD"] not in str(failure.value)
    assert list((directory / "backups").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": 0}, "keep: 0 is not in 1-10000"),
        ({"keep": True}, "keep: True is not a whole number"),
        ({"keep": "7"}, "keep: '7' is not a whole number"),
        ({"label": "../x"}, "label: '../x' is not a word"),
        ({"label": 1}, "label: 1 is not a word"),
        ({"database": "other"}, "database: 'other' is not one of default"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        back_up_database(**arguments)


def test_the_password_goes_by_environment_and_ours_does_not_mislead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere.example.org")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    settings = connection.settings_dict
    monkeypatch.setitem(settings, "OPTIONS", {"sslmode": "disable", "isolation_level": 4})

    environment = postgres_tools.environment(connection)

    assert environment["PGHOST"] == "127.0.0.1"
    assert environment["PGPASSWORD"] == settings["PASSWORD"]
    assert environment["PGSSLMODE"] == "disable"
    assert "PGSERVICE" not in environment
    assert "PGISOLATIONLEVEL" not in environment


def test_a_pg_dump_older_than_the_server_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools_for(connection).name == "bin"  # the embedded server's own

    monkeypatch.setattr(postgres_tools, "EMBEDDED", "no_such_package")
    with pytest.raises(ToolFailed, match=r"a pg_dump of version 16 or later is needed; .*/pg_dump is of version 9"):
        tools_for(connection)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ToolFailed, match="there is none on the PATH"):
        tools_for(connection)
