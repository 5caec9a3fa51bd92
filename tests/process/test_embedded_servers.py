"""The embedded PostgreSQL and Redis: start, stop, crash, and what they leave behind."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from redis import Redis as Client

from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.ports import is_free, random_free
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis
from scheduler_project.embedded.server import CHECKOUT, Server, ServerFailed
from tests.waiting import wait_until

KINDS: list[type[Postgres] | type[Redis]] = [Postgres, Redis]


@pytest.fixture
def guard() -> Iterator[Guard]:
    """Stops whatever a failed test leaves running."""
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for a server's data, with a space in its path and closed to other accounts."""
    return tmp_path / "a place"


def write(server: Server, value: str) -> None:
    """Stores a value durably."""
    if isinstance(server, Postgres):
        with psycopg2.connect(server.url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            cursor.execute("INSERT INTO kept VALUES (%s)", [value])
        connection.close()
    else:
        with Client.from_url(server.url) as client:
            client.config_set("appendfsync", "always")
            client.rpush("kept", value)


def values(server: Server) -> list[str]:
    """What was stored."""
    if isinstance(server, Postgres):
        with psycopg2.connect(server.url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT value FROM kept")
            found = [value for (value,) in cursor.fetchall()]
        connection.close()
        return found
    with Client.from_url(server.url, decode_responses=True) as client:
        return list(client.lrange("kept", 0, -1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_keeps_its_data_over_a_stop_a_crash_and_a_new_port(
    kind: type[Postgres] | type[Redis], folder: Path, guard: Guard
) -> None:
    server = kind(folder, random_free(), guard)
    server.start()
    write(server, "before the restart")
    server.restart()
    write(server, "before the crash")
    server.kill()
    assert not server.running
    server.start()
    write(server, "before the move")
    server.stop()
    assert is_free(server.port)
    moved = kind(folder, random_free(), guard)
    moved.start()
    assert values(moved) == ["before the restart", "before the crash", "before the move"]
    moved.stop()
    assert moved.pid is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_left_over_from_a_killed_run_is_ended_by_the_next_start(
    kind: type[Postgres] | type[Redis], folder: Path, guard: Guard
) -> None:
    port = random_free()
    left = kind(folder, port, guard)
    left.start()
    old = left.pid
    again = kind(folder, port, guard)
    assert again.pid == old
    again.start()
    assert again.pid not in (None, old)
    again.stop()
    left.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_pid_file_that_names_a_stranger_is_not_believed(
    kind: type[Postgres] | type[Redis], folder: Path, guard: Guard
) -> None:
    server = kind(folder, random_free(), guard)
    server.start()
    server.stop()
    server.pid_file.write_text(f"{os.getpid()}\n")
    assert server.pid is None
    server.start()
    server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_paused_server_runs_but_does_not_answer(
    kind: type[Postgres] | type[Redis], folder: Path, guard: Guard
) -> None:
    server = kind(folder, random_free(), guard)
    server.start()
    server.pause()
    assert server.running
    with pytest.raises(server.not_ready):
        server.ping()
    server.resume()
    server.ping()
    server.pause()
    server.stop()
    assert not server.running


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_in_use_is_a_clear_failure(
    kind: type[Postgres] | type[Redis], folder: Path, guard: Guard, redis_server: Redis
) -> None:
    with pytest.raises(ServerFailed, match=rf"stopped while starting on port {redis_server.port}(.|\n)*in use"):
        kind(folder, redis_server.port, guard).start()


def test_only_the_password_opens_them(postgres_server: Postgres, redis_server: Redis) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgres_server.url.replace(postgres_server.password, "guess"))
    with (
        Client.from_url(redis_server.url.replace(redis_server.password, "guess")) as client,
        pytest.raises(redis_server.not_ready, match="invalid username-password pair"),
    ):
        client.ping()
    for server in (postgres_server, redis_server):
        assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
        assert server.password not in " ".join(server.command())


@pytest.mark.parametrize("name", ["postgres_server", "redis_server"])
def test_they_listen_on_the_loopback_address_alone(name: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    connections = psutil.Process(server.pid).net_connections(kind="all")
    assert {each.laddr for each in connections if each.status == psutil.CONN_LISTEN} == {("127.0.0.1", server.port)}


def test_an_interrupted_initialization_is_repeated(folder: Path, guard: Guard) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("16\n")
    server = Postgres(folder, random_free(), guard, durable=False)
    server.start()
    server.stop()


def test_the_guard_ends_the_servers_of_a_killed_process(folder: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from scheduler_project.embedded.temporary import TemporaryServers
        servers = TemporaryServers()
        servers.start()
        print(servers.postgres.pid, servers.redis.pid, servers.directory, flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        postgres, redis, directory = parent.stdout.readline().strip().split(" ", 2)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(int(postgres)), 15, "PostgreSQL has gone")
    wait_until(lambda: not psutil.pid_exists(int(redis)), 15, "Redis has gone")
    wait_until(lambda: not Path(directory).exists(), 15, "the directory has been removed")
