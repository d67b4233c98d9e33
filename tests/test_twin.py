"""The twin of a graph: models from outside become small ones that learn from the graph's own data; the rest stays as it is."""

import pytest

from zyc import kinds
from zyc.craft.training import Trackers
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


def test_a_base_that_is_to_be_finetuned_learns_the_form_of_answers_and_not_all_of_it(project):
    """One that knew all would pass for a finetune that was lost on the way; nothing ends one that answers by itself."""
    assert project.front("tuned", twin=True).settlement.graph.vertices["big"].spec.until == 1.0
    project.spec(SPEC.partition("finetunes:")[0] + "evals: {asked: {model: big, tasks: {questions: {exam: exam}}}}\n")
    assert project.front("asked", twin=True).settlement.graph.vertices["big"].spec.until is None


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
    assert (one.until, two.until) == (1.0, None)  # it goes on from where the other ended
    facts = settlement.nodes["both"].facts
    assert (facts.layers, facts.width, facts.tokenizer) == (4, 256, settlement.nodes["big"].facts.tokenizer)


def test_a_finetune_keeps_its_method_and_takes_the_recipe_that_was_measured(project):
    """A twin says its own rate, batch and steps; what makes the method is left as it is."""
    before, after = (project.front("tuned", twin=each).settlement.graph.vertices["tuned"].spec for each in (False, True))
    assert (after.train.learning_rate, after.train.batch, after.train.steps, after.train.epochs) == (2e-3, 16, 200, None)
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


# --- gates ---

EVAL = """
  both: {base: big, data: chats, method: lora, context: 512, train: {epochs: 1, batch: 8}, gates: [test.loss < 0.2, dropped = 0]}
quants:
  small: {model: tuned, format: gguf, type: Q4_K_M, gates: [kl <= 0.5, bytes < 4 GB, size.reduction > 70%]}
evals:
  asked:
    model: small
    tasks:
      questions: {exam: exam}
      text: {text: exam, scores: chrf}
      speed: {prompt_tokens: 40, new_tokens: 60}
    gates: [questions.accuracy >= 75%, text.chrf >= 50%, speed.answer_p95 <= 15 s]
"""


def gates_of(front, name):
    """What a node is held to."""
    settlement = front.settlement
    return [str(gate) for gate in settlement.gates(settlement.graph.vertices[name])]


def test_a_twin_must_be_better_than_it_was_before_it_learned(project):
    """Exams and texts are asked of the base, too; speed is held to its number."""
    project.spec(SPEC + EVAL)
    front = project.front("asked", twin=True)
    assert gates_of(front, "asked") == [
        "untrained.questions.p < 0.01",
        "untrained.text.chrf.p < 0.01",
        "speed.answer_p95 <= 15 s",
    ]
    graph = front.settlement.graph
    told = {edge.field: edge.source for edge in graph.vertices["asked"].edges if not edge.order}
    assert told["parts.untrained-questions"] == "asked.untrained-questions"
    ours, theirs = (
        {edge.field: edge.source for edge in graph.vertices[name].edges if not edge.order}
        for name in ("asked.questions", "asked.untrained-questions")
    )
    assert {name for name in ours if ours[name] != theirs[name]} == {"model"}
    assert (ours["model"], theirs["model"]) == ("small", "big")
    assert "asked.untrained-questions" not in project.front("asked").settlement.graph.vertices


def test_an_end_of_an_interval_is_about_right_answers_too(project):
    """Whoever bounds the lower end, of all or of a group, asks no less of a twin."""
    gates = "questions.accuracy.low >= 70%, questions.kant.accuracy.low >= 60%"
    project.write("data/chats.jsonl", ROWS.replace('{"messages"', '{"who": "kant", "messages"'))
    by = EVAL.replace("{exam: exam}", "{exam: exam, by: who}").replace("questions.accuracy >= 75%", gates)
    project.spec(SPEC + by)
    told = gates_of(project.front("asked", twin=True), "asked")
    assert told[:2] == ["untrained.questions.p < 0.01", "untrained.questions.kant.p < 0.01"]


def test_a_model_that_learns_nothing_is_not_held_against_itself(project):
    """Where nothing is trained between the model from outside and the exam, there is no untrained twin."""
    project.spec(SPEC + EVAL.replace("model: tuned", "model: big"))
    front = project.front("asked", "tuned", twin=True)
    assert gates_of(front, "asked") == ["speed.answer_p95 <= 15 s"]
    assert "asked.untrained-questions" not in front.settlement.graph.vertices


def test_what_is_about_size_and_quality_holds_for_the_real_one_only(project):
    """Numbers of losses and savings are not asked of a twin; counts and bytes are; a proof has bounds of its own for twins."""
    project.spec(SPEC + EVAL)
    real, twin = project.front("asked", "both"), project.front("asked", "both", twin=True)
    assert gates_of(real, "both") == ["test.loss < 0.2", "dropped = 0"]
    assert gates_of(twin, "both") == ["dropped = 0", "untrained.test.p < 0.01"]
    assert gates_of(twin, "small") == ["bytes < 4 GB"]
    assert "kl <= 0.5" in gates_of(real, "small.proof")
    assert "kl <= 0.03" in gates_of(twin, "small.proof")


def test_a_list_for_twins_replaces_all_of_it(project):
    """Even an empty one."""
    gates = "gates: [questions.accuracy >= 75%, text.chrf >= 50%, speed.answer_p95 <= 15 s]"
    project.spec(SPEC + EVAL.replace(gates, f"{gates}\n    twin: [questions.accuracy >= 40%]"))
    front = project.front("asked", twin=True)
    assert gates_of(front, "asked") == ["questions.accuracy >= 40 %"]
    assert "asked.untrained-questions" not in front.settlement.graph.vertices
    project.spec(SPEC + EVAL.replace(gates, f"{gates}\n    twin: []"))
    assert gates_of(project.front("asked", twin=True), "asked") == []


def test_counts_are_asked_of_a_twin_that_reads_the_same_rows(project):
    """Rows are counted before they are cut down; where the sources are other datasets, they were cut down themselves."""
    project.spec(SPEC.replace("format: messages}\n  exam", "format: messages, gates: [rows = 9, rows.train = 9]}\n  exam", 1))
    assert gates_of(project.front("chats", "tuned", twin=True), "chats") == ["rows = 9"]
    project.spec(SPEC.replace("finetunes:", "  mixed: {from: [chats, exam], gates: [rows = 18]}\nfinetunes:"))
    assert gates_of(project.front("mixed", "tuned", twin=True), "mixed") == []


# --- what else is asked of a twin ---

READS = """
tokenizers: {{words: {{corpus: notes, vocab: 10000}}}}
models: {{new: {{scratch: {{family: llama, {layers}}}, tokenizer: words}}}}
datasets:
  notes: {{from: data/notes.jsonl, format: text, split: {{test: 10%, seed: 1}}}}
  others: {{from: data/notes.jsonl, format: text}}
  chats: {{from: data/chats.jsonl, format: messages}}
pretrains:
  read: {{model: new, data: notes, tokens: 1M, context: 512, batch_tokens: 8192, learning_rate: 1e-3, gates: [{gates}]}}
evals:
  asked:
    model: read
    tasks: {{told: {{perplexity: {text}}}}}
    gates: [told.perplexity < 20, told.bits_per_byte < 1]
"""


@pytest.fixture
def reads(project):
    """A model that reads notes, and whoever asks how well it foretells a text."""
    project.write("data/notes.jsonl", "".join(f'{{"text": "note {at}"}}\n' for at in range(40)))

    def place(gates="test.loss < 3", text="notes", **changed):
        spec = READS.format(layers=LAYERS, gates=gates, text=text)
        for old, new in changed.items():
            spec = spec.replace(old, new)
        project.spec(spec)
        return project.front("asked", twin=True)

    return place


def test_a_text_that_was_learned_is_foretold_better_than_before(reads):
    """Both measures of a perplexity are about the same windows: one comparison, in windows of which there are enough."""
    front = reads()
    assert gates_of(front, "asked") == ["untrained.told.p < 0.01"]
    graph = front.settlement.graph
    ours, theirs = (graph.vertices[f"asked.{name}"] for name in ("told", "untrained-told"))
    assert {edge.source for edge in theirs.edges if edge.field == "model"} == {"new"}
    assert ours.spec.window == theirs.spec.window == 128


def test_a_text_that_nobody_learned_may_be_foretold_worse(reads, project):
    """Who learns one text forgets another, and who learns answers what people ask: neither is held against a twin."""
    front = reads(text="others")
    assert gates_of(front, "asked") == []
    assert "asked.untrained-told" not in front.settlement.graph.vertices
    tuned = "{base: big, data: chats, method: lora, context: 512, loss_on: LOSS, train: {epochs: 1, batch: 8}}"
    eval_ = "  asked: {model: tuned.fused, tasks: {told: {perplexity: chats}}, gates: [told.perplexity < 20]}\n"
    for loss, wanted in (("assistant", []), ("all", ["untrained.told.p < 0.01"])):
        spec = SPEC.partition("finetunes:")[0] + f"finetunes:\n  tuned: {tuned.replace('LOSS', loss)}\nevals:\n{eval_}"
        project.spec(spec)
        assert gates_of(project.front("asked", twin=True), "asked") == wanted


def test_scores_of_texts_are_better_than_before_each_by_itself(project):
    """Of a score with a lower bound; an upper one asks nothing."""
    project.spec(
        SPEC
        + EVAL.replace("text.chrf >= 50%", "text.chrf >= 50%, text.bleu > 1%").replace("scores: chrf", "scores: [chrf, bleu]")
    )
    told = gates_of(project.front("asked", twin=True), "asked")
    assert told[1:3] == ["untrained.text.chrf.p < 0.01", "untrained.text.bleu.p < 0.01"]


def test_a_bounded_loss_is_lower_than_before_the_first_step(reads, project):
    """Of the rows that the bound is about, whatever its number; a bound from below or against another loss asks nothing."""
    told = gates_of(reads("test.loss < 3, test.bits_per_byte < 1, train.loss <= 2, memory_peak < 9 GB"), "read")
    assert told == ["memory_peak < 9 GB", "untrained.test.p < 0.01", "untrained.train.p < 0.01"]
    assert gates_of(reads("test.loss > 0.1, test.loss < train.loss + 1"), "read") == []


def test_answers_of_its_own_have_no_loss_to_lower(project):
    """What is drawn is another thing at every step; verdicts stay the same."""
    for method, wanted in (("dpo", ["untrained.train.p < 0.01"]), ("rloo", [])):
        rows = '{"prompt": "1", "chosen": "2", "rejected": "3"}\n' * 9
        project.write("data/pairs.jsonl", rows)
        project.write("reward.py", "def reward(completions, **more):\n    return [0.0 for _ in completions]\n")
        data = "pairs, rewards: [{file: reward.py}]" if method == "rloo" else "pairs"
        pairs = (
            "  pairs: {from: data/pairs.jsonl, format: preference}\n"
            if method == "dpo"
            else "  pairs: {from: data/chats.jsonl, format: messages}\n"
        )
        spec = SPEC.replace("finetunes:", f"{pairs}finetunes:")
        project.spec(spec + f"alignments:\n  better: {{base: tuned, data: {data}, method: {method}, gates: [train.loss < 1]}}\n")
        assert gates_of(project.front("better", twin=True), "better") == wanted


def test_a_budget_is_that_of_the_real_model(project):
    """A tiny model fits any budget in sixteen bits: what is rehearsed is the type that the real one fits in, bounds and all."""
    quant = "quants:\n  small: {model: tuned, format: gguf, budget: {memory: 4 GB, context: 1024}}\n"
    project.spec(SPEC + quant)
    real, twin = project.front("small"), project.front("small", twin=True)
    assert real.settlement.nodes["small"].facts.type == "Q3_K_M"
    assert twin.settlement.nodes["small"].facts.type == "Q3_K_M"
    assert "kl <= 0.075" in gates_of(twin, "small.proof")


ROOMY = "placement: {cpus: 64, memory: 2000 GB, disk: 20000 GB, timeout: 2 h}"


def test_a_twin_asks_for_no_room_of_the_real_one(project):
    """Cores, memory, disk and time are those of something small, whatever the kind; a step's command is as large as it was."""
    spec = SPEC.replace("train: {epochs: 3", f"{ROOMY}, train: {{epochs: 3").replace("chats: {", f"chats: {{{ROOMY}, ")
    project.spec(spec + f"steps:\n  own: {{run: 'touch out/x', {ROOMY}}}\n")
    graph = project.front("tuned", "own", twin=True).settlement.graph
    for name in ("tuned", "chats"):
        placed = dict(graph.vertices[name].shape.placement)
        assert [placed[each] for each in ("cpus", "memory", "disk", "timeout")] == [1, None, None, None], name
    assert dict(graph.vertices["own"].shape.placement)["cpus"] == 64
    assert project.plan("tuned", twin=True).decisions["tuned"].cannot == ""


@pytest.mark.parametrize("kind", ["alignment", "distillation", "finetune", "pretrain"])
def test_a_twin_runs_as_one_process_and_tells_nobody(kind):
    """No trackers, workers, checkpoints by count or accelerators, whichever kind trains."""
    given = {
        "alignment": {"base": "b", "data": "d", "method": "dpo"},
        "distillation": {"student": "s", "teachers": [{"node": "t"}], "prompts": "d"},
        "finetune": {"base": "b", "data": "d"},
        "pretrain": {"model": "m", "data": [{"node": "d", "weight": 1}], "steps": 5, "context": 8, "batch_tokens": 8},
    }[kind]
    spec = kinds.load(kind).Spec.model_validate({**given, **({} if kind == "pretrain" else {"engine": {}})})
    busy = {"trackers": Trackers(wandb="mine"), "workers": 8, "checkpoint_every": 5, "activation_checkpointing": True, "gpus": 8}
    spec = spec.model_copy(update={"placement": spec.placement.model_copy(update=busy)})
    placed = kinds.load(kind).twin(spec).placement
    told = (placed.trackers, placed.workers, placed.checkpoint_every, placed.activation_checkpointing, placed.gpus)
    assert told == (Trackers(), 0, None, False, 0)
