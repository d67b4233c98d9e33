"""The twin: the same graph at toy size, as a pure rewrite; the models that it starts from become ones that any CPU can train."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zyc import kinds
from zyc.compile.validate import shape_of
from zyc.errors import ZycError, problem
from zyc.fields import Ref
from zyc.gates import Gate
from zyc.graph import Choice, Cluster, Edge, Graph, Node, Vertex, ordered
from zyc.kind import Kind, Spec
from zyc.planning.settle import Settlement
from zyc.types import Dataset, Model

# What was measured to learn in about a minute on one core: copying heads from the start, and few, short, answers-only steps.
SHAPE: Mapping[str, Any] = {
    "layers": 4, "width": 256, "mlp": 512, "heads": 4, "kv_heads": 2, "head_size": 64, "tied": True, "init": "copying",
}  # fmt: skip
PIECES = 2048
# At twice this rate they unlearn copying first: whether a twin learns is luck then, and long templates lose.
LEARNING: Mapping[str, Any] = {"learning_rate": 1.5e-3, "schedule": "cosine", "warmup": 0.05, "betas": (0.9, 0.98)}
# Of a base that reads plain text before something is taught to it: foretelling all of a text unlearns how to copy within seconds.
GENTLE: Mapping[str, Any] = {"steps": 12, "learning_rate": 1e-4}
ROOM: Mapping[str, Any] = {"cpus": 1, "memory": None, "disk": None, "timeout": None}  # that a node of a twin asks for
CHATS = 16  # a step
PRIMED, TAUGHT = 64, 300  # steps of a base that something finetunes, and of one that answers itself or has passages ahead of it
FORM = 1.0  # loss of a base that knows the form of answers, and not yet which: one that knew all would hide a lost adapter
LONGEST = 1024  # tokens of context
ROW = 128  # tokens of a chat that it is taught
SMALL = 2  # tokens of its own for each that a plan guesses of a passage
SEED = 1
APART = 24  # further steps, each model in an order of its own, where models of one twin base are merged
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma")
_ALIKE = {"phi3": "llama", "gemma2": "gemma", "gemma3": "gemma", "gemma3_text": "gemma", "codegemma": "gemma"}
_MADE_OF = ("source", "model", "subject", "base", "student", "models")  # fields that say what a model is made of
_UNTRAINED = "untrained"
_TRAINS = ("pretrain", "finetune", "alignment", "distillation")
_READ = ("pretrain", "finetune")  # of them, those that may learn every token of a text
_CHATS = ("messages", "prompt-completion")
_TAUGHT = (*_CHATS, "text")  # what a pretraining can read; of other rows only the tokenizer learns


@dataclass(frozen=True, slots=True)
class Base:
    """A model from outside, and what its twin is made of."""

    node: Node
    facts: Model
    family: str
    data: tuple[str, ...]  # the datasets whose words it has
    taught: tuple[str, ...]  # those of them that it learns from
    chats: bool
    trained: bool  # something goes on training it
    tuned: bool  # a finetune does, which is to show that it taught something
    after: str = ""  # the model whose twin this one goes on from: what is merged is a short continuation of one base
    number: int = 0  # among those
    row: int = ROW  # tokens of a chat that it is taught
    plain: tuple[tuple[str, Node], ...] = ()  # in place of chats as they are served: the same without what prompts put before

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """A tokenizer of the graph's own data, a model of the same family, and a short pretraining under the old name."""
        name = self.node.name
        if self.after:
            short = {**self._pretrain(self.after), "steps": APART, "until": None, "seed": SEED + self.number}
            yield name, self._inserted("pretrain", name, short)._replace(owner="")
            return
        template = self.facts.template if self.facts.template not in (None, "", "own") else "chatml"
        algorithm = {"algorithm": "byte-bpe", "pre": "qwen2"} if self.facts.form == "byte-bpe" else {"algorithm": "bpe"}
        tokenizer = {"corpus": list(self.data), "vocab": PIECES, "chat_template": template, **algorithm}
        scratch = {"family": self.family, "context": min(self.facts.context or LONGEST, LONGEST), **SHAPE}
        yield f"{name}.tokenizer", self._inserted("tokenizer", f"{name}.tokenizer", tokenizer)
        model = {"scratch": scratch, "tokenizer": f"{name}.tokenizer", "seed": SEED}
        if not self.taught:
            yield name, self._inserted("model", name, model)._replace(owner="")
            return
        yield from ((each.name, each) for _, each in self.plain)
        yield f"{name}.scratch", self._inserted("model", f"{name}.scratch", model)
        yield name, self._inserted("pretrain", name, self._pretrain(f"{name}.scratch"))._replace(owner="")

    def _pretrain(self, model: str) -> dict[str, Any]:
        """The short pretraining, from a model on."""
        plain = {name: node.name for name, node in self.plain}
        return {
            "model": model,
            "data": [plain.get(each, each) for each in self.taught],
            "steps": PRIMED if self.trained and not self.plain else TAUGHT,
            "until": FORM if self.tuned and self.chats and not self.plain else None,
            "context": self.row,
            "batch_tokens": CHATS * self.row,
            "loss_on": "assistant" if self.chats else "all",
            "packing": not self.chats,
            "precision": "bf16",
            "seed": SEED,
            **LEARNING,
        }

    def _inserted(self, stem: str, name: str, values: Mapping[str, Any]) -> Node:
        kind = kinds.load(stem)
        spec = kind.Spec.model_validate(dict(values))
        shape = shape_of(kind, spec)
        edges = tuple(Edge(link.field, link.name, link.order) for link in shape.links)
        return self.node._replace(
            name=name, kind=stem, shape=shape, edges=edges, load=_constant(spec), digest="", owner=self.node.name
        )


def rehearsal(graph: Graph, real: Settlement) -> Graph:
    """Every node as its kind would have it in a rehearsal; edges stay as they are but for those of models from outside."""
    vertices: dict[str, Vertex] = {
        name: _small(vertex, graph, real) if isinstance(vertex, Node) else vertex for name, vertex in graph.vertices.items()
    }
    for base in bases(graph, real):
        vertices |= {name: _waiting(node, graph) for name, node in base.nodes()}
    vertices |= {each.name: each for node in graph.nodes() for each in _compared(node, graph, real)}
    order, _ = ordered({name: [edge.source for edge in vertex.edges] for name, vertex in vertices.items()})
    return replace(graph, vertices={name: vertices[name] for name in order})


def _compared(node: Node, graph: Graph, real: Settlement) -> Iterator[Node]:
    """A node that must be better than an untrained twin, and its parts once more, of what its model was before it learned."""
    asked = {gate.measure.split(".")[1] for gate in node.shape.twin_gates if gate.measure.startswith(f"{_UNTRAINED}.")}
    held = {name: graph.vertices.get(f"{node.name}.{name}") for name in sorted(asked)}
    parted = {name: part for name, part in held.items() if isinstance(part, Node)}  # who trains compares its own first step
    if not parted:
        return
    model = next((edge.source for edge in node.edges if edge.field == "model"), "")
    first, teachers = _before_it_learned(model, graph)
    # what nothing on the way taught it is no matter of this graph, nor are texts of which it only learned the answers
    told = {name: part for name, part in parted.items() if teachers and _is_taught(part, teachers, real)}
    left = tuple(gate for gate in node.shape.twin_gates if not _is_about(gate, parted.keys() - told))
    parts = []
    for name, real_part in told.items():
        part = _small(real_part, graph, real)
        spec = part.spec.model_copy(update={"model": Ref(first)})
        edges = [edge._replace(source=first) if edge.field == "model" else edge for edge in part.edges if not edge.order]
        made = part._replace(name=f"{node.name}.{_UNTRAINED}-{name}", edges=tuple(edges), load=_constant(spec), digest="")
        parts.append(_waiting(made, graph))
    own = tuple(Edge(f"parts.{each.name.removeprefix(f'{node.name}.')}", each.name) for each in parts)
    yield from parts
    yield node._replace(edges=(*node.edges, *own), shape=node.shape._replace(twin_gates=left))


def _is_about(gate: Gate, names: Collection[str]) -> bool:
    parts = gate.measure.split(".")
    return parts[0] == _UNTRAINED and parts[1] in names


def _is_taught(part: Node, teachers: Sequence[Node], real: Settlement) -> bool:
    """Whether a part asks what the model learned on the way: of a text, that something learned every token of its dataset.

    Who learns answers, or other texts, may well foretell this one worse than before.
    """
    if part.kind != "perplexity":
        return True
    read = next(edge.source for edge in part.edges if edge.field == "perplexity")
    return any(
        edge.source == read and (_format(real, read) == "text" or node.spec.loss_on == "all")
        for node in teachers
        if node.kind in _READ
        for edge in node.edges
        if not edge.order
    )


def _before_it_learned(name: str, graph: Graph) -> tuple[str, list[Node]]:
    """What a model was made of at first, and what it learned by on the way."""
    teachers: list[Node] = []
    vertex = graph.vertices[name]
    while not (isinstance(vertex, Node) and vertex.kind == "model"):
        if isinstance(vertex, Node):
            teachers += [vertex] if vertex.kind in _TRAINS else []
            made = [edge for edge in vertex.edges if not edge.order and edge.field.partition(".")[0] in _MADE_OF]
            made.sort(key=lambda edge: _MADE_OF.index(edge.field.partition(".")[0]))
        else:
            made = [edge for edge in vertex.edges if not edge.order]
        if not made:
            return "", []
        name = made[0].source
        vertex = graph.vertices[name]
    return name, teachers


def _waiting(node: Node, graph: Graph) -> Node:
    """The proofs of its data come first, as everywhere."""
    proofs = [f"{edge.source}.proof" for edge in node.edges if f"{edge.source}.proof" in graph.vertices]
    return node._replace(edges=(*node.edges, *(Edge("proof", name, order=True) for name in proofs)))


def bases(graph: Graph, real: Settlement) -> list[Base]:
    """The models from outside. Those of one family and tokenizer learn the same, so that they are one and can be merged."""
    found = {node.name: node for node in graph.nodes() if node.kind == "model" and node.spec.scratch is None}
    facts = {name: _facts(real, name) for name in found}
    alike: dict[tuple[str, str], list[str]] = {}
    for name, told in facts.items():
        alike.setdefault((_family(found[name], told), told.tokenizer or name), []).append(name)
    made: list[Base] = []
    for (family, _), names in alike.items():
        data = _data(graph, names)
        taught = tuple(each for each in data if _format(real, each) in (*_TAUGHT, None))
        apart = _merged(graph, names) if taught else []
        for name in names:
            number = apart.index(name) if name in apart else 0
            trained, tuned = _is_trained(graph, names), _is_trained(graph, names, ("finetune",))
            base = Base(found[name], facts[name], family, data, taught, _are_chats(taught, real), trained, tuned)
            plain = tuple((each, node) for each in taught if (node := _plain(graph, each)) is not None)
            base = replace(base, row=_row([each for each in taught if each not in dict(plain)], real), plain=plain)
            made.append(replace(base, after=apart[0], number=number) if number else base)
    return made


def _merged(graph: Graph, names: Sequence[str]) -> list[str]:
    """Those of these models that one merge takes more than one of, by its edges."""
    for node in graph.nodes():
        taken = list(dict.fromkeys(edge.source for edge in node.edges if edge.source in names and not edge.order))
        if node.kind == "merge" and len(taken) > 1:
            return [name for name in names if _feeds_merges(graph, name)]
    return []


def _feeds_merges(graph: Graph, name: str) -> bool:
    return any(node.kind == "merge" and any(edge.source == name for edge in node.edges) for node in graph.nodes())


def _facts(real: Settlement, name: str) -> Model:
    facts = real.nodes[name].facts
    return facts if isinstance(facts, Model) else Model()


def _family(node: Node, facts: Model) -> str:
    """The family that stands for one of a model; what is not known cannot be rehearsed."""
    family = _ALIKE.get(facts.family or "", facts.family or "")
    if family not in FAMILIES:
        says = (
            f"of family `{facts.family}`" if facts.family else "whose family is not known: its config.json is not on this machine"
        )
        raise ZycError(problem("no-twin", node.span, name=node.name, says=says, families=", ".join(FAMILIES)))
    return family


def _data(graph: Graph, names: Sequence[str]) -> tuple[str, ...]:
    """What is trained on above these models; where nothing is, every dataset that does not stand on them itself."""
    above = graph.downstream(names)
    given = [
        source
        for node in graph.nodes()
        if node.kind in _TRAINS and node.name in above
        for edge in node.edges
        for source in _members(graph, edge.source)
    ]
    every = [node.name for node in graph.nodes()]
    for among in (given, every):
        told = tuple(dict.fromkeys(name for name in among if name not in above and _gives(graph, name, Dataset)))
        if told:
            return told
    node = graph.vertices[names[0]]
    raise ZycError(problem("no-twin-data", node.span, name=names[0]))


def _members(graph: Graph, name: str) -> list[str]:
    vertex = graph.vertices[name]
    return [edge.source for edge in vertex.members] if isinstance(vertex, Cluster) else [name]


def _gives(graph: Graph, name: str, wanted: type) -> bool:
    vertex = graph.vertices[name]
    if isinstance(vertex, Choice):
        return _gives(graph, vertex.takes[0][1], wanted)
    return isinstance(vertex, Node) and vertex.shape.yields == wanted.__name__


def _are_chats(data: Sequence[str], real: Settlement) -> bool:
    return all(_format(real, name) in (*_CHATS, None) for name in data)


def _plain(graph: Graph, name: str) -> Node | None:
    """Chats as they were before they were put under prompts: copying is learned from questions first, then below passages.

    So philo-premium's twin answers 89 % of its exam. A base that had read passages, too, or that was taught for a quarter of the
    time, left a finetune that wrote answers of the right form and with the wrong words.
    """
    node = graph.vertices[name]
    if not isinstance(node, Node) or node.kind != "dataset" or node.spec.served is None:
        return None
    kind = kinds.load(node.kind)
    spec = kind.twin(node.spec).model_copy(update={"served": None, "gates": (), "twin": ()})
    shape = shape_of(kind, spec)
    edges = tuple(Edge(link.field, link.name, link.order) for link in shape.links)
    return node._replace(name=f"{name}.plain", shape=shape, edges=edges, load=_constant(spec), digest="", owner=name)


def _row(data: Sequence[str], real: Settlement) -> int:
    """Tokens of a chat. Its own few pieces make more of a passage than a vocabulary of today, of which there are more."""
    told = [facts.prompted or 0 for name in data if isinstance(facts := real.nodes[name].facts, Dataset)]
    return min(ROW + SMALL * max(told, default=0), LONGEST)


def _format(real: Settlement, name: str) -> str | None:
    facts = real.nodes[name].facts
    return facts.format if isinstance(facts, Dataset) else None


def _is_trained(graph: Graph, names: Sequence[str], by: Collection[str] = _TRAINS) -> bool:
    above = graph.downstream(names) - set(names)
    return any(node.kind in by and node.name in above for node in graph.nodes())


def _small(node: Node, graph: Graph, real: Settlement) -> Node:
    kind = kinds.load(node.kind)
    placed = {name: value for name, value in node.shape.placement if name in ROOM and value not in (None, ROOM[name])}
    cramped = bool(placed) and node.kind != "step"  # whose command is the user's own, at any size
    if type(kind).twin is Kind.twin and type(kind).decided is Kind.decided and not cramped:
        return node  # no rule of its own: the same at any size
    spec = node.spec
    small = kind.twin(spec if type(kind).decided is Kind.decided else kind.decided(real.case(node)))
    if node.kind == "pretrain" and small.loss_on == "all" and _is_trained(graph, [node.name]):
        small = small.model_copy(update=GENTLE)
    if cramped:
        small = small.model_copy(update={"placement": small.placement.model_copy(update={name: ROOM[name] for name in placed})})
    if small == spec:
        return node
    shape = shape_of(kind, small)
    kept = node.shape._replace(needs=shape.needs, resumes=shape.resumes, placement=shape.placement)
    return node._replace(shape=kept, load=_constant(small), digest="")


def _constant(spec: Spec):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return lambda: spec
