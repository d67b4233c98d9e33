"""One screen about a model: which of its forms answer a question rightly, what its exams say, and what one does next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zyc.again import line
from zyc.forms.asking import Asked
from zyc.forms.ledger import Hop, Reading
from zyc.front import Front
from zyc.graph import Node
from zyc.planning.plan import State

EXAM = "exam"
TRAINED = "adapter"
MARKS = {"Q4_K_M": "Q4", "Q4_K_S": "Q4", "Q5_K_M": "Q5", "Q6_K": "Q6", "Q8_0": "Q8"}


@dataclass(frozen=True, slots=True)
class Sat:
    """An exam that was kept."""

    node: str
    right: int
    of: int
    trained: bool  # whether who sat it had been trained
    name: str = ""  # of the model that sat it


@dataclass(frozen=True, slots=True)
class Brief:
    """What the screen says."""

    system: str  # who is asked
    question: str
    answer: str
    marks: tuple[tuple[str, bool], ...]  # each form, and whether it answered rightly
    judged: str  # what rightly means
    alike: int  # tokens that all forms from the adapter on begin with
    alike_from: str
    alike_to: str
    exams: tuple[Sat, ...]
    small: str  # in a rehearsal: what stands in for which model
    kept: int  # nodes that the same build would keep, and those that it would not
    left: int
    again: str
    change: str
    then: str
    page: str


def exams(front: Front, hops: tuple[Hop, ...]) -> tuple[str, ...]:
    """The exams that the forms of a model sat, and those of the same questions that its base sat."""
    names = {hop.node for hop in hops}
    sat = [node for node in front.compiled.graph.nodes() if node.kind == EXAM]
    ours = [node for node in sat if _of(node, "model") in names]
    asked = {_of(node, "exam") for node in ours}
    base = hops[0].node
    theirs = [
        node for node in sat if _of(node, "exam") in asked and base in _behind(front, _of(node, "model")) and node not in ours
    ]
    # by who has them: the twin of an evaluation has the same exam of an untrained twin, too
    return tuple(dict.fromkeys(node.owner or node.name for node in (*ours, *theirs)))


def _of(node: Node, field: str) -> str:
    return next((edge.source for edge in node.edges if edge.field == field), "")


def _behind(front: Front, name: str) -> frozenset[str]:
    graph = front.compiled.graph
    return frozenset({name, *graph.upstream([name])}) if name in graph.vertices else frozenset()


def brief(front: Front, asked: Asked, hops: tuple[Hop, ...], at: int = 0) -> Brief:
    """The screen of one of the questions that were asked."""
    reading = Reading(front)
    labels = [label for label in asked.labels if label in asked.answers]
    wanted = asked.wanted[at]
    pivot = TRAINED if TRAINED in labels else labels[-1]
    model = asked.answers[pivot][at]
    right = {
        label: asked.answers[label][at].text == wanted if wanted else asked.answers[label][at].is_that_of(model)
        for label in labels
    }
    after = labels[labels.index(pivot) :]
    alike = min((model.same_first(asked.answers[label][at]) for label in after), default=0)
    home = _home(front, hops)
    again, kept, left = _again(front, home)
    change, then = _change(front, hops, home)
    return Brief(
        system=asked.systems[at],
        question=asked.questions[at],
        answer=asked.answers[labels[-1]][at].text,
        marks=tuple((MARKS.get(label, label), right[label]) for label in labels),
        judged="as wanted" if wanted else f"as the {pivot} says it",
        alike=alike,
        alike_from=pivot,
        alike_to=labels[-1],
        exams=tuple(_sat(reading, hops, home)),
        small=_small(reading, hops) if front.call.twin else "",
        kept=kept,
        left=left,
        again=again,
        change=change,
        then=then,
        page=_page(front),
    )


def _sat(reading: Reading, hops: tuple[Hop, ...], home: str) -> Iterator[Sat]:
    """What is kept of one exam: of the model, declared where it is, and of its base under the same prompts."""
    told = [(node, sat) for node in reading.graph.nodes() if (sat := _kept(reading, node)) is not None]
    mine = {hop.node for hop in hops[1:]}
    ours = [each for each in told if _of(each[0], "model") in mine]
    ours.sort(key=lambda each: each[0].span.file != home)
    for node, sat in ours[:1]:
        yield replace(sat, trained=True)
        theirs = [each for other, each in told if _of(other, "model") not in mine and _asked(other) == _asked(node)]
        yield from theirs[:1]
    if not ours:
        yield from [each for _, each in told][:1]


def _kept(reading: Reading, node: Node) -> Sat | None:
    decision = reading.plan.decisions[node.name] if node.kind == EXAM else None
    trace = reading.trace(decision) if decision is not None and decision.state is State.KEEP else None
    told = dict(trace.measures) if trace is not None else {}
    if not {"accuracy", "questions"} <= told.keys():
        return None
    of = round(told["questions"])
    return Sat(node.name, round(told["accuracy"] * of), of, trained=False, name=_of(node, "model"))


def _asked(node: Node) -> set[tuple[str, str]]:
    """The questions of an exam, and what stands before them."""
    return {(edge.field, edge.source) for edge in node.edges if edge.field != "model" and not edge.order}


def _small(reading: Reading, hops: tuple[Hop, ...]) -> str:
    """What stands in for the base."""
    from zyc.craft import arch
    from zyc.types import Model

    base = hops[0].node
    facts = reading.facts.get(base)
    count = arch.parameters(facts) if isinstance(facts, Model) else None
    return f"a model of {count / 1e6:.1f} M parameters, not {base}" if count else f"a small model, not {base}"


def _home(front: Front, hops: tuple[Hop, ...]) -> str:
    """The file that the last form is declared in."""
    graph = front.compiled.graph
    node = graph.vertices[hops[-1].node]
    owner = graph.vertices.get(getattr(node, "owner", ""), node)
    return owner.span.file


def _again(front: Front, home: str) -> tuple[str, int, int]:
    """The call that builds all of that file, and what it would find."""
    whole = Front(front.world, front.project, replace(front.call, select=(home,) if home else ()), front.here)
    states = [each.state for each in whole.plan.decisions.values()]
    kept = sum(each is State.KEEP for each in states)
    return line(front.call, "build", *((home,) if home else ())), kept, len(states) - kept


def _change(front: Front, hops: tuple[Hop, ...], home: str) -> tuple[str, str]:
    """A change of the recipe that is worth a look, and the call that tells what it would do."""
    for hop in hops:
        lora = getattr(getattr(front.compiled.graph.vertices[hop.node], "spec", None), "lora", None)
        rank = getattr(lora, "rank", None)
        if isinstance(rank, int) and rank > 1:
            return f"change `rank: {rank}` to {rank // 2} in {hop.node} and ask", f"zyc plan {home}"
    return "see what would happen", f"zyc plan {home}"


def _page(front: Front) -> str:
    """The page of the report, where it is written."""
    parts = ("report", "twin", "index.html") if front.call.twin else ("report", "index.html")
    there = front.world.stat(front.project.artifacts.joinpath(*parts)) is not None
    return "/".join((front.project.artifacts.name, *parts)) if there else ""
