"""Named points in the flow at which the fault suite may stop, kill or break the process.

Nothing in the product sets `hook`, and no setting or variable of the product's does: the fault suite brings its own
settings module, which does. Without it a point costs one comparison.
"""

from collections.abc import Callable

hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Pass the point of this name."""
    if hook is not None:
        hook(name)
