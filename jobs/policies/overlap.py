"""The overlap policy: whether a tick may start a run while an earlier one is live."""

from uuid import UUID


def reason_to_skip(kind: str, live: UUID | None) -> str:
    """Why a tick is skipped, or an empty text when it may run. `live` is a run of the job that has not ended."""
    if kind == "skip" and live is not None:
        return f"the earlier run {live} had not ended"
    return ""
