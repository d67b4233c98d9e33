"""A plan that was written down: a build runs exactly that one, or says what moved since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from zyc import __version__
from zyc.errors import Problem, Span, ZycError, problem
from zyc.front import Call
from zyc.graph import Node
from zyc.planning.plan import Decision, Plan, State
from zyc.planning.why import apart, recipe_fields

_DONE = (State.RUN, State.RESUME, State.MAYBE)


@dataclass(frozen=True, slots=True)
class Was:
    """One node, as it was shown."""

    state: State
    key: str | None
    own: str  # the digest of all that is its own
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was shown, and said yes to."""

    call: Call
    nodes: Mapping[str, Was]
    format: Literal["zyc-plan 1"] = "zyc-plan 1"
    zyc: str = __version__


def written(call: Call, plan: Plan) -> bytes:
    """The text of a plan's file."""
    nodes = {name: _node(plan, name, decision) for name, decision in plan.decisions.items()}
    return TypeAdapter(Agreed).dump_json(Agreed(call, nodes), indent=1) + b"\n"


def _node(plan: Plan, name: str, decision: Decision) -> Was:
    vertex = plan.graph.vertices[name]
    assert isinstance(vertex, Node)
    own = plan.settlement.nodes[name].own_digest
    return Was(decision.state, decision.key, own, recipe_fields(vertex, plan.settlement.known))


def read(text: bytes, file: str) -> Agreed:
    """The plan in a file."""
    try:
        return TypeAdapter(Agreed).validate_json(text)
    except ValidationError:
        raise ZycError(problem("not-a-plan", Span(file), file=file)) from None


def moved(agreed: Agreed, plan: Plan) -> list[Problem]:
    """What is not as it was agreed; what was done of it since is as it should be."""
    return [problem("plan-moved", span, node=name, what=what) for name, span, what in _moved(agreed, plan)]


def _moved(agreed: Agreed, plan: Plan) -> Iterator[tuple[str, Span, str]]:
    for name in agreed.nodes.keys() - plan.decisions.keys():
        yield name, Span("specs"), "is gone from the specs"
    for name, decision in plan.decisions.items():
        node = plan.graph.vertices[name]
        assert isinstance(node, Node)
        then = agreed.nodes.get(name)
        if then is None:
            yield name, node.span, "is new in the specs"
        elif then.own != plan.settlement.nodes[name].own_digest:
            yield name, node.span, _fields(then.fields, recipe_fields(node, plan.settlement.known))
        elif then.key and decision.key and then.key != decision.key:
            yield name, node.span, "has other inputs now"
        elif then.state != decision.state and not (then.state in _DONE and decision.state in (State.KEEP, *_DONE)):
            yield name, node.span, f"was `{then.state}`, and is `{decision.state}` now"


def _fields(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    for path in [*after, *before]:
        if before.get(path) != after.get(path):
            old, new = apart(before.get(path, ""), after.get(path, ""), 40)
            return f"has another `{path}`: {old or 'nothing'} -> {new or 'nothing'}"
    return "is made differently: a file, a pin, a template or zyc itself changed"
