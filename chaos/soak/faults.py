"""The faults of the soak: each is done to a running system, which then has to get over it by itself."""

import random
import time
from collections.abc import Callable, Mapping

from django.db import connection
from redis import Redis

from chaos.proxy import Proxy
from chaos.world import World
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.process.system import Program

OTHERS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Victims:
    """The programs and servers of a soak, kept alive by it as a supervisor would."""

    def __init__(self, world: World, postgres: Postgres, redis: RedisServer, client: Redis) -> None:
        self.world, self.postgres, self.redis, self.client = world, postgres, redis, client
        self.to_postgres, self.to_redis = world.proxy("postgres"), world.proxy("redis")
        self.beats: list[Program] = []
        self.workers: list[Program] = []
        self.restarts = 0

    def supervise(self) -> None:
        """Start what has ended: two beats and two workers, one of each behind the proxies."""
        for programs, start in ((self.beats, self.world.beat), (self.workers, self.world.worker)):
            ended = [program for program in programs if not program.running]
            self.restarts += len(ended)
            for program in ended:
                programs.remove(program)
            while len(programs) < 2:
                through = self.world.via(self.to_postgres, self.to_redis) if len(programs) else {}
                programs.append(start(env=through))

    def wake(self) -> None:
        """End every fault that lasts."""
        for proxy in (self.to_postgres, self.to_redis):
            proxy.hole = proxy.refuse = proxy.deaf = False
            proxy.delay = 0.0
            proxy.reset()
        for program in (*self.beats, *self.workers):
            if program.running:
                program.thaw()


def _last(seconds: float) -> None:
    time.sleep(seconds)  # the fault itself


def kill_a_beat(victims: Victims, chance: random.Random) -> None:
    chance.choice(victims.beats).kill()


def kill_a_worker(victims: Victims, chance: random.Random) -> None:
    chance.choice(victims.workers).kill()


def kill_a_pool_process(victims: Victims, chance: random.Random) -> None:
    children = chance.choice(victims.workers).children()
    if children:
        chance.choice(children).kill()


def freeze_a_program(victims: Victims, chance: random.Random) -> None:
    program = chance.choice([*victims.beats, *victims.workers])
    program.freeze()
    _last(chance.choice((2, 8, 20)))
    program.thaw()


def stop_a_program(victims: Victims, chance: random.Random) -> None:
    chance.choice([*victims.beats, *victims.workers]).stop(40)


def flush_redis(victims: Victims, chance: random.Random) -> None:
    victims.client.flushall()


def restart_redis(victims: Victims, chance: random.Random) -> None:
    victims.redis.kill()
    _last(chance.uniform(0, 3))
    victims.redis.start()


def freeze_redis(victims: Victims, chance: random.Random) -> None:
    victims.redis.pause()
    _last(chance.choice((1, 5, 10)))
    victims.redis.resume()


def restart_postgres(victims: Victims, chance: random.Random) -> None:
    connection.close()
    victims.postgres.kill()
    victims.postgres.start()


def freeze_postgres(victims: Victims, chance: random.Random) -> None:
    connection.close()
    victims.postgres.pause()
    _last(chance.choice((1, 5, 16)))
    victims.postgres.resume()


def end_backends(victims: Victims, chance: random.Random) -> None:
    with connection.cursor() as cursor:
        for _ in range(5):
            cursor.execute(OTHERS)
            if pids := sorted(pid for (pid,) in cursor.fetchall()):
                cursor.execute("SELECT pg_terminate_backend(%s)", [chance.choice(pids)])
            _last(0.2)


def _proxy(victims: Victims, chance: random.Random) -> Proxy:
    return chance.choice([victims.to_postgres, victims.to_redis])


def reset_connections(victims: Victims, chance: random.Random) -> None:
    _proxy(victims, chance).reset()


def black_hole(victims: Victims, chance: random.Random) -> None:
    proxy = _proxy(victims, chance)
    proxy.hole = True
    _last(chance.choice((2, 8, 20)))
    proxy.hole = False
    proxy.reset()


def cut_after_commit(victims: Victims, chance: random.Random) -> None:
    victims.to_postgres.cut_when = lambda chunk: b"COMMIT" in chunk


FAULTS: Mapping[str, Callable[[Victims, random.Random], None]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        kill_a_beat,
        kill_a_worker,
        kill_a_pool_process,
        freeze_a_program,
        stop_a_program,
        flush_redis,
        restart_redis,
        freeze_redis,
        restart_postgres,
        freeze_postgres,
        end_backends,
        reset_connections,
        black_hole,
        cut_after_commit,
    )
}
