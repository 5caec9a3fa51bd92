"""Supervised processes that outlived both their supervisor and its guard."""

from pathlib import Path

import psutil

PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
MARKS = {"SUPERVISOR_ENABLED": "1"}  # supervisord gives this to all its children


def end(home: Path) -> None:
    """Ends the processes of an earlier run on this data. To be called by the holder of the lock alone."""
    marks = MARKS | {"CARILLON_HOME": str(home)}
    left = [process for process in psutil.process_iter() if _environment(process).items() >= marks.items()]
    for process in left:
        process.terminate()
    for process in psutil.wait_procs(left, PATIENCE)[1]:
        process.kill()


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (OSError, psutil.Error):
        return {}  # gone, or not ours to look at and so not ours
