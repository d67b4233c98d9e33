"""How a search chooses its next member: even cover first, then half-way towards the widest gap beside the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zyc.graph import Search

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)

Labels = tuple[str, ...]


def first(search: Search) -> tuple[Labels, ...]:
    """The members that need no result: the middle, then an even cover of the whole range."""
    count = min(search.runs, 2 * len(search.over) + 1)
    rows: list[Labels] = []
    for at in range(1, 50 * count):
        row = tuple(_label(span, _corput(at, _PRIMES[axis % len(_PRIMES)])) for axis, (_, span) in enumerate(search.over))
        if row not in rows:
            rows.append(row)
        if len(rows) == count:
            break
    return tuple(rows)


def following(search: Search, rows: Sequence[Labels], scores: Mapping[Labels, float]) -> Labels | None:
    """The next member once every one so far is measured; None when the search is over or nothing new is left."""
    if len(rows) >= search.runs or not scores:
        return None
    sign = 1 if search.largest else -1
    best = max(rows, key=lambda row: (sign * scores[row] if row in scores else float("-inf"), -rows.index(row)))
    turn = len(rows) % len(search.over)
    for axis in (*range(turn, len(search.over)), *range(turn)):
        row = _beside(search, rows, best, axis)
        if row is not None:
            return row
    return None


def _beside(search: Search, rows: Sequence[Labels], best: Labels, axis: int) -> Labels | None:
    span = search.over[axis][1]
    if ".." not in span:
        untried = (label for label in span if (*best[:axis], label, *best[axis + 1 :]) not in rows)
        found = next(untried, None)
        return None if found is None else (*best[:axis], found, *best[axis + 1 :])
    low, high = float(span[0]), float(span[2])
    here = float(best[axis])
    tried = sorted({float(row[axis]) for row in rows} | {low, high})
    below = max((each for each in tried if each < here), default=low)
    above = min((each for each in tried if each > here), default=high)
    target = (here + above) / 2 if above - here >= here - below else (here + below) / 2
    row = (*best[:axis], _number(span, target), *best[axis + 1 :])
    return None if row in rows else row


def _corput(at: int, base: int) -> float:
    value, scale = 0.0, 1.0
    while at:
        at, digit = divmod(at, base)
        scale /= base
        value += digit * scale
    return value


def _label(span: tuple[str, ...], share: float) -> str:
    if ".." not in span:
        return span[min(len(span) - 1, int(share * len(span)))]
    low, high = float(span[0]), float(span[2])
    return _number(span, low + share * (high - low))


def _number(span: tuple[str, ...], value: float) -> str:
    if all(end.lstrip("+-").isdigit() for end in (span[0], span[2])):
        return str(round(value))
    return f"{value:.4g}"
