"""Fixtures for tests with real beats and workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.process.system import System


@pytest.fixture
def redis() -> Iterator[Redis]:
    """An empty Redis."""
    client = Redis.from_url(os.environ["REDIS_URL"])
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def system(transactional_db: None, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """A system without processes yet."""
    system = System(tmp_path, os.environ["REDIS_URL"])
    yield system
    system.close()
