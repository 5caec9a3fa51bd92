"""How sets of numbers read in English."""

from collections.abc import Sequence

# More than so many are not listed one by one if a shorter wording says the same.
MANY = 6


def join(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def progression(values: Sequence[int]) -> int:
    """The step between sorted values if it is the same all along and there are at least three, else 0."""
    step = values[1] - values[0] if len(values) > 2 else 0
    return step if step and list(values) == list(range(values[0], values[-1] + 1, step)) else 0


def even_step(values: Sequence[int], cycle: int) -> int:
    """The step of values that begin with 0 and go on evenly from one cycle to the next, else 0."""
    step = cycle // len(values)
    return step if len(values) > 1 and list(values) == list(range(0, cycle, step)) and cycle % step == 0 else 0


def span(values: Sequence[int], unit: str) -> str:
    """`hour 5`, `hours 5 to 9`, `hours 1, 2 and 9`."""
    if len(values) == 1:
        return f"{unit} {values[0]}"
    if progression(values) == 1:
        return f"{unit}s {values[0]} to {values[-1]}"
    return f"{unit}s {join([str(value) for value in values])}"


def stepped(values: Sequence[int], unit: str) -> str:
    """The same, with `every 7th minute from 0 to 56` for many values with a step."""
    step = progression(values)
    if step > 1 and len(values) > MANY:
        return f"every {ordinal(step)} {unit} from {values[0]} to {values[-1]}"
    return span(values, unit)


def ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
