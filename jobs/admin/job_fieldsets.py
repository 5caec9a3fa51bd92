"""How the fields of a job are laid out on its page."""

from typing import Any

NOW = ("Now", {"fields": ("condition_told", "next_run_told", "latest", "changed", "created")})
WHAT = (None, {"fields": ("name", "description", "task", "args", "kwargs", "templated", "enabled")})
WHAT_MASKED = (None, {"fields": ("name", "description", "task", "args_shown", "kwargs_shown", "templated", "enabled")})
WHEN = (
    *("schedule", "timezone", "upcoming", "gap", "repeated", "starts_at", "ends_at"),
    *("calendar", "on_calendar", "jitter"),
)

FAILS = (
    "When it fails",
    {
        "fields": (
            *("retry_policy", "max_retries", "retry_delay", "retry_cap", "retry_jitter"),
            *("never_retry", "only_retry"),
        )
    },
)
LATE = (
    "When it is late, or still running",
    {"fields": ("overlap", "overlap_limit", "missed", "missed_limit", "grace", "expires")},
)
AFTER = ("After other jobs, and in parts", {"fields": ("upstream_rule", "jobs_after", "fan_out", "shards")})
LIMITS = (
    "How many at once",
    {"fields": ("max_running", "pool", "key", "key_limit"), "description": "Over all workers. Empty means any number."},
)
BREAKER = (
    "Circuit breaker",
    {
        "fields": (
            *("circuit_told", "breaker_failures", "breaker_percent", "breaker_window"),
            *("breaker_exceptions", "breaker_pause"),
        ),
        "description": "Pauses the job by itself when it keeps failing. Empty means that it never does.",
        "classes": ("collapse",),
    },
)
HOW = ("How it is run and kept", {"fields": ("queue", "priority", "timeout", "keep"), "classes": ("collapse",)})

RULES: tuple[Any, ...] = (FAILS, LATE, AFTER, LIMITS, BREAKER, HOW)
