"""All that a node stands on, as cards and bills of materials tell it."""

import json
import shutil
from pathlib import Path

import pytest

from zyc.front import Call, open_front
from zyc.planning.lineage import lineage
from zyc.world import World

ROOT = Path(__file__).parent.parent


def told(root, node="philo-exam"):
    """What a node of a project's specs stands on."""
    settled = open_front(World(), root, Call()).settlement
    facts = {name: each.facts for name, each in settled.nodes.items()}
    own = {name: each.own_digest for name, each in settled.nodes.items()}
    return lineage(settled.graph, settled.graph.vertices[node], facts, own, settled.known)[0]


@pytest.fixture(scope="module")
def philo():
    """What the exam of philo stands on."""
    return told(ROOT)


def test_every_ancestor_comes_after_what_it_takes(philo):
    """Inputs come first, and every id that an ancestor takes is told."""
    seen = set()
    for each in philo:
        assert {id_ for _, id_ in each.inputs} <= seen
        seen.add(each.id)
    kinds = [each.kind for each in philo]
    assert kinds.index("model") < kinds.index("finetune") < kinds.index("fused") < kinds.index("gguf") < kinds.index("quant")


def test_it_tells_what_decides_and_where_it_comes_from(philo):
    """The settings that were written, the facts that are known, the commit or digest of every source."""
    finetune = next(each for each in philo if each.kind == "finetune")
    settings = json.loads(finetune.settings)
    assert settings["lora"]["rank"] == 64
    assert settings["method"] == "qlora"
    assert not {"base", "data", "gates", "placement", "about"} & set(settings)
    base = next(each for each in philo if each.kind == "model")
    assert dict(base.facts)["name"] == "mistralai/Mistral-7B-Instruct-v0.3"
    assert dict(base.facts)["licence"] == "apache-2.0"
    assert [name for name, _ in base.sources] == ["hub:mistralai/Mistral-7B-Instruct-v0.3@main"]
    grammar = next(each for each in philo if each.kind == "dataset" and "schemes.grammar.yml" in dict(each.sources))
    assert len(dict(grammar.sources)["schemes.grammar.yml"]) == 64


def test_names_and_places_reach_no_card(philo):
    """The same graph under other names of nodes gives the same lineage."""
    text = repr(philo)
    for name in ("philo-lora", "mistral-7b", "philo-q4", "'schemes'", "specs/data"):
        assert name not in text


def test_an_id_moves_with_all_that_is_below_it(tmp_path):
    """Another rank moves the ids of the finetune and of what stands on it, and of nothing else."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    before = told(tmp_path)
    spec = tmp_path / "specs/philo-free.yml"
    spec.write_text(spec.read_text().replace("rank: 64", "rank: 32"))
    after = told(tmp_path)
    moved = {old.kind for old, new in zip(before, after, strict=True) if old.id != new.id}
    assert {"finetune", "fused", "gguf", "quant"} <= moved
    assert not moved & {"model", "dataset", "prompt"}
