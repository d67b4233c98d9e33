"""A node of a project as a face, with its inputs packed: what `zyc render NODE --as ...` writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zyc import __version__, kinds
from zyc.catalogue import devices
from zyc.elsewhere import faces, parcel
from zyc.elsewhere.faces import Face, Input
from zyc.errors import Problem, ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Edge, Node
from zyc.keeping.store import Store
from zyc.kind import EnvironmentNeed, Estimate, HubNeed, PinNeed
from zyc.place.project import slug
from zyc.planning import folder as folders
from zyc.planning.plan import Forward
from zyc.planning.why import files_of, recipe_fields

_FACES = "faces"
L4 = 22e9  # bytes that Colab's holds


@dataclass
class Away:
    """One node, about to leave."""

    front: Front
    node: Node

    def __post_init__(self) -> None:
        plan = self.front.plan
        self.settlement = plan.settlement
        self.store = Store.open(self.front.world, self.front.project.store)
        self.forward = Forward(self.settlement, plan.history)
        for vertex in plan.graph.vertices.values():
            if isinstance(vertex, Cluster):
                self.forward.cluster(vertex)
            elif isinstance(vertex, Choice):
                self.forward.choice(vertex)
            else:
                self.forward.learn(vertex.name, plan.decisions[vertex.name].key, plan.history.traces.get(self._key(vertex)))

    def _key(self, node: Node) -> str:
        return self.front.plan.decisions[node.name].key or ""

    @property
    def edges(self) -> list[Edge]:
        """The inputs that count for its key."""
        return [edge for edge in self.node.edges if not edge.order]

    def face(self) -> Face:
        """What is said of it elsewhere; an error while an input is neither here nor to be fetched there."""
        node, known = self.node, self.settlement.known
        inputs = (*self._trees(), *self._files())
        fetched = [each for each in inputs if each.how == "made here" and not each.tree]
        manifest, _ = self.forward.manifest(node)
        labels = [kinds.label(node.kind, edge.field) for edge in self.edges]
        rendered = self.settlement.rendered(node)
        needs = node.shape.needs
        pins = {need.name: known.pins.get(need.name, "") for need in needs if isinstance(need, PinNeed)}
        packages = (f"{name.removeprefix('package:')}=={pin}" for name, pin in pins.items() if name.startswith("package:"))
        recipes = (rendered, *(each.recipe for each in inputs if each.recipe is not None))
        return Face(
            node=node.name,
            name=slug(node.name),
            kind=node.kind,
            about=node.shape.about,
            twin=self.front.call.twin,
            key="" if fetched else self._key(node),
            manifest=faces.known_manifest(manifest, labels, (f"in/{each.place}" for each in fetched)),
            fields=tuple(sorted({**recipe_fields(node, known), **files_of(node, known)}.items())),
            placement=dict(node.shape.placement),
            rendered=rendered,
            inputs=inputs,
            pins=tuple(dict.fromkeys((*faces.pins_of(recipes), *packages))),
            tools=tuple(f"{name.removeprefix('tool:')} {pin}" for name, pin in pins.items() if name.startswith("tool:")),
            variables=tuple(self._variables(inputs)),
            version=__version__,
            accelerator=_accelerator(self.settlement.nodes[node.name].estimate),
        )

    def _variables(self, inputs: tuple[Input, ...]) -> Iterator[tuple[str, str]]:
        """What the step reads of its environment, and what is fetched for it."""
        known, vertices = self.settlement.known, self.front.plan.graph.vertices
        givers = (vertices[each.giver] for each in inputs if each.how == "made here")
        needs = [need for node in (self.node, *givers) if isinstance(node, Node) for need in node.shape.needs]
        for need in dict.fromkeys(each for each in needs if isinstance(each, EnvironmentNeed)):
            yield need.name, "" if need.secret else known.environment.get(need.name, "")

    def _trees(self) -> Iterator[Input]:
        kind, absent = kinds.load(self.node.kind), dict[str, None]()
        told: list[Input] = []
        for edge in self.edges:
            source, tree = self.front.plan.graph.vertices[edge.source], self.forward.trees[edge.source]
            place = kind.place(edge.field)
            if isinstance(source, Node) and self._is_fetched(source):
                told.append(self._fetched(place, source, tree or ""))
            elif tree is None or not self._is_here(edge.source, tree):
                absent |= dict.fromkeys(self._to_build(edge.source))
            else:
                trees = parcel.trees_of(self.store, tree)
                told.append(Input(place, edge.source, "packed", tree, self._bytes(trees), trees))
        if absent:
            raise ZycError(self._not_built(list(absent)))
        yield from told

    def _is_fetched(self, source: Node) -> bool:
        """Whether a node only fetches: a machine elsewhere fetches it as well, and nobody carries it."""
        hub = any(isinstance(need, HubNeed) for need in source.shape.needs)
        return hub and all(edge.order for edge in source.edges) and not self._has_files(source)

    def _has_files(self, node: Node) -> bool:
        return any(True for _ in folders.user_files(node, self.settlement.known))

    def _fetched(self, place: str, source: Node, tree: str) -> Input:
        known, estimate = self.settlement.known, self.settlement.nodes[source.name].estimate
        if any(isinstance(need, HubNeed) and need.name in known.unpinned for need in source.shape.needs):
            raise ZycError(problem("face-unpinned", source.span, node=source.name))
        recipe = self.settlement.rendered(source)
        size = estimate.disk or estimate.download
        return Input(place, source.name, "made here", tree, size, key=self._key(source), recipe=recipe)

    def _is_here(self, name: str, tree: str) -> bool:
        """Whether its bytes are; groups of what is here are put together."""
        vertex = self.front.plan.graph.vertices[name]
        if self.store.has(tree):
            return True
        if isinstance(vertex, Cluster):
            members = {edge.field: self.forward.trees[edge.source] or "" for edge in vertex.members}
            if all(self.store.has(each) for each in members.values()):
                with self.store.sharing():
                    return self.store.group(members) == tree
        return False

    def _to_build(self, name: str) -> Iterator[str]:
        """The nodes behind a vertex that have no tree here."""
        vertex = self.front.plan.graph.vertices[name]
        if isinstance(vertex, Node):
            yield name
            return
        sources = [edge.source for edge in vertex.edges]
        yield from (each for source in sources for each in self._to_build(source) if not self._built(source))

    def _built(self, name: str) -> bool:
        tree = self.forward.trees[name]
        return tree is not None and self.store.has(tree)

    def _bytes(self, trees: tuple[str, ...]) -> int:
        walked = (seen for tree in trees for _, seen in self.front.world.walk(self.store.path(tree)))
        return sum(seen.size for seen in walked if seen.kind == "file")

    def _not_built(self, names: list[str]) -> Problem:
        inputs = ", ".join(f"`{each}`" for each in names) + (" is" if len(names) == 1 else " are")
        return problem("face-not-built", self.node.span, node=self.node.name, inputs=inputs, names=" ".join(names))

    def _files(self) -> Iterator[Input]:
        """The user's own files: each in the parcel under the place that the step reads it at."""
        for place, path in folders.user_files(self.node, self.settlement.known):
            top = self.front.project.root / path
            seen = self.front.world.stat(top, follow=True)
            inside = [name for name, each in self.front.world.walk(top) if each.kind == "file"]
            is_folder = seen is not None and seen.kind == "folder"
            names = {f"files/{place}/{name}": top / name for name in inside} if is_folder else {f"files/{place}": top}
            files = {name: self.front.world.digest(each) for name, each in names.items()}
            sizes = [each.size for file in names.values() if (each := self.front.world.stat(file, follow=True)) is not None]
            yield Input(place, path, "file", bytes=sum(sizes), files=files)

    # --- what is written ---

    def write_notebook(self, face: Face, file: Path) -> int:
        """The notebook, and beside it what has to be carried there; how many bytes that is."""
        world = self.front.world
        world.make_folder(file.parent)
        carried = self._write_parcel(face, file.parent / face.parcel)
        world.write(file, faces.notebook(face, self._template("carrying.py")))
        return carried

    def write_batch(self, face: Face, folder: Path) -> int:
        """The folder of a batch job; how many bytes of it are inputs."""
        world = self.front.world
        for name, text in face.files(self._template("carrying.py"), face="sbatch").items():
            world.make_folder((folder / name).parent)
            world.write(folder / name, text)
        job = faces.batch(face.placement, self._template("job.sh"), name=face.name)
        world.write(folder / "job.sbatch", job)
        return self._write_parcel(face, folder / face.parcel)

    def _write_parcel(self, face: Face, file: Path) -> int:
        if not face.carried:
            return 0
        trees = dict.fromkeys(tree for each in face.carried for tree in each.trees)
        packed = [parcel.packed_tree(self.store, tree) for tree in trees]
        packed += [
            parcel.Packed(f"files/{each.place}", self.front.project.root / each.giver)
            for each in face.carried
            if each.how == "file"
        ]
        with self.store.sharing():
            return parcel.write(self.front.world, file, packed)

    def _template(self, name: str) -> str:
        root = kinds.templates_of("step")[0]
        return self.front.world.read_text(root / _FACES / name)


def _accelerator(estimate: Estimate) -> str:
    """The first of Colab's accelerators that computes a training in its precision, and holds it."""
    free, needs = devices.device("t4"), estimate.gpu_memory or 0
    trains = estimate.work is not None and estimate.work.use != "generate"
    computes = not trains or (estimate.work is not None and estimate.work.precision in free.peak)
    if computes and needs <= (free.memory or 0):
        return "T4"
    return "L4" if needs <= L4 else "A100"
