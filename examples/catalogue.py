"""The example jobs, as data: what each one is called, runs, and when."""

from dataclasses import dataclass, field
from typing import Any, Final

from jobs.models.choices import Missed, RetryPolicy

DAY, HOUR, MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class Example:
    """A job to load; `fields` are those of Job that differ from its defaults."""

    name: str
    description: str
    task: str
    schedule: str
    timezone: str = "UTC"
    kwargs: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    at_once: bool = False
    """Whether it also runs when it is loaded, so that there is something to see."""


EXAMPLES: Final = (
    Example(
        "Check the endpoints",
        "Asks this project's own web and Flower, or the endpoints in its arguments, and fails when one is down.",
        "examples.check_endpoints",
        "@every 1m",
        kwargs={"timeout": 5},
        fields={
            "timeout": MINUTE,
            "expires": MINUTE,
            "retry_policy": RetryPolicy.FIXED,
            "max_retries": 2,
            "retry_delay": 5,
            "retry_jitter": False,
            "missed": Missed.SKIP,
            "grace": 30,
            "keep": 7,
        },
    ),
    Example(
        "Ask an unreliable upstream (demonstration)",
        "Fails twice and succeeds at the third attempt, to show exponential backoff: 2 s, then 4 s. It asks nobody.",
        "examples.ask_unreliable_upstream",
        "*/2 * * * *",
        kwargs={"failures": 2},
        fields={
            "timeout": 30,
            "retry_delay": 2,
            "retry_cap": MINUTE,
            "retry_jitter": False,
            "missed": Missed.SKIP,
            "keep": 1,
        },
        at_once=True,
    ),
    Example(
        "Back up the database",
        "Dumps the database with pg_dump, checks the dump and keeps the newest seven.",
        "examples.back_up_database",
        "H 2 * * *",
        timezone="Europe/Riga",
        kwargs={"keep": 7, "label": "daily"},
        fields={"timeout": HOUR, "retry_delay": MINUTE, "retry_cap": 15 * MINUTE, "grace": 6 * HOUR, "priority": 2},
        at_once=True,
    ),
    Example(
        "Back up the database for the archive",
        "The last Friday's backup of each month, of which a year's are kept.",
        "examples.back_up_database",
        "0 30 22 ? * FRIL",
        timezone="Europe/Riga",
        kwargs={"keep": 12, "label": "monthly"},
        fields={"timeout": HOUR, "retry_delay": MINUTE, "retry_cap": 15 * MINUTE, "grace": DAY, "keep": 400},
    ),
    Example(
        "Report yesterday's runs",
        "Writes a CSV file with each job's runs, failures, durations and lateness of the day before, in New York.",
        "examples.report_runs",
        "5 0 * * *",
        timezone="America/New_York",
        kwargs={"timezone": "America/New_York"},
        fields={"timeout": 10 * MINUTE, "retry_delay": MINUTE, "grace": DAY},
    ),
    Example(
        "Clear expired sessions",
        "Removes the admin's sessions that have expired.",
        "examples.clear_expired_sessions",
        "@hourly",
        fields={"timeout": 5 * MINUTE, "retry_policy": RetryPolicy.NONE, "grace": HOUR, "keep": 7},
        at_once=True,
    ),
    Example(
        "Prune the reports",
        "Removes reports older than 90 days, and the oldest ones when together they take more than 100 MB.",
        "examples.prune_directory",
        "30 3 * * MON-FRI",
        timezone="Europe/Riga",
        kwargs={"path": "reports", "max_age_days": 90, "max_megabytes": 100},
        fields={"timeout": 10 * MINUTE, "retry_policy": RetryPolicy.IMMEDIATE, "max_retries": 1, "grace": HOUR},
    ),
    Example(
        "Sync the contacts",
        "Makes the table of contacts the same as contacts.csv in the examples' folder. Edit the file and watch.",
        "examples.sync_contacts",
        "30 */5 * * * *",
        timezone="Asia/Kolkata",
        kwargs={"path": "contacts.csv"},
        fields={
            "timeout": MINUTE,
            "retry_policy": RetryPolicy.NONE,
            "max_retries": 0,
            "missed": Missed.SKIP,
            "keep": 3,
        },
        at_once=True,
    ),
)
