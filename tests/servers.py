"""The pytest plugin that gives a test run its own PostgreSQL and Redis.

Their addresses are in the environment before Django's settings are read. The servers themselves start if a
selected test needs them (all outside tests/unit do), and the whole run fails if they cannot.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis
from scheduler_project.embedded.server import ServerFailed
from scheduler_project.embedded.temporary import TemporaryServers

UNIT = Path(__file__).parent / "unit"
SERVERS = pytest.StashKey[TemporaryServers]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Points the project at this run's servers, before pytest-django reads its settings."""
    servers = TemporaryServers()
    early_config.stash[SERVERS] = servers
    os.environ.update(servers.environment)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(servers.directory)  # for tmp_path: /tmp may be small
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Starts the servers if a selected test needs them."""
    if session.config.option.collectonly or all(UNIT in item.path.parents for item in session.items):
        return
    try:
        session.config.stash[SERVERS].start()
    except ServerFailed as failure:
        pytest.exit(f"the tests need their servers, and {failure}", returncode=3)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the servers and removes their data."""
    config.stash[SERVERS].stop()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Postgres:
    """This run's PostgreSQL, to be stopped, killed, paused and restarted on the same port and data."""
    return pytestconfig.stash[SERVERS].postgres


@pytest.fixture(scope="session")
def redis_server(pytestconfig: pytest.Config) -> Redis:
    """This run's Redis; it has no append-only file, so a restart empties it."""
    return pytestconfig.stash[SERVERS].redis
