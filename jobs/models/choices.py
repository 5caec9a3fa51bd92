"""The policies a job may choose from."""

from django.db.models import TextChoices


class Overlap(TextChoices):
    """What to do with a tick that comes while an earlier run of the job is still live."""

    ALLOW = "allow", "Start another run"
    SKIP = "skip", "Skip the tick"
    QUEUE_ONE = "queue_one", "Let one run wait, skip further ticks"
    QUEUE_ALL = "queue_all", "Let the runs wait, one after the other"
    REPLACE = "replace", "Cancel the earlier run, then start"


class Missed(TextChoices):
    """What to do with ticks that could not be run within the grace."""

    SKIP = "skip", "Skip them all"
    LATEST = "latest", "Run the latest one, skip the others"
    EARLIEST = "earliest", "Run the earliest one, skip the others"
    ALL = "all", "Run them all, up to the limit"


class RetryPolicy(TextChoices):
    """How the delay before the next attempt grows."""

    NONE = "none", "Do not retry"
    IMMEDIATE = "immediate", "Retry at once"
    FIXED = "fixed", "Retry after a fixed delay"
    EXPONENTIAL = "exponential", "Retry with exponential backoff"


class Gap(TextChoices):
    """What becomes of a fixed time that the clock skips when it goes forward."""

    AFTER = "after", "Run right after the gap"
    SKIP = "skip", "Skip it"


class Repeated(TextChoices):
    """What becomes of a fixed time that comes twice when the clock goes back."""

    FIRST = "first", "Run the first time"
    SECOND = "second", "Run the second time"
    BOTH = "both", "Run both times"


class OnCalendar(TextChoices):
    """What becomes of a tick that falls into what the job's calendar blocks. One run makes up for a blocked stretch."""

    SKIP = "skip", "Skip it"
    POSTPONE = "postpone", "Run once when the block ends"
    BEFORE = "before", "Run once right before the block begins"


class UpstreamRule(TextChoices):
    """When a job runs after its upstreams have ended."""

    ALL_SUCCEEDED = "all_succeeded", "all have succeeded"
    ALL_DONE = "all_done", "all have ended, however"
    ANY_FAILED = "any_failed", "any has failed"


class FanOut(TextChoices):
    """Into how many runs a tick is split."""

    ONE = "one", "one run"
    SHARDS = "shards", "shards"
    WORKERS = "workers", "one run on each live worker"


class Circuit(TextChoices):
    """How a circuit breaker stands."""

    CLOSED = "closed", "Closed"
    OPEN = "open", "Open"
    HALF_OPEN = "half_open", "Half open"


class Adjust(TextChoices):
    """What somebody decides for a single tick."""

    SKIP = "skip", "Skip"
    SNOOZE = "snooze", "Run later"
    ARGUMENTS = "arguments", "Other arguments"
    EARLY = "early", "Run early"


class Redo(TextChoices):
    """Which ticks of a backfill's range are run though they have a run already."""

    NONE = "none", "none"
    FAILED = "failed", "those that failed or did not run"
    ALL = "all", "all"


class BackfillOrder(TextChoices):
    """Which ticks of a backfill go first."""

    OLDEST = "oldest", "oldest first"
    NEWEST = "newest", "newest first"


class BackfillState(TextChoices):
    """How a backfill stands."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    CANCELLED = "cancelled", "Cancelled"
    DONE = "done", "Done"


class CanaryState(TextChoices):
    """How a canary stands."""

    RUNNING = "running", "Running"
    PROMOTED = "promoted", "Promoted"
    REVERTED = "reverted", "Reverted"


class UpstreamState(TextChoices):
    """Whether a run waits for its job's upstreams. Empty for a run that has nothing to do with any."""

    PENDING = "pending", "Waits for its upstreams"
    MET = "met", "The upstreams' rule was met"
    UNMET = "unmet", "The upstreams' rule cannot be met"
