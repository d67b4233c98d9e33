"""What makes a graph impossible, told at plan time: missing inputs, objections of kinds, licences, values that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zyc.compile import Compiled, Trouble
from zyc.compile.expand import variable_of
from zyc.compile.validate import field_words, owner_words
from zyc.errors import Problem, Span, problem
from zyc.graph import Graph, Header, Node
from zyc.kind import EnvironmentNeed, FileNeed, PinNeed
from zyc.planning.known import Known
from zyc.planning.settle import Settlement, named_values

# licences that do not allow every use, by the uses that they do allow; the names are those of SPDX and of model hubs
LIMITED: Mapping[str, tuple[str, ...]] = {
    "cc-by-nc-4.0": ("research", "personal"),
    "cc-by-nc-sa-4.0": ("research", "personal"),
    "cc-by-nc-nd-4.0": ("research", "personal"),
    "cc-by-nc-2.0": ("research", "personal"),
    "cc-by-nc-3.0": ("research", "personal"),
    "mnpl": ("research",),
    "mrl": ("research", "personal"),
    "research-only": ("research",),
    "qwen-research": ("research",),
    "other-nc": ("research", "personal"),
}
_LLAMA = "fewer than 700 million people use it in a month, `Built with Llama` is shown"
# licences that allow commercial use on conditions
CONDITIONS: Mapping[str, str] = {
    "llama2": "fewer than 700 million people use it in a month, and its answers teach no other family of models",
    "llama3": f"{_LLAMA}, what is made of it is named `Llama 3...`, and its answers teach no other family of models",
    "llama3.1": f"{_LLAMA}, and what is made of it is named `Llama...`",
    "llama3.2": f"{_LLAMA}, and what is made of it is named `Llama...`",
    "llama3.3": f"{_LLAMA}, and what is made of it is named `Llama...`",
    "gemma": "whoever gets it, or what is made of it, is bound to Google's terms and to its list of forbidden uses",
    "qwen": "fewer than 100 million people use it in a month",
}


def check(compiled: Compiled, graph: Graph, settlement: Settlement) -> list[Trouble]:
    """Everything that is wrong with the nodes of a graph beyond what their texts say."""
    troubles = []
    for node in graph.nodes():
        file = node.span.file
        objections = settlement.nodes[node.name].objections
        refused = {each.field.partition(".")[0] for each in objections}
        troubles += [Trouble(each, file, _declared(node)) for each in _unmet(compiled, node, settlement.known, refused)]
        for objection in objections:
            at = field_place(compiled, node, objection.field)
            troubles.append(Trouble(problem("objection", at, says=objection.says, help=objection.help), file, _declared(node)))
    troubles += [Trouble(each, each.spans[0].file) for each in _licences(graph, settlement)]
    troubles += [Trouble(each, each.spans[0].file) for each in _unread(compiled, graph, settlement.known)]
    return list(dict.fromkeys(troubles))


def notes(compiled: Compiled, graph: Graph, settlement: Settlement) -> list[Problem]:
    """What is allowed and better known, of each node that is declared."""
    told = [
        problem("objection", field_place(compiled, node, note.field), says=note.says, help=note.help)
        for node in graph.nodes()
        for note in settlement.nodes[node.name].notes
    ]
    return list(dict.fromkeys(told))


def _declared(node: Node) -> str:
    return node.owner or node.family or node.name


def field_place(compiled: Compiled, node: Node, path: str) -> Span:
    """The place of a field of a node; a node that the compiler put there has that of its owner."""
    declared = compiled.declared.get(_declared(node))
    return declared.at(path) if declared is not None and not node.inserted else node.span


def _unmet(compiled: Compiled, node: Node, known: Known, refused: set[str]) -> Iterator[Problem]:
    owner = owner_words(node.kind, _declared(node))
    for need in node.shape.needs:
        field = field_words(need.field)
        if isinstance(need, FileNeed) and need.path in known.missing:
            at = field_place(compiled, node, need.field)
            why = known.missing[need.path]
            yield problem(why.code, at, **{"path": need.path, "owner": owner, "field": field, **dict(why.facts)})
        elif isinstance(need, EnvironmentNeed) and not need.secret and need.name not in known.environment:
            yield problem("missing-variable", field_place(compiled, node, need.field), name=need.name, owner=owner, field=field)
        elif isinstance(need, PinNeed) and need.name not in known.pins and field not in refused:
            kind, name = need.name.split(":", 1)
            hint = f"install it: `pip install {name}`" if kind == "package" else f"install `{name}`, or correct its name"
            at = field_place(compiled, node, need.field)
            yield problem("unresolvable-pin", at, name=need.name, owner=owner, field=field, hint=hint)


def _licences(graph: Graph, settlement: Settlement) -> Iterator[Problem]:
    """`use: commercial` in a file is held against every licence in the lineage of its nodes."""
    limited: dict[str, tuple[str, tuple[str, ...]]] = {}
    for node in graph.nodes():
        licence = str(getattr(settlement.nodes[node.name].facts, "licence", None) or "").lower()
        if licence in LIMITED:
            limited[node.name] = (licence, LIMITED[licence])
    uses = {file: header.use for file, header in graph.headers.items() if header.use}
    if not limited or not uses:
        return
    told: set[tuple[str, str]] = set()
    for node in graph.nodes():
        use = uses.get(node.span.file)
        if use is None or node.inserted:
            continue
        for source in sorted(graph.upstream([node.name]) & limited.keys()):
            licence, allowed = limited[source]
            if use not in allowed and (node.span.file, source) not in told:
                told.add((node.span.file, source))
                at = dict(graph.headers[node.span.file].spans)["use"]
                facts = {
                    "node": node.name,
                    "source": source,
                    "licence": licence,
                    "use": use,
                    "allowed": allowed[0],
                    "file": node.span.file,
                }
                yield problem("licence", at, graph.vertices[source].span, **facts)


def conditions(graph: Graph, settlement: Settlement) -> list[Problem]:
    """What licences ask in return for `use: commercial`: no errors, but to be known before anything is built."""
    told: dict[tuple[str, str], Problem] = {}
    uses = {file: header.use for file, header in graph.headers.items() if header.use == "commercial"}
    for node in graph.nodes() if uses else ():
        if node.span.file not in uses or node.inserted:
            continue
        for source in sorted({node.name, *graph.upstream([node.name])} & settlement.nodes.keys()):
            licence = str(getattr(settlement.nodes[source].facts, "licence", None) or "").lower()
            first = not any(not edge.order for edge in graph.vertices[source].edges)  # what stands on it has the same
            if licence in CONDITIONS and first and (node.span.file, licence) not in told:
                at = dict(graph.headers[node.span.file].spans)["use"]
                facts = {"source": source, "licence": licence, "conditions": CONDITIONS[licence]}
                told[node.span.file, licence] = problem("licence-conditions", at, **facts)
    return list(told.values())


def _unread(compiled: Compiled, graph: Graph, known: Known) -> Iterator[Problem]:
    """Vars and axes that no field took may still be named by a command or a script."""
    waiting = {header.file for header in graph.headers.values() if {name for name, _ in header.vars} - header.used}
    if compiled.overridden or (not waiting and not compiled.unread):
        return
    files: dict[str, set[str]] = {}
    families: dict[str, set[str]] = {}
    for node in graph.nodes():
        if node.span.file in waiting or node.family in compiled.unread:
            words = named_values(node, known)
            files.setdefault(node.span.file, set()).update(words)
            families.setdefault(node.family, set()).update(words)
    # what is not asked for may read them: of a part nothing is said
    linked = {node.family or node.name for node in compiled.graph.nodes()}
    apart = [node for node in compiled.graph.nodes() if node.name not in graph.vertices and not node.inserted]
    partly = {node.span.file for node in apart}
    partly |= {node.source.file for name, node in compiled.declared.items() if name not in linked}
    for file in sorted(waiting & files.keys() - partly):
        yield from _unread_vars(graph.headers[file], files[file])
    for family in compiled.unread.keys() & families.keys() - {node.family for node in apart}:
        yield from _unread_axes(compiled, family, families[family])


def _unread_vars(header: Header, words: set[str]) -> Iterator[Problem]:
    for name, _ in header.vars:
        variable = variable_of("vars", name)
        if name not in header.used and variable not in words:
            yield problem("unused-var", dict(header.spans)[f"vars.{name}"], name=name, variable=variable)


def _unread_axes(compiled: Compiled, family: str, words: set[str]) -> Iterator[Problem]:
    declared = compiled.declared[family]
    for axis in compiled.unread[family]:
        variable = variable_of("matrix", axis)
        if variable not in words:
            owner = owner_words(declared.kind.name, family)
            at = declared.at_key("matrix", axis) if declared.search is None else declared.at_key("search.over", axis)
            yield problem("unused-axis", at, owner=owner, name=axis, variable=variable)
