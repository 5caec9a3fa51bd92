"""PostgreSQL's percentile_cont as a Django aggregate."""

from typing import Any

from django.db.models import Aggregate


class Percentile(Aggregate):
    """The value below which the `fraction` of the values lie, interpolated; works on numbers and on intervals."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, fraction: float, **extra: Any) -> None:
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction: {fraction!r} is not between 0 and 1")
        super().__init__(expression, fraction=repr(float(fraction)), **extra)
