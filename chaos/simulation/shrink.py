"""Shrinking: from a seed that breaks a promise to the fewest faults and the shortest time in which it still does.

Delta debugging (Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002) over the list of faults.
"""

from collections.abc import Callable, Sequence

from chaos.simulation.faults import Fault
from chaos.simulation.glue import Glue
from chaos.simulation.simulate import History, simulate

Breaks = Callable[[Sequence[Fault]], bool]
SHORTEST = 5_000


def shrink(history: History, glue: Glue | None = None) -> History:
    """The smallest history found of the same seed that breaks a promise too, with its trace."""
    if not history.broken:
        raise ValueError(f"seed {history.seed} breaks nothing")

    def play(faults: Sequence[Fault], until: int, *, tracing: bool = False) -> History:
        return simulate(history.seed, glue, faults=faults, horizon=until, tracing=tracing)

    faults, until = _fewest(history.faults, lambda few: bool(play(few, history.until).broken)), history.until
    while until // 2 > SHORTEST and play(faults, until // 2).broken:
        until //= 2
    while until - SHORTEST > 0 and play(faults, until - SHORTEST).broken:
        until -= SHORTEST
    faults = _fewest(faults, lambda few: bool(play(few, until).broken))
    return play(faults, until, tracing=True)


def _fewest(faults: Sequence[Fault], breaks: Breaks) -> tuple[Fault, ...]:
    """Leave out halves, quarters, ... and at last single faults, as long as it still breaks."""
    kept, parts = tuple(faults), 2
    if breaks(()):
        return ()
    while len(kept) > 1:
        size = -(-len(kept) // parts)
        rests = (kept[:begin] + kept[begin + size :] for begin in range(0, len(kept), size))
        smaller = next((rest for rest in rests if breaks(rest)), None)
        if smaller is not None:
            kept, parts = smaller, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(kept), parts * 2)
    return kept


def told(history: History) -> str:
    """A history as text: what was promised, what went wrong, and step by step how."""
    head = [
        f"seed {history.seed}: {history.broken or 'every promise was kept'}",
        f"{len(history.faults)} faults, jobs due for {history.until / 1000:g} s, {history.steps:,} steps",
        *(f"  {fault}" for fault in history.faults),
    ]
    return "\n".join([*head, *history.trace]) + "\n"
