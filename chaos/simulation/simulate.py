"""One seed: what happened in it, and which promise was broken, if any."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.simulation import faults as plan
from chaos.simulation.engine import Engine
from chaos.simulation.faults import Fault
from chaos.simulation.glue import Glue
from chaos.simulation.witness import Broken
from chaos.simulation.world import World


@dataclass(frozen=True, slots=True)
class History:
    """What became of a seed."""

    seed: int
    broken: str
    """The first broken promise, or an empty text."""
    steps: int
    runs: int
    until: int
    faults: tuple[Fault, ...]
    trace: tuple[str, ...] = ()


def simulate(
    seed: int,
    glue: Glue | None = None,
    *,
    faults: Sequence[Fault] | None = None,
    horizon: int | None = None,
    tracing: bool = False,
) -> History:
    """Play one seed to its end or to the first broken promise.

    With `faults` only these befall it, and with `horizon` its jobs are due for so many milliseconds only.
    """
    engine = Engine(seed, tracing=tracing)
    world = World(engine, glue or Glue(), horizon)
    drawn = plan.draw(engine.random, world.database.jobs[0].spec.times, world.until)
    chosen = drawn if faults is None else tuple(faults)
    broken = ""
    try:
        world.begin(chosen)
        engine.run()
    except Broken as broke:
        broken = str(broke)
    trace = tuple(engine.trace or ())
    return History(seed, broken, engine.steps, len(world.database.runs), world.until, chosen, trace)
