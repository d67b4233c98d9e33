"""What was measured, held against its budget: a bar that must be reached and an aim beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from course.clock import Runs


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it is held against; smaller is better."""

    budget: str
    value: float
    unit: str
    bar: float | None = None
    aim: float | None = None
    seen: str = ""  # what it is made of

    @property
    def verdict(self) -> str:
        """In two words."""
        if self.bar is None:
            return ""
        if self.value > self.bar:
            return "misses the bar"
        if self.aim is not None and self.value > self.aim:
            return "misses the aim"
        return "holds"

    def bound(self, value: float | None) -> str:
        """The bar or aim in the unit of the figure."""
        return "" if value is None else f"{value:g} {self.unit}"

    @property
    def measured(self) -> str:
        """The number in its unit."""
        return f"{number(self.value)} {self.unit}"

    def __str__(self) -> str:
        """The line that a benchmark ends with."""
        bounds = [f"{name} {value:g}" for name, value in (("bar", self.bar), ("aim", self.aim)) if value is not None]
        held = f" ({', '.join(bounds)}): {self.verdict}" if bounds else ""
        return f"{self.budget}: {self.measured}{held}"


def from_size(nodes: int, *, bar: float, aim: float) -> dict[str, float]:
    """The bounds of a budget that is about 10,000 nodes: in a smaller graph both tools are mostly busy with starting."""
    return {"bar": bar, "aim": aim} if nodes >= 10_000 else {}


def number(value: float) -> str:
    """Two digits, or all that stand before the point."""
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def in_time(seconds: float) -> str:
    """`21 ms`, `1.8 s`, `2.3 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def in_megabytes(count: int) -> str:
    """`98 MB`."""
    return f"{count / 1e6:,.0f} MB"


def beside(ours: Runs, theirs: Runs) -> str:
    """What a ratio is made of, and what it would be of the time on a core."""
    times = ", ".join(f"{each.name} {in_time(each.least)}" for each in (ours, theirs))
    return f"{times}; on a core {number(ours.cpu / theirs.cpu)} x"


def show(runs: Iterable[Runs]) -> None:
    """The table of a benchmark."""
    rows = [("", "median", "least", "on a core", "memory")]
    rows += [
        (each.name, in_time(each.seconds), in_time(each.least), in_time(each.cpu), in_megabytes(each.memory)) for each in runs
    ]
    show_rows(rows)


def show_rows(rows: Sequence[Sequence[str]]) -> None:
    """Columns, the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for first, *others in rows:
        print("  ".join([first.ljust(widths[0]), *(each.rjust(width) for each, width in zip(others, widths[1:], strict=True))]))


def conclude(figures: Iterable[Figure]) -> None:
    """The figures, last."""
    found = list(figures)  # measured here, which shows its tables
    print()
    for figure in found:
        print(figure)
