"""The fixtures of the comparison, and its table at the end."""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from redis import Redis

from chaos.peers.peer import Peer
from chaos.peers.places import PROJECT, PYTHON
from chaos.peers.row import Note, Row, markdown, put
from chaos.table import machine
from chaos.world import World
from scheduler_project.embedded.postgres import Postgres

PROPERTY = "peers"
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peers-table", type=Path, default=None, help="write the comparison into this Markdown file")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [
        report for found in terminalreporter.stats.values() for report in found if getattr(report, "when", "") == "call"
    ]
    rows = [Row(**row) for report in reports for name, row in report.user_properties if name == PROPERTY]
    if not rows:
        return
    table = markdown(rows)
    terminalreporter.write_line(table)
    target: Path | None = config.getoption("--peers-table")
    if target is not None:
        target.write_text(put(f"Measured on {machine()}.\n\n{table}", target.read_text()))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Adds a row to the table."""

    def add(row: Row) -> None:
        request.node.user_properties.append((PROPERTY, asdict(row)))

    return add


@pytest.fixture
def carillon(transactional_db: None, redis: Redis, tmp_path: Path) -> Iterator[World]:
    """Carillon's beats and workers."""
    world = World(tmp_path, os.environ["REDIS_URL"])
    yield world
    world.close()


@pytest.fixture(scope="session")
def peers_tables(postgres_server: Postgres) -> str:
    """The name of a database with the tables of django-celery-beat, to be copied."""
    _make(postgres_server, "peers")
    environment = {
        **os.environ,
        "DATABASE_URL": postgres_server.url_of("peers"),
        "DJANGO_SETTINGS_MODULE": "peer_settings",
        "PYTHONPATH": str(PROJECT),
    }
    subprocess.run([str(PYTHON), "-m", "django", "migrate", "-v0"], cwd=PROJECT, env=environment, check=True)
    return "peers"


def _make(server: Postgres, name: str, template: str = "template1") -> None:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection.close()


@pytest.fixture
def make_peer(
    peers_tables: str, postgres_server: Postgres, redis: Redis, tmp_path: Path
) -> Iterator[Callable[..., Peer]]:
    """Makes a peer without processes yet."""
    made: list[Peer] = []

    def make(system: str, *, seconds: float = 0.05, acks_late: bool = False) -> Peer:
        name = f"peers_{next(_numbers)}"
        _make(postgres_server, name, peers_tables)
        peer = Peer(
            system,
            tmp_path,
            os.environ["REDIS_URL"],
            postgres_server.url_of(name),
            seconds=seconds,
            acks_late=acks_late,
        )
        made.append(peer)
        return peer

    yield make
    for peer in made:
        peer.close()
