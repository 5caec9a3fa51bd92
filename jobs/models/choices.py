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
