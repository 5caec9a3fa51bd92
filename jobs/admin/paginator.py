"""A paginator that never counts a whole table."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

CAP = 10_000
"""How many rows are counted and can be paged through; whoever looks for more than that needs a filter."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to CAP rows. The queryset's order is kept in the count, so that it follows an index."""

    @cached_property
    def counted(self) -> int:
        """The number of rows, or CAP + 1 when there are more than CAP."""
        rows: Any = self.object_list
        return int(rows.values("pk")[: CAP + 1].count())

    @cached_property
    def count(self) -> int:
        """The number of rows that can be paged through."""
        return min(self.counted, CAP)

    @property
    def capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return self.counted > CAP
