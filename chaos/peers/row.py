"""A row of the comparison: what one system did under one fault."""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass

LIMIT = 60.0
"""Seconds after which nobody waits for a recovery any longer."""
COLUMNS = ("fault", "system", "ticks lost", "executed twice", "overlapped", "recovered after", "remarks")
BEGIN, END = "<!-- peers -->\n", "<!-- end of peers -->"


@dataclass(frozen=True, slots=True)
class Row:
    """What one system did under one fault."""

    fault: str
    system: str
    lost: int
    doubled: int
    overlapped: int
    recovered: str
    remark: str = ""

    def markdown(self) -> str:
        return f"| {' | '.join(str(cell) for cell in astuple(self))} |"


Note = Callable[[Row], None]


def seconds(recovery: float | None) -> str:
    """How long it took, or that nobody waited for it."""
    return f"> {LIMIT:.0f} s" if recovery is None else f"{recovery:.1f} s"


def markdown(rows: Iterable[Row]) -> str:
    """The table: fault by fault, Carillon first."""
    rows = list(rows)
    faults = list(dict.fromkeys(row.fault for row in rows))
    rows.sort(key=lambda row: (faults.index(row.fault), row.system != "Carillon", row.system))
    head = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    return "\n".join([*head, *(row.markdown() for row in rows)]) + "\n"


def put(text: str, document: str) -> str:
    """The document with the text between its marks; ValueError if it has none."""
    if BEGIN not in document or END not in document:
        raise ValueError(f"the document has no {BEGIN.strip()} and {END}")
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"
