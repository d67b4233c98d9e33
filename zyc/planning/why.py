"""Why a node would run, or would not: field by field, from the manifest that its key is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zyc import kinds
from zyc.graph import Graph, Node, reach
from zyc.keeping.traces import Trace
from zyc.kind import GATES, LINEAGE, NOTES, PLACEMENT, FileNeed
from zyc.planning.digest import Change, changes, field_texts
from zyc.planning.known import Known
from zyc.planning.plan import Decision, Plan, State, Why
from zyc.planning.settle import named_values

_MOST_FILES = 1_000
_SHORT = 60
_NAMED = 3  # nodes that a card tells of


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that moved: what it is in the user's words, before and after, and the node it stands at."""

    node: str
    what: str
    before: str = ""
    after: str = ""
    field: str = ""
    digests: bool = False  # before and after are for programs

    def __str__(self) -> str:
        return self.told(_SHORT)

    def told(self, limit: int) -> str:
        """In words, with so many letters of what was and of what is."""
        if self.digests:
            return self.what
        before, after = apart(self.before, self.after, limit)
        if before and after:
            return f"{self.what} {before} -> {after}"
        if after or before:
            return f"{self.what} is {'new: ' + after if after else 'gone, was ' + before}"
        return self.what


def recipe_fields(node: Node, known: Known) -> dict[str, str]:
    """The fields that can change a result, in words."""
    values = node.spec.model_dump(mode="json", by_alias=True)
    kept = {name: value for name, value in values.items() if name not in (*NOTES, *GATES, *PLACEMENT)}
    refs = {link.field for link in node.shape.links} | {
        link.field.rsplit(".", 1)[0] for link in node.shape.links if link.collects
    }
    told = {path: text for path, text in field_texts(kept).items() if path not in refs}
    named = named_values(node, known) if node.values else set()
    return {**told, **{name: value for name, value in node.values.items() if name in named}}


def files_of(node: Node, known: Known) -> dict[str, str]:
    """Each file of a folder or glob, by its place: the manifest has one line for all of them, and people ask which."""
    kind = kinds.load(node.kind)
    told: dict[str, str] = {}
    for need in node.shape.needs:
        if isinstance(need, FileNeed) and not need.text and need.path in known.files:
            files = known.files[need.path].files
            if len(files) <= _MOST_FILES:
                told |= {f"in/{kind.place(need.field)}: {path}": digest[:16] for path, digest in files}
    return told


def reasons(plan: Plan, name: str, read: Callable[[str], Trace | None]) -> list[Reason]:
    """What moved at one node since it was last built."""
    node, decision = plan.graph.vertices[name], plan.decisions[name]
    assert isinstance(node, Node)
    if decision.cause.why is Why.RUNS:
        return [Reason(name, f"it runs now: `zyc logs {name} --follow`")]
    if decision.cause.why is Why.NEW:
        return [Reason(name, "it was never built here")]
    if decision.cause.why is Why.FAILED:
        failed = Reason(name, f"its last attempt failed: {decision.cause.text}")
        return [failed, *_since(plan, node, decision, read)] if plan.history.last.get(name) else [failed]
    if decision.cause.why is Why.MISSING:
        return [Reason(name, "its tree is gone from the store, and something needs it")]
    if decision.state in (State.KEEP, State.BLOCKED) and decision.cause.why is not Why.CHANGED:
        return []
    return _since(plan, node, decision, read)


def _since(plan: Plan, node: Node, decision: Decision, read: Callable[[str], Trace | None]) -> list[Reason]:
    last_key = plan.history.last.get(node.name)
    last = read(last_key) if last_key is not None else None
    if last is None:
        return [Reason(node.name, "the trace of its last build is gone")]
    return _against(plan, node, decision, last)


def overlooked(plan: Plan, name: str, read: Callable[[str], Trace | None]) -> list[Reason]:
    """What a person overlooked when they let a kept output stand for the key that a node has now."""
    node, old = plan.graph.vertices[name], plan.accepted(name)
    last = read(old) if old else None
    if not old or not isinstance(node, Node):
        return []
    return (
        _against(plan, node, plan.decisions[name], last) if last is not None else [Reason(name, "what it was built as is gone")]
    )


def against(plan: Plan, name: str, last: Trace) -> list[Reason]:
    """What tells a node as it is now from what a trace was made of."""
    node = plan.graph.vertices[name]
    assert isinstance(node, Node)
    return _against(plan, node, plan.decisions[name], last)


def _against(plan: Plan, node: Node, decision: Decision, last: Trace) -> list[Reason]:
    """The lines of the manifest that moved, in the words of the spec where a field tells it."""
    told: list[Reason] = []
    fields = {each.field: each for each in _fields(node, plan.settlement.known, dict(last.fields))}
    of_files = {each: fields.pop(each) for each in _own_fields(node) if each in fields}
    old = [line for line in last.manifest if line[0] not in decision.unknown]
    found, explained = changes(old, decision.manifest), False
    written = list(fields.values())  # what explains a recipe that is written differently
    if any(tells_of_lineage(node, change.label) for change in found):
        written.append(Reason(node.name, card_words(plan.graph, node, lambda name: _moved_itself(plan.decisions[name]))))
    for change in found:
        own = _own_fields(node, change.label)
        if own and own[0] in of_files:
            told.append(of_files[own[0]])
        elif files := _files(node, plan.settlement.known, change.label, dict(last.fields)):
            told += files
        elif own or not change.label.startswith("recipe/") or not written:
            told.append(reason_of(node, change))
        elif not explained:
            told += written
            explained = True
    for label in decision.unknown:
        source = _sources(node).get(label, label).removesuffix("@*")
        told.append(Reason(node.name, f"`{source}` may become another tree"))
    return told


def _files(node: Node, known: Known, label: str, before: Mapping[str, str]) -> list[Reason]:
    """Which files of a folder or glob moved; nothing where that was not kept."""
    start = f"{label}: "
    old = {name[len(start) :]: digest for name, digest in before.items() if name.startswith(start)}
    new = {name[len(start) :]: digest for name, digest in files_of(node, known).items() if name.startswith(start)}
    if not old or not new:
        return []
    words = {path: "is new" if path not in old else "is gone" if path not in new else "changed" for path in sorted({*old, *new})}
    return [Reason(node.name, f"the file `{path}` {word}") for path, word in words.items() if old.get(path) != new.get(path)]


def _own_fields(node: Node, label: str = "") -> list[str]:
    """The fields that name a file of the user's, which has a line of its own in the manifest; those of one line."""
    kind = kinds.load(node.kind)
    told = {f"recipe/{name}": f"scripts.{name}" for name in getattr(node.spec, "scripts", {})}
    for need in node.shape.needs:
        if isinstance(need, FileNeed) and not need.text:
            told[f"in/{kind.place(need.field)}"] = need.field
    return [field for line, field in told.items() if label in ("", line)]


def reason_of(node: Node, change: Change) -> Reason:
    """One line of a manifest that moved, in words."""
    if change.label.startswith("recipe/"):
        return Reason(node.name, _of_recipe(node, change.label))
    if change.label == "kind":
        return Reason(node.name, "this version of zyc builds its kind differently", change.before, change.after)
    if change.label.startswith("in/"):
        return _of_input(node, change.label, change.before, change.after)
    return _of_line(node, change.label, change.before, change.after)


def _fields(node: Node, known: Known, before: Mapping[str, str]) -> list[Reason]:
    after = recipe_fields(node, known)
    paths = [*after, *(path for path in before if path not in after and not path.startswith("in/"))]
    return [
        Reason(node.name, f"`{path}`", before.get(path, ""), after.get(path, ""), path)
        for path in paths
        if before.get(path, "") != after.get(path, "")
    ]


def apart(before: str, after: str, limit: int) -> tuple[str, str]:
    """Two texts in so many letters each: where they are longer, the part in which they begin to differ."""
    old, new = before, after
    if max(len(old), len(new)) > limit or "\n" in old + new:
        first = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))
        start = max(0, first - limit // 3)
        old, new = (("…" if start and each else "") + each[start:] for each in (old, new))
    return _flat(old, limit), _flat(new, limit)


def _flat(text: str, limit: int) -> str:
    shown = text.strip().replace("\n", " ⏎ ")
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _of_recipe(node: Node, label: str) -> str:
    scripts = getattr(node.spec, "scripts", {})
    name = label.removeprefix("recipe/")
    if name in scripts:
        return f"the script `{scripts[name].path}` changed"
    return f"`{label}` is written differently: its template or zyc changed"


def tells_of_lineage(node: Node, label: str) -> bool:
    """Whether a line of a manifest is what a node tells of all that it stands on."""
    return node.shape.lineage and label == f"recipe/{LINEAGE}"


def card_words(graph: Graph, node: Node, changed: Callable[[str], bool]) -> str:
    """`its card tells of philo-lora`: the nodes that it stands on and that are others by themselves."""
    cone = reach([node.name], lambda name: (edge.source for edge in graph.vertices[name].edges if not edge.order), None)
    above = [each for each in graph.nodes() if each.name in cone and each.name != node.name and changed(each.name)]
    names = list(dict.fromkeys(f"`{each.owner or each.family or each.name}`" for each in above))
    if not names:
        return "what its card tells of its lineage is something else now"
    return f"its card tells of {', '.join(names[:_NAMED])}" + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _moved_itself(decision: Decision) -> bool:
    return decision.state is not State.KEEP and decision.cause.why in (Why.CHANGED, Why.NEW)


def _sources(node: Node) -> dict[str, str]:
    return {kinds.label(node.kind, edge.field): edge.source for edge in node.edges if not edge.order}


def moved(source: str) -> str:
    """What is said of an input that is not what it was."""
    return "chose another member" if source.endswith(".select") else "is another tree now"


def _of_input(node: Node, label: str, before: str, after: str) -> Reason:
    source = _sources(node).get(label, "").removesuffix("@*")
    if source:
        if not before:
            return Reason(node.name, f"`{source}` is a new input")
        return Reason(node.name, f"`{source}` {moved(source)}", before[:12], after[:12], digests=True)
    kind = kinds.load(node.kind)
    path = next((need.path for need in node.shape.needs if hasattr(need, "path") and f"in/{kind.place(need.field)}" == label), "")
    if not path:
        return Reason(node.name, f"the input `{label}` is gone")
    return Reason(node.name, f"the file `{path}` {'changed' if before else 'is new'}", before[:12], after[:12], digests=True)


def _of_line(node: Node, label: str, before: str, after: str) -> Reason:
    sort, _, name = label.partition("/")
    if sort == "env":
        how = "has another value" if before and after else "is new" if after else "is no longer passed"
        return Reason(node.name, f"the variable `{name}` {how}")
    if sort == "secret":
        return Reason(node.name, f"the secret `{name}` {'is new' if after else 'is no longer passed'}")
    if sort == "pin":
        return Reason(node.name, f"the pin of `{name}`", before, after)
    if sort == "twin":
        return Reason(node.name, "it is a twin now" if after else "it is no twin any more")
    return Reason(node.name, f"`{label}`", before, after)
