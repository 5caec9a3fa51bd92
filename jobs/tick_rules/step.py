"""What a rule looks like: asked once for a batch of jobs, it then changes, forbids or leaves each tick's run."""

from collections.abc import Callable

from jobs.births import Birth
from jobs.models import Job
from jobs.schedules import Schedule

Step = Callable[[Job, Schedule, Birth], Birth]


def leave(_job: Job, _schedule: Schedule, birth: Birth) -> Birth:
    """The step that changes nothing."""
    return birth
