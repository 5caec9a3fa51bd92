"""The primary dies for good, and a standby that every commit waited for takes its place."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from chaos.proxy import Proxy
from chaos.standby import Standby
from chaos.world import World
from scheduler_project.embedded.postgres import Postgres
from tests.waiting import wait_until


@contextmanager
def this_process_goes_through(proxy: Proxy) -> Iterator[None]:
    """The scenario itself asks whichever server lives."""
    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = proxy.port
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port


def test_a_standby_is_promoted_when_the_primary_has_died(world: World, postgres_server: Postgres) -> None:
    world.findings.promise = "2"
    proxy = world.proxy("postgres")
    through = world.via(postgres=proxy)
    standby = Standby.of(postgres_server)
    try:
        with this_process_goes_through(proxy):
            world.worker(env=through)
            world.beat(env=through)
            world.beat(env=through)
            world.job()
            wait_until(lambda: len(world.seen("end")) > 3, 30, "runs are executed")
            connection.close()
            postgres_server.kill()
            standby.promote()
            proxy.target_port = standby.port
            proxy.reset()
            world.executes_again(60)
            assert world.finish().faults() == []
            for program in world.programs:
                program.kill()
    finally:
        standby.kill()
        if not postgres_server.running:
            postgres_server.start()
        standby.primary_waits("")
