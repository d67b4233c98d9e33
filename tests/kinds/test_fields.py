"""Every field of every kind has a reader, and the reader that its class promises."""

import inspect
import re
from dataclasses import dataclass

import hubs
import pytest
from samples import STEMS, leaves, put, read, waits

from zyc import kinds
from zyc.compile.declare import measures_of
from zyc.graph import Node
from zyc.kind import GATES, NOTES, PLACEMENT, Placement


@dataclass(frozen=True)
class Seen:
    """What of a node, its parts and its proofs, each class of field may move."""

    recipe: tuple
    placement: tuple
    order: tuple
    gates: tuple
    notes: tuple


def look(front, name):
    """All of it, as it is now."""
    graph, settlement = front.graph, front.settlement
    mine = [each for each in graph.nodes() if name in (each.name, each.owner)]
    return Seen(
        recipe=tuple((settlement.nodes[each.name].own, content(each)) for each in mine),
        placement=tuple(tuple(settlement.rendered(each).placement.items()) for each in mine),
        order=tuple(edge for each in mine for edge in each.edges if edge.order and edge.field != "proof"),
        gates=tuple((each.shape.gates, each.shape.twin_gates) for each in mine),
        notes=tuple((each.shape.about, each.shape.tags) for each in mine),
    )


def content(node: Node):
    """The edges that are in the key."""
    return tuple((edge.field, edge.source) for edge in node.edges if not edge.order)


def class_of(spec, path):
    """What a field is, by where it stands."""
    top = path.split(".")[0]
    classes = {**dict.fromkeys(NOTES, "notes"), **dict.fromkeys(GATES, "gates"), **dict.fromkeys(PLACEMENT, "placement")}
    return classes.get(top, "order" if waits(spec, path) else "recipe")


def furnish(workshop):
    """The files that samples speak of, and what the user's own hub cache holds."""
    workshop.card("data/other.json", licence="mit")
    workshop.write("data/own.jinja", "{{ bos_token }}{{ messages[0].content }}<|end|>")
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n{"question": "two?", "answer": "2"}\n')
    for at, name in enumerate(("model", "other")):
        home = hubs.folder(workshop.root / "data" / name, num_hidden_layers=2 + at)
        hubs.hub(workshop.root / "hub", f"me/{name}", home, commits={"main": f"{at}1" * 20, "v1": f"{at}2" * 20})
    for name in ("some/texts", "other/texts"):
        hubs.hub(workshop.root / "hub", name, kind="dataset")


@pytest.fixture
def place(workshop, monkeypatch):
    """A project that holds a sample."""
    monkeypatch.setenv("LETTER_TOKEN", "secret")
    monkeypatch.setenv("OTHER_TOKEN", "secret")
    monkeypatch.setenv("HF_HUB_CACHE", str(workshop.root / "hub"))
    furnish(workshop)

    def placed(sample):
        put(sample, workshop)
        return workshop

    return placed


@pytest.mark.usefixtures("example")
def test_every_kind_has_a_sample():
    """A kind that is added is held to the tests below."""
    assert set(kinds.stems()) == set(STEMS)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.usefixtures("example")
def test_every_field_of_a_sample_is_changed(stem):
    """A field that is added is held to the test below."""
    sample, kind = read(stem), kinds.load(stem)
    free = set() if sample.declared else {*NOTES, *GATES, "subject", "source"}  # the compiler's own to fill
    free |= set() if measures_of(kind) else set(GATES)
    free |= {"against"} if any(each.coerces and each.proof == stem for each in kinds.every()) else set()  # the source of both
    assert set(leaves(kind.Spec)) - free == set(sample.changes()) - free


@pytest.mark.parametrize(("stem", "path"), [(stem, path) for stem in STEMS for path in read(stem).change])
def test_a_field_is_read_as_its_class_promises(place, stem, path):
    """A recipe field changes the recipe or the inputs, a placement field only placement/, an order field only the order."""
    held_to_its_class(place(read(stem)), read(stem), path)


@pytest.mark.parametrize("stem", [stem for stem in STEMS if read(stem).declared])
def test_a_common_field_is_read_as_its_class_promises(place, stem):
    """A note is only for people, a gate is only applied to numbers, and where a node runs is not what it is."""
    sample = read(stem)
    workshop = place(sample)
    for path in sample.changes().keys() - sample.change.keys():
        held_to_its_class(workshop, sample, path)


def held_to_its_class(workshop, sample, path):
    """The change moves what the class of the field moves, and nothing else."""
    text, front = sample.changes()[path], workshop.front()
    # a kind that can be asked for in several ways has a node for each in its sample
    place, part = text.partition(".")[0], sample.node.partition(".")[2]
    other = front.graph.vertices.get(f"{place}.{part}" if part else place)
    name = other.name if isinstance(other, Node) and other.kind == sample.kind else sample.node
    before, after = look(front, name), look(workshop.front(sets=(text,)), name)
    wanted = class_of(kinds.load(sample.kind).Spec, path)
    moved = {each for each in ("recipe", "placement", "order", "gates", "notes") if getattr(before, each) != getattr(after, each)}
    assert wanted in moved
    # the bounds of a node and what it is expected to hold may follow from its recipe; nothing else follows from anything
    assert moved - {wanted} <= ({"gates", "placement"} if wanted == "recipe" else set())


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.usefixtures("example")
def test_placement_is_named_by_whoever_acts_on_it(stem):
    """A field of placement is written to a file by itself; somebody must also do something with it."""
    kind = kinds.load(stem)
    placement = kind.Spec.model_fields.get("placement")
    own = placement.annotation.model_fields.keys() - Placement.model_fields.keys() if placement else ()
    told = "".join(path.read_text() for root in kinds.templates_of(stem) for path in root.rglob(f"{stem}/**/*") if path.is_file())
    # and what its scripts import
    told += "".join((root / "lib" / name).read_text() for root in kinds.templates_of(stem)[:1] for name in kind.harness)
    told += inspect.getsource(type(kind))
    for name in own:
        assert re.search(rf"\b{name}\b", told), f"nothing reads placement.{name}"


# --- where a thing is told nothing of what it is ---


def rendered(workshop):
    """The files of every node, in order, and the keys."""
    front = workshop.front()
    return [front.settlement.rendered(node).files() for node in front.graph.nodes()], [
        settled.own for settled in front.settlement.nodes.values()
    ]


@pytest.mark.parametrize("stem", STEMS)
def test_rendering_knows_no_names_and_no_places(place, stem, tmp_path):
    """The same spec under other names, in another file of another project, at another time, gives the same files."""
    sample = read(stem)
    workshop = place(sample)
    before = rendered(workshop)
    other = type(workshop)(tmp_path / "elsewhere" / "zq9 place")
    furnish(other)
    put(sample, other, "specs/deep/zq9.yml", "zq9-")
    after = rendered(other)
    assert after == before
    told = "".join(text for files in after[0] for text in files.values())
    assert "zq9-" not in told
    assert str(tmp_path) not in told
    assert rendered(workshop) == before


@pytest.mark.parametrize("stem", STEMS)
def test_what_is_kept_from_call_to_call_changes_nothing(place, stem):
    """A second call answers from what the first one kept, and answers the same."""
    workshop = place(read(stem))
    cold, kept, warm = workshop.plan(), workshop.root / "artifacts/memo/kept.bin", workshop.plan()
    assert kept.exists()
    for name, decision in cold.decisions.items():
        again = warm.decisions[name]
        assert (again.key, again.manifest, again.gates, again.estimate) == (
            decision.key,
            decision.manifest,
            decision.gates,
            decision.estimate,
        )
        assert warm.settlement.nodes[name].facts == cold.settlement.nodes[name].facts
