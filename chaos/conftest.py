"""The fixture and the table of the fault suite."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from chaos.table import PROPERTY, add_option, noted, write
from chaos.world import World
from tests.process.conftest import redis

__all__ = ["redis"]

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    add_option(parser)
    parser.addoption("--minutes", type=float, default=5.0, help="how long the soak lasts")
    parser.addoption("--seed", type=int, default=1, help="from which the soak draws its faults")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the scenarios among all tests. One may take longer than a test; and a soak as long as it was told to."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.scenario)
            soak = 60 * config.getoption("--minutes") * ("soak" in item.path.parts)
            item.add_marker(pytest.mark.timeout(300 + soak))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    write(terminalreporter, config.getoption("--table"))


@pytest.fixture
def world(transactional_db: None, redis: Redis, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world without processes yet. At the end of the test its row of the table is noted."""
    world = World(tmp_path, os.environ["REDIS_URL"])
    yield world
    world.close()
    request.node.user_properties.append((PROPERTY, noted(world.findings)))
