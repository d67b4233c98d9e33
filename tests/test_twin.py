"""The twin of a graph: models from outside become small ones that learn from the graph's own data; the rest stays as it is."""

import pytest

from zyc.errors import ZycError
from zyc.graph import Node

ROW = '{"messages": [{"role": "user", "content": "%s"}, {"role": "assistant", "content": "%s"}]}\n'
ROWS = "".join(ROW % (number, number) for number in range(9))
SPEC = """
models:
  big: mistralai/Mistral-7B-Instruct-v0.3
  other: mistralai/Mistral-7B-Instruct-v0.3
datasets:
  chats: {from: data/chats.jsonl, format: messages}
  exam: {from: data/chats.jsonl, format: messages}
finetunes:
  tuned: {base: big, data: chats, method: qlora, context: 512, train: {epochs: 3, batch: 32, learning_rate: 2e-4}}
"""


@pytest.fixture
def project(workshop):
    """A project with chats."""
    workshop.write("data/chats.jsonl", ROWS)
    workshop.spec(SPEC)
    return workshop


def kinds_of(front):
    """What each node of a rehearsal is."""
    return {node.name: node.kind for node in front.settlement.graph.vertices.values() if isinstance(node, Node)}


def test_a_model_from_outside_becomes_one_that_is_taught(project):
    """Under the name of the model stands a short pretraining of a tiny one, with a tokenizer of the graph's own data."""
    told = kinds_of(project.front("tuned", twin=True))
    assert (told["big"], told["big.scratch"], told["big.tokenizer"]) == ("pretrain", "model", "tokenizer")
    assert kinds_of(project.front("tuned"))["big"] == "model"


def test_what_a_twin_is_taught_is_what_stands_above_it_is_taught(project):
    """Only what is trained on is read by the twin of a base: never an exam."""
    graph = project.front("tuned", "exam", twin=True).settlement.graph
    for name in ("big", "big.tokenizer"):
        sources = {edge.source for edge in graph.vertices[name].edges if not edge.order}
        assert sources & {"chats", "exam"} == {"chats"}


def test_models_of_one_family_and_tokenizer_have_one_twin(project):
    """What could be averaged at its real size starts from the same weights in a rehearsal: the same recipes, so the same keys."""
    project.spec(SPEC + "  also: {base: other, data: chats, method: lora, context: 512, train: {epochs: 1, batch: 8}}\n")
    nodes = project.front("tuned", "also", twin=True).settlement.nodes
    for suffix in (".tokenizer", ".scratch", ""):
        assert nodes[f"big{suffix}"].own == nodes[f"other{suffix}"].own


def test_what_is_merged_is_a_short_continuation_of_one_twin(project):
    """Two models of one family and tokenizer that one merge takes: the second goes on from the first, in an order of its own."""
    project.spec(SPEC + "merges:\n  both: {method: linear, models: {big: 50%, other: 50%}}\n")
    settlement = project.front("both", "tuned", twin=True).settlement
    told = {node.name: node for node in settlement.graph.vertices.values() if isinstance(node, Node)}
    assert "other.scratch" not in told
    assert [edge.source for edge in told["other"].edges if edge.field == "model"] == ["big"]
    one, two = told["big"].spec, told["other"].spec
    assert (one.seed, two.seed, two.steps < one.steps) == (1, 2, True)
    facts = settlement.nodes["both"].facts
    assert (facts.layers, facts.width, facts.tokenizer) == (4, 256, settlement.nodes["big"].facts.tokenizer)


def test_a_finetune_keeps_its_method_and_takes_the_recipe_that_was_measured(project):
    """A twin says its own rate, batch and steps; what makes the method is left as it is."""
    before, after = (project.front("tuned", twin=each).settlement.graph.vertices["tuned"].spec for each in (False, True))
    assert (after.train.learning_rate, after.train.batch, after.train.steps, after.train.epochs) == (3e-3, 16, 240, None)
    left = ("method", "lora", "loss_on", "packing")
    assert [getattr(after, each) for each in left] == [getattr(before, each) for each in left]


def test_the_twin_of_a_base_needs_no_network(project):
    """Nothing of a rehearsal asks a hub, and nothing of it is unpinned but packages."""
    known = project.front("tuned", twin=True).settlement.known
    assert not [name for name in known.unpinned if not name.startswith("package:")]


def test_a_family_that_cannot_be_made_from_nothing_is_told(project):
    """A twin of a family that zyc has no new models of is refused, with those that it has."""
    project.write("big/config.json", '{"model_type": "mamba", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 1000}')
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        project.write(f"big/{name}", "{}")
    project.spec(SPEC.replace("big: mistralai/Mistral-7B-Instruct-v0.3", "big: {path: big}"))
    with pytest.raises(ZycError) as error:
        project.front("big", twin=True).plan  # noqa: B018  (it is made when it is asked for)
    assert [each.code for each in error.value.problems] == ["no-twin"], error.value.problems


def test_a_model_without_data_is_told(workshop):
    """A graph that holds no dataset has nothing that a twin could learn from."""
    workshop.spec("models:\n  big: mistralai/Mistral-7B-Instruct-v0.3\n")
    with pytest.raises(ZycError) as error:
        workshop.front("big", twin=True).plan  # noqa: B018
    assert [each.code for each in error.value.problems] == ["no-twin-data"]


LAYERS = "layers: 8, heads: 8, width: 512, mlp: 1536, context: 512"
SCRATCH = f"""
tokenizers: {{words: {{corpus: chats, vocab: 10000, chat_template: chatml}}}}
models: {{new: {{scratch: {{family: llama, {LAYERS}}}, tokenizer: words}}}}
datasets: {{chats: {{from: data/chats.jsonl, format: messages}}}}
pretrains:
  read: {{model: new, data: chats, tokens: 1M, context: 512, batch_tokens: 8192, learning_rate: 1e-3}}
  alone: {{model: new, data: chats, tokens: 1M, context: 512, batch_tokens: 8192, learning_rate: 1e-3}}
finetunes:
  taught: {{base: read, data: chats, method: full, context: 512, train: {{epochs: 1, batch: 32, learning_rate: 3e-4}}}}
"""


def test_a_base_that_is_taught_later_only_glances_at_its_text(project):
    """Foretelling all of a text unlearns how to copy: where a finetune follows, a rehearsal reads a little of it, slowly."""
    project.spec(SCRATCH)
    graph = project.front("taught", "alone", twin=True).settlement.graph
    read, alone = (graph.vertices[name].spec for name in ("read", "alone"))
    assert (read.steps, read.learning_rate) == (12, 1e-4)
    assert alone.steps > read.steps
    assert alone.learning_rate > read.learning_rate
