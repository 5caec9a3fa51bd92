"""The errors Carillon raises; each class's docstring is its meaning."""


class CarillonError(Exception):
    """The root of Carillon's own errors."""


class ConfigurationError(CarillonError):
    """A value in settings.CARILLON is unknown or out of range."""


class BrokerUnavailable(CarillonError):
    """Messages could not be handed to Redis; they may have arrived all the same."""


class TaskMemoryError(CarillonError):
    """The task ran out of memory. Celery would end the whole worker for a bare MemoryError."""


class TaskExited(CarillonError):
    """The task called sys.exit() or was interrupted. Celery would end the pool process for a bare SystemExit."""


class TaskRejected(CarillonError):
    """The task raised Celery's Reject."""


class RetriesRefused(CarillonError):
    """The task asked for a retry that the job's retry policy does not grant."""
