"""Put on the PYTHONPATH of a process, this sets its clock apart by SKEW seconds."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(os.environ["SKEW"])), tick=True).start()
