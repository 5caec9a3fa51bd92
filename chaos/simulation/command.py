"""`python -m chaos.simulation`: many seeds, or one with its trace."""

import argparse
import sys
import time
from collections.abc import Sequence

from chaos.simulation.shrink import shrink, told
from chaos.simulation.simulate import simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Play seeds; 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m chaos.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one alone, and say what happened")
    parser.add_argument("--trace", action="store_true", help="with --seed: every step, and of a failure the shortest")
    asked = parser.parse_args(arguments)
    return _many(asked.first, asked.seeds) if asked.seed is None else _one(asked.seed, trace=asked.trace)


def _one(seed: int, *, trace: bool) -> int:
    history = simulate(seed, tracing=trace)
    sys.stdout.write(told(history))
    if history.broken and trace:
        sys.stdout.write(f"\nThe shortest that still breaks:\n\n{told(shrink(history))}")
    return bool(history.broken)


def _many(first: int, seeds: int) -> int:
    begun, broken, steps, runs = time.process_time(), 0, 0, 0
    for seed in range(first, first + seeds):
        history = simulate(seed)
        steps += history.steps
        runs += history.runs
        if history.broken:
            broken += 1
            sys.stdout.write(told(shrink(history)) + "\n")
            sys.stdout.flush()
    took = time.process_time() - begun
    sys.stdout.write(
        f"{seeds:,} seeds, {runs:,} rows, {steps:,} steps: {broken:,} broken; "
        f"{took:.1f} s of processor time, {seeds / max(took, 0.001):,.0f} seeds/s\n"
    )
    return bool(broken)
