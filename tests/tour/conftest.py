"""The tour uses the same real processes as the tests of the promises."""

from tests.process.conftest import redis, system

__all__ = ["redis", "system"]
