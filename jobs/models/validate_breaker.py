"""What is wrong with a circuit breaker's fields, asked when a job or a pool is saved by a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.policies.retry import no_class_names

if TYPE_CHECKING:
    from jobs.models.breaker import Breaker


def breaker_problems(breaker: Breaker) -> dict[str, str]:
    """What would keep it from doing what it says, by field."""
    if wrong := no_class_names(breaker.breaker_exceptions):
        return {"breaker_exceptions": f"{', '.join(wrong)}: not the name of an exception's class"}
    if breaker.breaker_exceptions.strip() and breaker.breaker_failures is None and breaker.breaker_percent is None:
        return {"breaker_exceptions": "counts for nothing without failures in a row, or per cent of failures"}
    return {}
