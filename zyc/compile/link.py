"""Declarations -> the typed graph: names resolved, families mapped and collected, what lies between two types inserted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from zyc import kinds
from zyc.compile.choose import Choices
from zyc.compile.declared import Declaration, Member
from zyc.compile.matrix import FAMILY_LIMIT
from zyc.compile.names import Target, Unlinked
from zyc.compile.validate import AnyKind, field_words, owner_words, shape_of
from zyc.errors import Span, guess, listing, problem
from zyc.fields import Ref, Select
from zyc.gates import Gate
from zyc.graph import Cluster, Edge, Family, Graph, Link, Node, Part, Search, Shape, ordered
from zyc.kind import Spec
from zyc.measures import known
from zyc.types import TYPES, Artifact

Coordinates = Mapping[str, str]


_LONGEST_MEMBER = 200


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a reference stands: in which member of which declaration, and the choices that were already made for it."""

    node: Declaration
    coordinates: Coordinates = field(default_factory=dict)
    member: str = ""
    home: str = ""  # what choices are called after: the member, or all of the declaration when its members choose alike
    choices: dict[tuple[object, str], str] = field(default_factory=dict)  # a select and the type that it is for -> its vertex


@dataclass(slots=True)
class Linker(Choices):
    """The graph as it grows, inputs before what stands on them."""

    handed: dict[str, tuple[tuple[Gate, ...], tuple[Gate, ...]]] = field(default_factory=dict)  # gates for proofs further behind
    waiting: dict[tuple[str, str], Declaration] = field(default_factory=dict)  # of a node and a measure: nothing measures it yet

    def graph(self) -> Graph:
        """Link everything that can be linked."""
        nodes = self.declared.nodes
        needs = {name: [_base(link) for link in names_of(node)] for name, node in nodes.items()}
        order, cycles = ordered(needs)
        for cycle in cycles:
            self._cycle(cycle)
        broken = [name for name, node in nodes.items() if node.broken]
        for name in order:
            if not nodes[name].broken:
                self._declaration(nodes[name])
        self._unknown_in(broken)
        for search in self.searches.values():
            with suppress(Unlinked):
                self._judged(search)
        for (name, measure), node in self.waiting.items() if not any(each.broken for each in nodes.values()) else ():
            hint = "only the proof of what stands behind it does: name it where that is wanted, or remove the gate"
            facts = {"owner": owner_words(node.kind.name, name), "measure": measure, "hint": hint}
            self._trouble(node, problem("unknown-measure", node.at("gates"), **facts))
        return Graph(self.vertices, self.families, self.declared.headers, self.searches)

    def _cycle(self, cycle: Sequence[str]) -> None:
        """Nodes that need each other, and where each says so."""
        nodes = [self.declared.nodes[name] for name in cycle]
        at = [
            next(here.at(link.field) for member in here.members for link in _links(member.shape) if after.name in _bases(link))
            for here, after in pairwise(nodes[:20])
        ]
        if len(cycle) == 2:
            self._trouble(nodes[0], problem("own-cycle", *at, owner=owner_words(nodes[0].kind.name, nodes[0].name)))
            return
        words = [f"`{name}`" for name in cycle]
        if len(words) > 12:
            words[6:-2] = [f"({len(words) - 8:,} more)"]
        self._trouble(nodes[0], problem("cycle", *at, path=" -> ".join(words)))

    def _unknown_in(self, broken: Sequence[str]) -> None:
        """A node that has other problems is still told of all names that nobody has."""
        for node in (self.declared.nodes[name] for name in broken):
            for link in (link for member in node.members for link in _links(member.shape)):
                for name in _written(link):
                    with suppress(Unlinked):
                        self._target(node, name, link.field)

    def _judged(self, search: Search) -> None:
        """A search is led by the numbers of a family that stands on it, or by its own."""
        node, judge = self.declared.nodes[search.family], self.families.get(search.judge)
        if judge is None or not set(self.families[search.family].axes) <= set(judge.axes):
            reason, help_ = f"`{search.judge}` does not stand on `{search.family}`, so it cannot judge its members", ""
            if search.judge not in self.declared.nodes:
                reason, help_ = (
                    f"no node `{search.judge}`",
                    guess(search.judge, self.declared.nodes, otherwise="`from` is a family"),
                )
            elif self.declared.nodes[search.judge].broken:
                raise Unlinked
            at = node.at("search.from")
            self._trouble(node, problem("bad-search", at, name=search.family, reason=reason, help=help_))
        else:
            self._measures(
                node, "search.max" if search.largest else "search.min", self.declared.nodes[judge.name], search.measure
            )

    # --- families ---

    def _declaration(self, node: Declaration) -> None:
        if self._is_single(node):
            with suppress(Unlinked):
                self._node(Stand(node, {}, node.name, node.name), node.members[0])
                return
            node.broken = True
            self._unknown_in([node.name])
            return
        try:
            node.members[:] = [self._spread(node, member) for member in node.members]
            listed = [(member, *self._joined(node, member)) for member in node.members]
        except Unlinked:
            node.broken = True
            self._unknown_in([node.name])
            return
        axes = {tuple(sorted(axes)) for _, axes, _ in listed}
        if len(axes) > 1:
            self._trouble(node, problem("uneven-family", node.span, name=node.name))
            return
        if listed and listed[0][1] and not self._family(node, listed[0][1], [row for _, _, them in listed for row in them]):
            return
        if node.search is not None:
            self.searches[node.name] = node.search
        choices: dict[tuple[object, str], str] = {}
        alike = len({tuple(link.select for link in member.shape.links) for member in node.members}) == 1
        for member, names, rows_of in listed:
            for row in rows_of:
                name = node.name + "".join(f"@{axis}={row[axis]}" for axis in names)
                stand = Stand(node, row if names else {}, name, node.name if alike else name, choices)
                try:
                    self._node(stand, member)
                except Unlinked:
                    node.broken = True

    def _spread(self, node: Declaration, member: Member) -> Member:
        """A member whose kind makes parts of each entry of a list: families in it are written out, member by member."""
        spread: dict[str, list[Ref[Artifact]]] = {}
        families = False
        for link in member.shape.links:
            field = link.field.partition(".")[0]
            if field not in node.kind.spreads:
                continue
            each = [link.name]
            if link.select is None:
                target, (_, suffixes) = self._target(node, link.name, link.field), self._stem(link.name)
                if target.family is not None:
                    families = True
                    each = [".".join((target.family.member(row), *suffixes)) for row in target.rows]
            select = Select(*link.select) if link.select else None
            spread.setdefault(field, []).extend(Ref(name, TYPES[link.accepts], select) for name in each)
        if not families:
            return member
        spec = member.load().model_copy(update={field: tuple(refs) for field, refs in spread.items()})
        return member._replace(shape=shape_of(node.kind, spec), load=lambda: spec, digest="")

    def _family(self, node: Declaration, names: tuple[str, ...], labels: Sequence[Mapping[str, str]]) -> bool:
        """Take in the family that a node is, if it can be one."""
        rows = tuple(tuple(row[axis] for axis in names) for row in labels)
        family = Family(node.name, names, rows)
        # a member's name is that of a folder
        length = max(sum(map(len, row)) for row in rows) + len(family.member(("",) * len(names))) + len(names)
        if len(rows) > FAMILY_LIMIT:
            self._trouble(node, problem("family-too-large", node.span, name=node.name, count=len(rows), limit=FAMILY_LIMIT))
        elif length > _LONGEST_MEMBER:
            facts = {"name": node.name, "length": length, "limit": _LONGEST_MEMBER}
            self._trouble(node, problem("member-too-long", node.span, **facts))
        else:
            self.families[node.name] = family
            unread = set(node.members[0].unread).intersection(*(member.unread for member in node.members))
            unread = {axis for axis in unread if (node.name, axis) not in self.picked}
            if unread:
                self.unread[node.name] = tuple(sorted(unread))
        return not node.broken

    def _is_single(self, node: Declaration) -> bool:
        """Most nodes have nothing to do with families, and need not ask about them."""
        if len(node.members) != 1 or node.members[0].row.labels or node.search is not None:
            return False
        shape = node.members[0].shape
        return not shape.parts and not any(link.select or _base(link.name) in self.families for link in shape.links)

    def _joined(self, node: Declaration, member: Member) -> tuple[tuple[str, ...], list[dict[str, str]]]:
        """The axes and coordinates of what a member becomes when the families that it names are mapped along it."""
        axes = [axis for axis, _ in member.row.labels]
        rows = [dict(member.row.labels)]
        came = dict.fromkeys(axes, node.name)
        for link in _links(member.shape):
            if link.collects or link.order or link.select:
                continue
            target = self._target(node, link.name, link.field)
            if target.family is None or not target.free:
                continue
            rows = self._join(node, link, target, rows, came)
            self.picked.update((node.name, axis) for axis in target.free)
            for axis in target.free:
                if axis not in axes:
                    axes.append(axis)
                    came[axis] = target.family.name
        return tuple(axes), rows

    def _join(
        self, node: Declaration, link: Link, target: Target, rows: list[dict[str, str]], came: Mapping[str, str]
    ) -> list[dict[str, str]]:
        """The rows beside those of a family that agree on the axes of both; neither may have one too many."""
        assert target.family is not None
        shared = [axis for axis in target.free if axis in came]
        index: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for row in target.rows:
            labels = {axis: label for axis, label in zip(target.family.axes, row, strict=True) if axis in target.free}
            index.setdefault(tuple(labels[axis] for axis in shared), []).append(labels)
        here = {tuple(each[axis] for axis in shared) for each in rows}
        # a matrix of its own may take a part of a family
        partial = any(came[axis] == node.name for axis in shared)
        if here - index.keys() or (index.keys() - here and not partial):
            axis = shared[0]
            left = _few(each[axis] for each in rows)
            right = _few(labels[axis] for them in index.values() for labels in them)
            facts = {"one": f"`{came[axis]}`", "left": left, "two": f"`{target.family.name}`", "right": right}
            self._trouble(node, problem("axes-differ", node.at(link.field), name=node.name, axis=axis, **facts))
            raise Unlinked
        count = sum(len(index[tuple(each[axis] for axis in shared)]) for each in rows)
        if count > FAMILY_LIMIT:
            at = node.at(link.field)
            self._trouble(node, problem("family-too-large", at, name=node.name, count=count, limit=FAMILY_LIMIT))
            raise Unlinked
        return [{**each, **labels} for each in rows for labels in index[tuple(each[axis] for axis in shared)]]

    # --- names ---

    def _vertex(self, node: Declaration, link: Link, coordinates: Coordinates) -> str:
        """The vertex that a reference leads to, before any coercion but those that it names."""
        plain = self.declared.nodes.get(link.name)
        if plain is not None and not plain.broken and link.name not in self.families:
            return link.name
        if link.name in self.vertices and ("@" in link.name or "." in link.name):
            return link.name
        stem, suffixes = self._stem(link.name)
        vertex = self._declared_vertex(node, link._replace(name=stem), coordinates)
        for suffix in suffixes:
            vertex = self._behind(node, link, vertex, suffix)
        return vertex

    def _behind(self, node: Declaration, link: Link, vertex: str, suffix: str) -> str:
        """What stands behind a node by the name of a suffix: there already, or inserted because it is named."""
        if vertex not in self.vertices:
            raise Unlinked
        name = f"{vertex}.{suffix}"
        made = next((each for them in kinds.coercions().values() for each in them if each.suffix == suffix), None)
        if name not in self.vertices and made is not None and made.coerces is not None:
            name = self._coerced(node, link._replace(accepts=made.coerces[1].__name__), vertex)
        if name not in self.vertices or not name.endswith(f".{suffix}"):
            here = [each for each in self.vertices if each.startswith(f"{vertex}.")]
            hint = guess(name, here, otherwise=f"`{vertex}` has no `.{suffix}`")
            self._trouble(node, problem("unknown-node", node.at(link.field), name=link.name, hint=hint))
            raise Unlinked
        return name

    def _declared_vertex(self, node: Declaration, link: Link, coordinates: Coordinates) -> str:
        target = self._target(node, link.name, link.field)
        family = target.family
        if family is None:
            return target.node.name
        if link.collects:
            return self._cluster(target)
        fixed = dict(zip(family.axes, target.rows[0], strict=True))
        return family.member(tuple(coordinates[axis] if axis in target.free else fixed[axis] for axis in family.axes))

    def _cluster(self, target: Target) -> str:
        family = target.family
        assert family is not None
        whole = len(target.rows) == len(family.rows)
        fixed = [axis for at, axis in enumerate(family.axes) if len({row[at] for row in target.rows}) == 1]
        name = family.name + "".join(f"@{axis}={target.rows[0][family.axes.index(axis)]}" for axis in fixed if not whole) + "@*"
        if name not in self.vertices:
            edges = []
            for row in target.rows:
                label = ",".join(f"{axis}={value}" for axis, value in zip(family.axes, row, strict=True))
                member = family.member(row)
                if member not in self.vertices:
                    raise Unlinked
                edges.append(Edge(label, member))
            self.vertices[name] = self._collected(name, edges, target.node.span)
        return name

    def _collected(self, name: str, members: Sequence[Edge], span: Span) -> Cluster:
        """Whoever takes all of a family waits for the proof of each member."""
        proofs = [f"{edge.source}.proof" for edge in members if f"{edge.source}.proof" in self.vertices]
        return Cluster(name, tuple(members), span, tuple(proofs))

    # --- nodes ---

    def _node(self, stand: Stand, member: Member) -> None:
        shape, node, name, coordinates = member.shape, stand.node, stand.member, stand.coordinates
        theirs = self._hand_on(node, name, shape)
        shape = shape._replace(
            gates=tuple(each for each in shape.gates if each.measure not in theirs),
            twin_gates=tuple(each for each in shape.twin_gates if each.measure not in theirs),
        )
        edges = self._edges(stand, name, shape.links)
        edges += [Edge(f"parts.{part.suffix}", self._part(stand, part, name)) for part in shape.parts]
        self.vertices[name] = Node(
            name, node.kind.name, shape, self._with_verdicts(edges), node.span, member.load, member.digest, member.values,
            family=node.name if coordinates else "", coordinates=tuple(coordinates.items()),
        )  # fmt: skip
        self._proof(stand, name, member.shape, node.kind)

    def _hand_on(self, node: Declaration, name: str, shape: Shape) -> set[str]:
        """The measures that are not its own: those of its proof, and those of the proofs of what is put behind it."""
        others = {each.measure for each in (*shape.gates, *shape.twin_gates) if not known(each.measure, node.kind.measures)}
        if not others:
            return others
        proof = kinds.proves(node.kind) if shape.proof else {}
        later = [measure for each in kinds.behind(TYPES[shape.yields]) for measure in kinds.proves(each)]
        handed = {each for each in others if not known(each, proof) and known(each, later)}
        if handed:
            gates, rehearsed = (
                tuple(each for each in told if each.measure in handed) for told in (shape.gates, shape.twin_gates)
            )
            self.handed[name] = gates, rehearsed
            self.waiting |= {(node.name, each): node for each in handed}
        return handed | {each for each in others if known(each, proof)}

    def _insert(
        self, stand: Stand, name: str, kind: AnyKind, spec: Spec, edges: Callable[[Shape], list[Edge]], span: Span
    ) -> None:
        shape = shape_of(kind, spec)
        made = Node(name, kind.name, shape, self._with_verdicts(edges(shape)), span, lambda: spec, owner=stand.node.name)
        self.vertices[name] = made
        self._proof(stand, name, shape, kind)

    def _part(self, stand: Stand, part: Part, owner: str) -> str:
        name = f"{owner}.{part.suffix}"
        kind = kinds.load(part.kind)
        spec = kind.Spec.model_validate(dict(part.fields))
        self._insert(stand, name, kind, spec, lambda shape: self._edges(stand, name, shape.links), stand.node.span)
        return name

    def _proof(self, stand: Stand, subject: str, shape: Shape, kind: AnyKind) -> None:
        """Beside every transformation stands the node that measures whether it kept its promise."""
        if shape.proof is None:
            return
        prover = kinds.load(shape.proof.kind)
        sought = {field: self._nearest(subject, start, wanted) for field, (start, wanted) in prover.seeks.items()}
        found = {field: name for field, name in sought.items() if name is not None}
        spec = prover.Spec.model_validate({**shape.proof.fields, **found, "subject": subject})
        told = shape_of(prover, spec)
        gates, twins = self.handed.get(subject, ((), ()))
        written, rehearsed = (
            [
                each
                for each in (*(mine for mine in own if not known(mine.measure, kind.measures)), *came)
                if known(each.measure, prover.measures)
            ]
            for own, came in ((shape.gates, gates), (shape.twin_gates, twins))
        )
        for gate in (*gates, *twins):
            if known(gate.measure, prover.measures):
                self.waiting.pop((stand.node.name, gate.measure), None)
        told = told._replace(gates=_override(told.gates, written), twin_gates=_override(told.twin_gates, rehearsed))
        name, node = f"{subject}.{shape.proof.suffix}", stand.node
        edges = self._edges(stand, name, told.links)
        self.vertices[name] = Node(name, prover.name, told, self._with_verdicts(edges), node.span, lambda: spec, owner=node.name)

    def _nearest(self, subject: str, start: str, wanted: type[Artifact]) -> str | None:
        """The nearest node of a type that a field of the subject leads back to, if any."""
        layer = [edge.source for edge in self.vertices[subject].edges if edge.field == start]
        seen = set(layer)
        while layer:
            found = next((name for name in layer if issubclass(self._type(name), wanted)), None)
            if found is not None:
                return found
            above = [edge.source for name in layer for edge in self.vertices[name].edges if not edge.order]
            layer = [name for name in dict.fromkeys(above) if name not in seen]
            seen.update(layer)
        return None

    def _edges(self, stand: Stand, name: str, links: Sequence[Link]) -> list[Edge]:
        edges, node = [], stand.node
        choices = len({(link.select, link.accepts) for link in links if link.select})
        called = stand.home + name.removeprefix(stand.member)
        for link in links:
            if link.select is None:
                vertex = self._vertex(node, link, stand.coordinates)
            elif (link.select, link.accepts) in stand.choices:
                vertex = stand.choices[link.select, link.accepts]
            else:
                vertex = self._choice(node, called if choices == 1 else f"{called}.{link.field}", link)
                stand.choices[link.select, link.accepts] = vertex
            if vertex not in self.vertices:
                raise Unlinked
            source = vertex if link.order else self._coerced(node, link, vertex)
            edges.append(
                Edge(_alone(link, links) if isinstance(self.vertices[source], Cluster) else link.field, source, link.order)
            )
        return edges

    def _with_verdicts(self, edges: Sequence[Edge]) -> tuple[Edge, ...]:
        """A node waits for the proofs of what it takes, whatever field they are asked for in."""
        proofs = [f"{edge.source}.proof" for edge in edges if f"{edge.source}.proof" in self.vertices]
        if not proofs:
            return tuple(edges)
        taken = {edge.source for edge in edges}
        return (*edges, *(Edge("proof", name, order=True) for name in dict.fromkeys(proofs) if name not in taken))

    # --- types ---

    def _that_give(self, wanted: type[Artifact], reader: Declaration) -> str:
        """The nodes of this project that could stand where a type is wanted."""
        told = [
            name
            for name, node in self.declared.nodes.items()
            if node is not reader and node.members and kinds.path_between(TYPES[node.members[0].shape.yields], wanted) is not None
        ]
        return listing(told, f"to give {wanted.says} there is") or f"nothing in this project gives {wanted.says}"

    def _coerced(self, node: Declaration, link: Link, vertex: str) -> str:
        """The vertex, or what the compiler puts behind it so that the field gets the type that it takes."""
        here = self.vertices[vertex]
        if isinstance(here, Cluster):
            turned = [Edge(edge.field, self._coerced(node, link, edge.source)) for edge in here.members]
            moved = next(
                (new.source.removeprefix(old.source) for new, old in zip(turned, here.members, strict=True) if new != old), None
            )
            if moved is None:
                return vertex
            self.vertices.setdefault(vertex + moved, self._collected(vertex + moved, turned, here.span))
            return vertex + moved
        given, wanted = self._type(vertex), TYPES[link.accepts]
        if issubclass(given, wanted):
            return vertex
        path = kinds.path_between(given, wanted)
        if path is None:
            owner, at = owner_words(node.kind.name, node.name), node.at(link.field)
            facts = {"field": field_words(link.field), "owner": owner, "wanted": wanted.says, "name": vertex, "given": given.says}
            facts["hint"] = self._that_give(wanted, node)
            self._trouble(node, problem("no-way-between", at, here.span, **facts))
            raise Unlinked
        for kind in path:
            name = f"{vertex}.{kind.suffix}"
            if name not in self.vertices:
                follows = {field: self._followed(vertex, theirs) for field, theirs in kind.follows.items()}
                sources = {"source": vertex, **follows}
                spec = kind.Spec.model_validate({"source": Ref(vertex, TYPES[link.accepts]), **follows})
                sources |= {
                    each.field: self._coerced(node, each._replace(field=link.field), each.name)
                    for each in shape_of(kind, spec).links
                    if each.field in follows
                }
                self.handed[name] = self.handed.get(vertex, ((), ()))
                self._insert(Stand(self._owner(vertex)), name, kind, spec, partial(_given, sources), here.span)
            vertex = name
        return vertex

    def _followed(self, vertex: str, fields: Sequence[str]) -> str:
        """What the source of a coercion takes itself, in the first of these fields that it has."""
        taken = {edge.field: edge.source for edge in self.vertices[vertex].edges}
        return next(taken[field] for field in fields if field in taken)

    # --- choices ---


def _given(sources: Mapping[str, str], _: Shape) -> list[Edge]:
    return [Edge(field, each) for field, each in sources.items()]


def _alone(link: Link, links: Sequence[Link]) -> str:
    """A family that is all of a list stands in the place of the list: `in/scores/rank=8`, not `in/scores/0/rank=8`."""
    outer, _, at = link.field.rpartition(".")
    return outer if at == "0" and not any(each.field == f"{outer}.1" for each in links) else link.field


def _links(shape: Shape) -> Iterator[Link]:
    """The references of a node and of its parts, as far as the spec names them."""
    yield from shape.links
    for part in shape.parts:
        kind = kinds.load(part.kind)
        yield from shape_of(kind, kind.Spec.model_validate(dict(part.fields))).links


def _written(link: Link) -> tuple[str, ...]:
    """The names that a reference is written with: a select has a judge, and perhaps what to take."""
    return tuple(name for name in dict.fromkeys((link.name, *((link.select[0], link.select[3]) if link.select else ()))) if name)


def _bases(link: Link) -> tuple[str, ...]:
    """The nodes that a reference is about."""
    return tuple(_base(name) for name in _written(link))


def _base(name: str) -> str:
    """The declared node in a name such as `philo-lora@rank=8.fused`."""
    return name.partition("@")[0].partition(".")[0]


def _few(labels: Iterable[str]) -> str:
    """Some labels in a sentence."""
    each = list(dict.fromkeys(labels))
    return ", ".join(each[:8]) + (f" and {len(each) - 8:,} more" if len(each) > 8 else "")


def names_of(node: Declaration) -> list[str]:
    """The names that a node's references are written with."""
    return list(dict.fromkeys(name for member in node.members for link in _links(member.shape) for name in _written(link)))


def _override(defaults: Sequence[Gate], written: Sequence[Gate]) -> tuple[Gate, ...]:
    named = {gate.measure for gate in written}
    return (*(gate for gate in defaults if gate.measure not in named), *written)
