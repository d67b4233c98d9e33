"""What tells two models apart: counts, the tensors that differ most and the hop that changed them, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zyc.forms.comparing import Compared
from zyc.quantity import in_number
from zyc.report.console import Console, safe

_SHOWN = 20

Tensor = Mapping[str, Any]


def tell(console: Console, names: tuple[str, str], found: Compared, *, every: bool) -> None:
    """For people."""
    if found.files or not found.tensors:
        _tell_files(console, names, found)
        return
    both = [each for each in found.tensors if each["a"] and each["b"]]
    differ = [each for each in both if each.get("equal") != 1]
    console.print(counts(names, found))
    differ.sort(key=lambda each: -float(each.get("mean") or 0.0))
    odd = [each for each in found.tensors if not (each["a"] and each["b"])]
    rows = [_row(each) for each in (*odd, *differ)]
    shown = rows if every else rows[:_SHOWN]
    head = ("tensor", "shape", "kept as", "max", "mean", "cosine", "equal", "most of it by")
    if shown:
        console.print()
        console.table(shown, head=head, flexible=0, right=(3, 4, 5, 6), spare=(1, 3))
    if len(rows) > len(shown):
        console.print(f"  and {len(rows) - len(shown):,} more: `--all`")
    made = hops(found.tensors)
    if made:
        console.print()
        told = [
            (safe(hop), f"{count:,} tensor{'' if count == 1 else 's'}", f"mean {in_number(mean)}") for hop, count, mean in made
        ]
        console.table(told, head=("changed by", "", "at most"))
    for name in found.open:
        console.say(f"`{name}` is not kept: what it changed is told of the hop behind it")
    if found.settings:
        console.print()
        rows = [(safe(each["name"]), safe(each["a"] or "-"), safe(each["b"] or "-")) for each in found.settings]
        console.table(rows, head=("setting", *names), flexible=1)


def counts(names: tuple[str, str], found: Compared) -> str:
    """How many tensors are the same, differ, or are in one of them only."""
    both = [each for each in found.tensors if each["a"] and each["b"]]
    equal = sum(each.get("equal") == 1 for each in both)
    told = [f"{len(found.tensors):,} tensors", f"{equal:,} equal", f"{len(both) - equal:,} differ"]
    for name, side in zip(names, ("a", "b"), strict=True):
        alone = sum(bool(each[side]) for each in found.tensors) - len(both)
        told += [f"{alone:,} only in {safe(name)}"] if alone else []
    since = f"both were made of {found.ancestor}" if found.ancestor and found.ancestor not in names else ""
    return " · ".join([*told, *([since] if since else [])])


def hops(tensors: Sequence[Tensor]) -> list[tuple[str, int, float]]:
    """Each hop that changed something: how many tensors, and by how much at most; the largest first."""
    told: dict[str, list[float]] = {}
    for tensor in tensors:
        for each in tensor.get("made") or ():
            told.setdefault(each["hop"], []).append(float(each["mean"]))
    found = [(hop, len(means), max(means)) for hop, means in told.items()]
    return sorted(found, key=lambda each: -each[2])


def _row(each: Tensor) -> tuple[str, ...]:
    a, b = each["a"], each["b"]
    shapes = [" x ".join(map(str, side["shape"])) for side in (a, b) if side]
    types = [side["type"] for side in (a, b) if side]
    shape, kept = (" / ".join(dict.fromkeys(words)) for words in (shapes, types))
    if not a or not b:
        return (safe(each["name"]), shape, kept, "", "", "", "", f"only in the {'first' if a else 'second'}")
    if "mean" not in each:
        return (safe(each["name"]), shape, kept, "", "", "", "", "another shape")
    made = safe(max(each["made"], key=lambda hop: float(hop["mean"]))["hop"]) if each["made"] else ""
    cosine, equal = f"{each['cosine']:.6f}", f"{100 * each['equal']:.3g} %"
    return (safe(each["name"]), shape, kept, in_number(each["max"]), in_number(each["mean"]), cosine, equal, made)


def _tell_files(console: Console, names: tuple[str, str], found: Compared) -> None:
    console.print(f"{found.same_files + len(found.files):,} files · {found.same_files:,} equal · {len(found.files):,} differ")
    rows = [(safe(path), a or "-", b or "-") for path, a, b in found.files]
    if rows:
        console.print()
        console.table(rows, head=("file", *names))


def as_data(names: tuple[str, str], found: Compared) -> dict[str, object]:
    """For programs."""
    return {
        "a": names[0],
        "b": names[1],
        "ancestor": found.ancestor or None,
        "not_kept": list(found.open),
        "tensors": [dict(each) for each in found.tensors],
        "settings": [dict(each) for each in found.settings],
        "files": [{"path": path, "a": a or None, "b": b or None} for path, a, b in found.files],
        "hops": [{"hop": hop, "tensors": count, "mean": mean} for hop, count, mean in hops(found.tensors)],
    }
