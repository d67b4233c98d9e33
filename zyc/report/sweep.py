"""What goes, or went, from a store: one line a result, the small things counted; and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, safe
from zyc.sweep import Item, Sweep

_COUNTED = {
    "leftover": ("leftover of a killed process", "leftovers of killed processes"),
    "lock": ("lock that nobody holds", "locks that nobody holds"),
}
_PLURALS = {
    "tree": ("result", "results"),
    "group": ("group", "groups"),
    "step": ("step folder", "step folders"),
    "quarantine": ("damaged thing", "damaged things"),
    "link": ("link", "links"),
    "project": ("forgotten project", "forgotten projects"),
    **_COUNTED,
}


def listing(console: Console, sweep: Sweep) -> None:
    """All that goes: the largest first, and what it would take to have it again."""
    shown = [each for each in sweep.items if each.what not in _COUNTED]
    rows = [
        (
            _name(each),
            safe(_node(each)),
            "" if each.age is None else _age(each.age),
            in_bytes(each.bytes),
            _again(each),
            each.because,
        )
        for each in sorted(shown, key=lambda each: (-each.bytes, each.name))
    ]
    if rows:
        console.table(
            rows, head=("object", "node", "age", "on disk", "again", "because"), flexible=5, right=(2, 3, 4), spare=(2,)
        )


def total(console: Console, items: Sequence[Item], *, done: bool, kept: int) -> None:
    """What it came to."""
    freed = sum(each.bytes for each in items)
    if not items:
        console.print(f"nothing to free: {kept:,} {_word('tree', kept)} kept")
        return
    what = ", ".join(f"{count:,} {_word(what, count)}" for what, count in _counts(items))
    console.say(f"{'freed' if done else 'would free'} {in_bytes(freed)}: {what}; {kept:,} {_word('tree', kept)} kept")


def remarks(console: Console, sweep: Sweep) -> None:
    """What stays, and how it would go."""
    if sweep.undeclared:
        size, count = sum(each.bytes for each in sweep.undeclared), len(sweep.undeclared)
        names = list(dict.fromkeys(each.node for each in sweep.undeclared))
        shown = ", ".join(f"`{safe(name)}`" for name in names[:3]) + (" ..." if len(names) > 3 else "")
        stay = f"{count:,} {_word('tree', count)} of nodes that no spec declares any more ({shown}, {in_bytes(size)})"
        console.say(f"kept   {stay}: `zyc gc --undeclared` frees them")
    if sweep.blind:
        console.say("kept   older results of this project, too: its specs have errors, and could mean any of them")
    for name, folder in sorted(sweep.gone.items()):
        where = f"`{safe(folder)}` is gone" if folder else f"the card of project `{name}` is damaged"
        console.say(f"kept   what a project holds whose folder is not there: {where}; `zyc gc --forget {safe(folder or name)}`")


def as_data(sweep: Sweep, *, done: Iterable[Item] | None) -> dict[str, object]:
    """The same for programs; `done` is what went, if anything was to go."""
    went = sweep.items if done is None else list(done)
    return {
        "removed": done is not None,
        "items": [_item(each) for each in went],
        "bytes": sum(each.bytes for each in went),
        "kept": sweep.kept,
        "specs_broken": sweep.blind,
        "undeclared": [_item(each) for each in sweep.undeclared],
        "missing_projects": [{"id": name, "path": folder} for name, folder in sorted(sweep.gone.items())],
    }


def _item(each: Item) -> dict[str, object]:
    return {
        "what": each.what,
        "object": each.name,
        "node": each.node,
        "project": each.project,
        "age": each.age,
        "bytes": each.bytes,
        "seconds": each.seconds,
        "because": each.because,
    }


def _counts(items: Iterable[Item]) -> list[tuple[str, int]]:
    kinds = [each.what for each in items]
    return [(what, kinds.count(what)) for what in _PLURALS if what in kinds]


def _word(what: str, count: int) -> str:
    return _PLURALS[what][count != 1]


def _name(each: Item) -> str:
    if each.what == "quarantine":
        return safe(each.path.name[:12])
    short = {"tree": 12, "group": 12, "step": 18}.get(each.what)  # `steps/` and as much of a key
    return safe(each.name[:short])


def _node(each: Item) -> str:
    return f"{each.node} ({each.project})" if each.project else each.node


def _age(seconds: float) -> str:
    """The largest unit is enough for an age."""
    return " ".join(in_time(seconds).split()[:2]) if seconds >= 1 else "new"


def _again(each: Item) -> str:
    if each.what not in ("tree", "group"):
        return "-"
    return in_time(each.seconds) if each.seconds is not None else "unknown"
