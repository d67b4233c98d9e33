"""`zyc fit`: which changes make every gate of a node hold, told before the first byte is fetched."""

import io
import json

import pytest
from desk import Desk

from zyc import fitting
from zyc.catalogue import repositories
from zyc.gates import Outlook, Verdict, parse
from zyc.kinds.model import smaller
from zyc.planning.plan import GateOutlook
from zyc.report.console import Console

SITE = "hosts: {local: {cpus: 2, memory: 16 GB, gpus: 0, bf16: true}}\n"
PHILO = """\
models:
  mistral-7b: mistralai/Mistral-7B-Instruct-v0.3
datasets:
  schemes: {from: specs/data/schemes.jsonl, format: messages, split: {test: 10%, seed: 7}}
finetunes:
  philo-lora: {base: mistral-7b, data: schemes, method: qlora, context: 512, train: {epochs: 3, batch: 32}}
quants:
  philo-q4: {model: philo-lora, format: gguf, type: Q4_K_M, gates: [bytes <= BOUND]}
"""


@pytest.fixture
def philo(tmp_path):
    """The philosophers with a bound on the size of their file, on a laptop without network."""

    def place(bound, more=""):
        desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1", "COLUMNS": "160"})
        row = {"messages": [{"role": "user", "content": "Suis-je libre ?"}, {"role": "assistant", "content": "Tout suit."}]}
        desk.write("specs/data/schemes.jsonl", "".join(json.dumps({**row, "id": at}) + "\n" for at in range(400)))
        desk.write("zyc.yml", SITE)
        desk.spec(PHILO.replace("BOUND", bound) + more, "philo")
        return desk

    return place


def test_a_file_that_is_too_large_has_smaller_types_and_smaller_bases(philo):
    """4.37 GB do not fit into 4: the least change of each field comes first, with its size and its price."""
    told = philo("4 GB").zyc("fit", "philo-q4", "--json").data
    assert [each["verdict"] for each in told["gates"] if each["gate"] == "bytes <= 4 GB"] == ["cannot hold"]
    sets = [each["set"][0] for each in told["changes"]]
    assert sets[:3] == ["philo-q4.type=IQ4_XS", "philo-q4.type=Q3_K_L", "philo-q4.type=Q3_K_M"]
    assert any(each.startswith("mistral-7b.hub=") for each in sets)
    assert all(each["bytes"] <= 4e9 < told["now"]["bytes"] for each in told["changes"])
    kls = [each["kl"] for each in told["changes"][:3]]
    assert [told["now"]["kl"], *kls] == sorted({told["now"]["kl"], *kls})  # fewer bits may drift farther
    base = next(each for each in told["changes"] if each["set"][0].startswith("mistral-7b."))
    assert "philo-lora" in base["changes"]
    assert told["changes"][0]["changes"] == []


def test_the_first_of_them_holds(philo):
    """What is told is so: the plan with the change has no gate that cannot hold."""
    desk = philo("4 GB")
    change = desk.zyc("fit", "philo-q4", "--json").data["changes"][0]["set"][0]
    nodes = desk.zyc("plan", "philo-q4", "--set", change, "--json").data["nodes"]
    verdicts = {gate["gate"]: gate["verdict"] for each in nodes for gate in each["gates"] if each["name"] == "philo-q4"}
    assert verdicts == {"bytes <= 4 GB": "could hold"}


def test_a_person_gets_a_table(philo):
    """The gate with its sum, a row a change, and what to type next."""
    said = philo("4 GB").zyc("fit", "philo-q4")
    assert said.code == 0
    for words in ("cannot hold", "4.37 GB", "as it is", "philo-q4.type: IQ4_XS", "expected KL", "what else changes", "licence"):
        assert words in said.text, words
    assert "next   zyc plan --set philo-q4.type=IQ4_XS" in said.text


@pytest.mark.parametrize("columns", [80, 100])
def test_a_change_is_never_cut(philo, columns):
    """It is the answer: on a narrow terminal size and money go first, and what is left is whole."""
    said = philo("4 GB").zyc("fit", "philo-q4", COLUMNS=str(columns))
    rows = said.lines[said.lines.index("") + 1 :]
    rows = rows[: rows.index("")]
    wide = said.out.splitlines()
    assert max(map(len, wide)) <= columns
    head = [each for each in ("size", "money") if each in rows[0]]
    assert head == []
    names = [row[2:].split("  ")[0] for row in rows[2:]]
    assert "mistral-7b.hub: microsoft/Phi-3-mini-4k-instruct" in names
    assert not any("…" in row[: row.index(name) + len(name) + 2] for row, name in zip(rows[2:], names, strict=True))


def test_nothing_of_a_table_is_cut_in_a_pipe():
    """A pipe has no width: whoever reads it gets each cell whole."""
    cells = ("a", "b" * 300, "c")
    assert Console(io.StringIO(), io.StringIO(), 140, endless=True).laid([cells], spare=(2,)) == ["  " + "  ".join(cells)]
    assert len(Console(io.StringIO(), io.StringIO(), 140).laid([cells], spare=(2,))[0]) == 140


def test_what_could_hold_already_is_left_alone(philo):
    """Nothing is planned twice where nothing is in the way; what only a run can tell is named."""
    told = philo("5 GB")
    assert told.zyc("fit", "philo-q4", "--json").data["planned"] == 0
    assert "every gate holds or could hold; by running: " in told.zyc("fit", "philo-q4").text


@pytest.mark.slow
def test_where_one_change_is_not_enough_two_are_tried(philo):
    """90 MB hold no listed model in Q4_K_M and no type of a 7B: the smallest of them in fewer bits they do."""
    told = philo("90 MB").zyc("fit", "philo-q4", "--json").data
    ((one, two),) = [each["set"] for each in told["changes"]]
    assert one.startswith("philo-q4.type=")
    assert two.startswith("mistral-7b.hub=HuggingFaceTB/SmolLM2-135M")
    assert told["changes"][0]["bytes"] == pytest.approx(90e6, rel=0.05)  # the tensors alone fit: the tokenizer is guessed


@pytest.mark.slow
def test_what_cannot_be_mended_says_so(philo):
    """A megabyte holds no model: that is said, with how much was tried."""
    said = philo("1 MB").zyc("fit", "philo-q4")
    assert "no change helps" in said.text


def test_a_model_that_drifted_too_far_gets_more_bits(philo, monkeypatch):
    """When the proof's divergence failed, types with more bits are told, the nearest first, and nothing that is smaller."""
    gate = parse("kl <= 0.06")

    def gates(plan, names):
        (name,) = names
        kept = plan.settlement.nodes[name].facts.type == "Q4_K_M"
        return ((f"{name}.proof", GateOutlook(gate, Verdict.FAILS if kept else Outlook.RUNNING)),)

    monkeypatch.setattr(fitting, "gates_of", gates)
    told = philo("5 GB").zyc("fit", "philo-q4", "--json").data
    assert [each["set"] for each in told["changes"]] == [[f"philo-q4.type={each}"] for each in ("Q5_K_S", "Q5_K_M", "Q6_K")]


def test_answers_that_are_too_bad_get_more_bits_and_larger_models(philo, monkeypatch):
    """When an exam was failed, nothing that is smaller is told, no other machine and no shorter answer."""
    gate = parse("questions.accuracy >= 0.75")

    def gates(plan, names):
        facts, base = plan.settlement.nodes["philo-q4"].facts, plan.settlement.nodes["mistral-7b"].facts
        kept = facts.type == "Q4_K_M" and base.name == "mistralai/Mistral-7B-Instruct-v0.3"
        return ((names[0], GateOutlook(gate, Verdict.FAILS if kept else Outlook.RUNNING)),)

    monkeypatch.setattr(fitting, "gates_of", gates)
    data = philo("5 GB", EXAM).zyc("fit", "philo-exam", "--json").data
    now, told = data["now"], data["changes"]
    assert {each["set"][0].partition("=")[0] for each in told} == {"philo-q4.type", "mistral-7b.hub"}
    assert [each["set"][0] for each in told[:3]] == [f"philo-q4.type={each}" for each in ("Q5_K_S", "Q5_K_M", "Q6_K")]
    assert all(each["bytes"] > now["bytes"] for each in told)


def test_the_divergence_is_that_of_its_own_hops(philo):
    """What another node of the plan may drift is not told of this one."""
    other = "  coarse: {model: philo-lora, type: Q2_K}\n"
    assert philo("4 GB", other).zyc("fit", "philo-q4", "--json").data["now"]["kl"] == 0.06


@pytest.mark.parametrize("budget", ["size: 4.4 GB", "memory: 5.1 GB"])
def test_a_budget_has_smaller_sizes(philo, budget):
    """Where the budget chooses the type, its size is what is changed: to that of each smaller type."""
    desk = philo("4 GB")
    desk.spec(PHILO.replace("type: Q4_K_M", f"budget: {{{budget}}}").replace("BOUND", "4 GB"), "philo")
    told = desk.zyc("fit", "philo-q4", "--json").data
    sizes = [each for each in told["changes"] if each["set"][0].startswith("philo-q4.budget.size=")]
    assert len(sizes) == 3
    assert all(each["bytes"] <= 4e9 for each in sizes)


def test_smaller_models_are_trained_alike():
    """A model that chats is replaced by one that chats, the nearest in size of its own kin first."""
    told = smaller("Qwen/Qwen2.5-7B-Instruct")
    assert told[0] == "Qwen/Qwen2.5-3B-Instruct" or told[0].startswith("Qwen/")
    assert all(any(word in each.lower() for word in ("instruct", "chat", "-it", "qwen3")) for each in told)
    assert not {"Qwen/Qwen2.5-3B", "google/gemma-2b"} & set(told)
    assert smaller("nobody/knows") == ()
    assert set(told) <= set(repositories())


EXAM = """\
evals:
  philo-exam:
    model: philo-q4
    on: hf-cpu-basic
    tasks: {speed: {prompt_tokens: 200, new_tokens: 150}}
    gates: [speed.answer_p95 <= 15 s, speed.memory_peak <= 5 GB]
"""


@pytest.mark.slow
def test_answers_that_come_too_late_have_shorter_ones_and_other_machines(philo):
    """200 + 150 tokens take 18 s at best on a free CPU: fewer tokens, fewer bits, a smaller base or another machine do."""
    told = philo("5 GB", EXAM).zyc("fit", "philo-exam", "--json").data
    (bad,) = [each for each in told["gates"] if each["verdict"] == "cannot hold"]
    assert bad["gate"].startswith("speed.answer_p95 <= 15")
    fields = {each["set"][0].partition("=")[0] for each in told["changes"]}
    assert fields >= {"philo-exam.on", "philo-exam.tasks.speed.new_tokens", "philo-q4.type", "mistral-7b.hub"}
    assert all(each["answer"][0] <= 15 < told["now"]["answer"][0] for each in told["changes"])
    assert all(each["memory"][0] <= 5e9 for each in told["changes"])
    shorter = next(each for each in told["changes"] if each["set"][0].startswith("philo-exam.tasks"))
    assert shorter["changes"] == []


RANKS = PHILO.replace("philo-lora: {base", "philo-lora: {matrix: {rank: [8, 64]}, lora: {rank: $(matrix.rank)}, base")
TYPES = PHILO.replace("philo-q4: {model", "philo-q4: {matrix: {type: [Q8_0, Q4_K_M, Q3_K_M]}, model").replace(
    "type: Q4_K_M", "type: $(matrix.type)"
)


def test_a_field_of_a_member_is_set_for_its_family(philo):
    """Of one member, and of all of them at once: the family's own field is what is changed."""
    desk = philo("4 GB")
    desk.spec(RANKS.replace("BOUND", "4 GB"), "philo")
    for asked in ("philo-q4@rank=8", "philo-q4"):
        told = desk.zyc("fit", asked, "--json").data
        assert told["node"] == asked
        sets = [each["set"][0] for each in told["changes"]]
        assert sets[:3] == ["philo-q4.type=IQ4_XS", "philo-q4.type=Q3_K_L", "philo-q4.type=Q3_K_M"]
        assert all(each["bytes"] <= 4e9 < told["now"]["bytes"] for each in told["changes"])
    bad = [each["node"] for each in told["gates"] if each["verdict"] == "cannot hold"]
    assert bad == ["philo-q4@rank=8", "philo-q4@rank=64"]
    base = next(each for each in told["changes"] if each["set"][0].startswith("mistral-7b."))
    assert base["changes"] == ["philo-lora@rank=8", "philo-lora@rank=64"]


def test_what_the_matrix_decides_is_left_to_it(philo):
    """The type of each member is its coordinate: members that hold are named, and what is changed is something else."""
    desk = philo("4 GB")
    desk.spec(TYPES.replace("BOUND", "4 GB"), "philo")
    told = desk.zyc("fit", "philo-q4", "--json").data
    assert told["members"] == ["philo-q4@type=Q3_K_M"]
    assert {each["set"][0].partition("=")[0] for each in told["changes"]} == {"mistral-7b.hub"}
    assert "these members hold as they are: philo-q4@type=Q3_K_M" in desk.zyc("fit", "philo-q4").text
    alone = desk.zyc("fit", "philo-q4@type=Q4_K_M", "--json").data
    assert {each["set"][0].partition("=")[0] for each in alone["changes"]} == {"mistral-7b.hub"}


def test_the_plan_that_is_named_keeps_what_was_set(philo):
    """What `fit` was asked with goes on into what it names next; a change comes behind it, and so wins."""
    said = philo("4 GB").zyc("fit", "philo-q4", "--set", "philo-lora.context=256")
    assert "next   zyc plan --set philo-lora.context=256 --set philo-q4.type=IQ4_XS" in said.text


def test_the_gate_of_another_node_is_named_where_it_blocks(philo):
    """What is wrong stands in front: `fit` of what is behind it says so, as `why` does, and names what to ask about."""
    more = "steps: {free: {inputs: {model: philo-q4}, run: wc -c in/model/* > out/it}}\n"
    desk = philo("4 GB", more)
    said = desk.zyc("fit", "free")
    assert "it is blocked: `philo-q4` cannot hold `bytes <= 4 GB`" in said.text
    assert "next   zyc fit philo-q4" in said.text
    assert desk.zyc("fit", "free", "--json").data["behind"] == "philo-q4"
    assert desk.zyc("fit", "philo-q4", "--json").data["behind"] is None


def test_fit_is_named_only_where_something_could_be_changed(philo):
    """Rows that are too few are no field of anybody: the plan leads to no verb that would plan nothing."""
    desk = philo("4 GB")
    assert "zyc fit philo-q4" in desk.zyc("plan").out
    desk = philo("9 GB")
    desk.edit("specs/philo.yml", "seed: 7}}", "seed: 7}, gates: [rows >= 9000]}")
    said = desk.zyc("plan")
    assert "cannot hold  schemes" in said.out
    assert "zyc fit" not in said.out
    assert "0 were planned" in desk.zyc("fit", "schemes").out
