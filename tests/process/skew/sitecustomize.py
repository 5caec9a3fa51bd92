"""Put on the PYTHONPATH of a process, this sets its clock apart by SKEW seconds; by SKEW_JUMP it jumps to and fro."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine


def _jump(traveller: Any, seconds: float) -> None:
    while True:
        time.sleep(2)
        traveller.shift(seconds)
        seconds = -seconds


_apart = timedelta(seconds=float(os.environ["SKEW"]))
_traveller = time_machine.travel(datetime.now(UTC) + _apart, tick=True).start()
if "SKEW_JUMP" in os.environ:
    threading.Thread(target=_jump, args=(_traveller, float(os.environ["SKEW_JUMP"])), daemon=True).start()
