"""The peers under the faults of compare_carillon.py, with the same timing."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from chaos.peers.faults import (
    CUT_TASK,
    FLUSHED,
    KILLED,
    QUEUED,
    RESET,
    RESETS,
    RESTARTED,
    SETTLED,
    SPARE,
    WORKER_KILLED,
    away,
    between_resets,
    first_after,
    settled,
    through,
)
from chaos.peers.peer import DCB, REDBEAT, Peer
from chaos.peers.row import LIMIT, Note
from chaos.proxy import Proxy
from tests.process.system import Program
from tests.waiting import wait_until

MakePeer = Callable[..., Peer]
both = pytest.mark.parametrize("system", [DCB, REDBEAT])


def at_work(peer: Peer) -> Program:
    """A worker and a beat, with executions behind them; the beat."""
    peer.worker()
    beat = peer.beat()
    wait_until(lambda: len(peer.messages("end")) > 2, 40, "executions")
    return beat


@both
def test_the_leading_beat_is_killed_with_another_beside_it(make_peer: MakePeer, note: Note, system: str) -> None:
    peer = make_peer(system)
    leader = at_work(peer)
    peer.beat()
    settled()
    killed = time.monotonic()
    leader.kill()
    recovery = peer.sends_again(killed, LIMIT)
    settled()
    remark = "both beats sent every tick" if system == DCB else ""
    note(peer.row(KILLED, recovery, remark))


@both
def test_the_only_beat_is_killed_and_started_again(make_peer: MakePeer, note: Note, system: str) -> None:
    peer = make_peer(system)
    beat = at_work(peer)
    killed = time.monotonic()
    beat.kill()
    away()
    peer.beat()
    recovery = peer.sends_again(killed, LIMIT)
    settled()
    note(peer.row(RESTARTED, recovery))


@pytest.mark.parametrize("acks_late", [False, True], ids=["", "acks_late"])
@both
def test_the_worker_is_killed_while_it_executes(
    make_peer: MakePeer, note: Note, system: str, *, acks_late: bool
) -> None:
    peer = make_peer(system, seconds=CUT_TASK, acks_late=acks_late)
    peer.beat()
    worker = peer.worker()
    wait_until(lambda: len(peer.messages("end")) > 2 and peer.executing(), 40, "executions")
    cut = peer.executing()
    killed = time.monotonic()
    worker.kill()
    cut |= peer.executing() - peer.messages("end")
    peer.worker()
    done = peer.all_end(cut, LIMIT)
    note(peer.row(WORKER_KILLED, time.monotonic() - killed if done else None))


@both
def test_redis_is_flushed_with_messages_queued(make_peer: MakePeer, note: Note, redis: Redis, system: str) -> None:
    peer = make_peer(system)
    beat = peer.beat()
    wait_until(lambda: len(peer.messages("sent")) >= QUEUED, 40, "messages are queued")
    queued = peer.messages("sent")
    redis.flushall()
    flushed = time.monotonic()
    remark = ""
    while time.monotonic() < flushed + SETTLED and not remark:
        if not beat.running:
            peer.beat()
            remark = "its beat ended and was started again at once"
        time.sleep(0.1)
    peer.worker()
    done = peer.all_end(queued, LIMIT)
    note(peer.row(FLUSHED, time.monotonic() - flushed if done else None, remark))


@both
def test_connections_to_redis_are_reset_under_acks_late(make_peer: MakePeer, note: Note, system: str) -> None:
    peer = make_peer(system, seconds=CUT_TASK, acks_late=True)
    proxy = Proxy(int(peer.redis_url.rpartition(":")[2].partition("/")[0])).start()
    peer.beat()
    peer.worker(processes=SPARE, redis_url=through(peer.redis_url, proxy))
    wait_until(lambda: len(peer.messages("end")) > 2, 40, "executions")
    for _ in range(RESETS):
        wait_until(peer.executing, 20, "an execution")
        reset = time.monotonic()
        proxy.reset()
        between_resets()
    started = wait_until(lambda: first_after(reset, peer.seen("start")), 40, "executions again")
    note(peer.row(RESET, started - reset))
    peer.close()
    proxy.stop()
