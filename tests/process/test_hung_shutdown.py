"""A worker whose shutdown never ends, though it has nothing more to do, ends itself."""

import signal
import time

from jobs.models import Worker
from tests.process.system import System
from tests.process.test_worker_deaths import FAST
from tests.waiting import wait_until


def test_a_worker_that_hangs_in_its_shutdown_ends_itself(system: System) -> None:
    worker = system.worker(env={"HANG_IN_SHUTDOWN": "1"}, carillon=FAST)
    worker.signal(signal.SIGTERM)
    asked = time.monotonic()
    wait_until(lambda: not worker.running, 30, "it has ended")
    assert time.monotonic() - asked >= 9, "it was given time to end as it should"
    assert "hangs in its shutdown" in worker.text()
    assert worker.wait() == 0
    assert not Worker.objects.exists()
