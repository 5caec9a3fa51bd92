"""Fixtures for tests on a real PostgreSQL and a real Redis."""

import os
from collections.abc import Iterator

import pytest
from redis import Redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    """An empty Redis."""
    client = Redis.from_url(os.environ["REDIS_URL"])
    client.flushall()
    yield client
    client.close()
