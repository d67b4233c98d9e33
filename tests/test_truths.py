"""What the makers of five systems believed, and what a plan tells them: from configurations and tables, without weights or GPU.

The lines about quantization, evaluation and serving are arithmetic of `zyc/arch` until their kinds are there.
"""

import json
from dataclasses import replace

import pytest
from desk import Desk

from zyc import catalogue, kinds
from zyc.catalogue import devices
from zyc.craft import arch
from zyc.craft.arch import answering, gguf
from zyc.kind import Case
from zyc.place.doctor import findings_of_card
from zyc.types import Adapter, values_of

MISTRAL = catalogue.model("mistralai/Mistral-7B-Instruct-v0.3")
SITE = "hosts: {local: {cpus: 2, memory: 16 GB, gpus: 0, bf16: true}}\n"
PHILO = """\
about: Philosophers for the free CPU tier
models:
  mistral-7b: mistralai/Mistral-7B-Instruct-v0.3
datasets:
  schemes: {from: specs/data/schemes.jsonl, format: messages, split: {test: 10%, seed: 7}}
finetunes:
  philo-lora:
    base: mistral-7b
    data: schemes
    method: qlora
    context: 512
    lora: {rank: 64, alpha: 128, targets: all-linear}
    train: {epochs: 3, batch: 32, learning_rate: 2e-4, precision: bf16, seed: 7}
    placement: {micro_batch: 8}
"""


@pytest.fixture(scope="module")
def philo(tmp_path_factory):
    """The free tier of the philosophers: 1,200 chats of about 300 tokens, a laptop without GPU and network."""
    desk = Desk(tmp_path_factory.mktemp("philo"), environ={"HF_HUB_OFFLINE": "1", "COLUMNS": "140"})
    rows = []
    for at in range(1200):
        asked, answered = f"Question {at}. " + "Si tout a une cause, suis-je libre ? " * 12, "Tout suit de la nature. " * 29
        rows.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]})
    desk.write("specs/data/schemes.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    desk.write("zyc.yml", SITE)
    desk.spec(PHILO, "philo-free")
    return desk


def node_of(desk, name, *words):
    """What a plan says of a node, as data."""
    said = desk.zyc("plan", *words, "--json")
    assert said.code == 0, said.text
    return next(each for each in said.data["nodes"] if each["name"] == name)


def on(node, device):
    """What it says of it on a device."""
    return next(each for each in node["devices"] if each["device"] == device)


# --- r 64 adapter of 250-350 MB, 1-2 % trainable ---


def test_an_adapter_of_rank_64_is_336_mb_and_2_26_percent(philo):
    """167,772,160 parameters learn, 2.26 % of them; 336 MB as bf16 under QLoRA."""
    said = philo.zyc("show", "philo-lora")
    assert "167,772,160 parameters learn, 2.26 % of them" in said.out
    assert node_of(philo, "philo-lora")["result"] == "336 MB"


def test_a_plain_adapter_is_671_mb(philo):
    """Plain LoRA keeps its adapter in fp32: twice as much."""
    assert node_of(philo, "philo-lora", "--set", "philo-lora.method=lora")["result"] == "671 MB"


# --- 30-45 min on an A100 ---


def test_the_run_is_101_steps_and_about_a_million_tokens_and_minutes(philo):
    """It is five to ten minutes on an A100, and the plan says so with its money."""
    assert "101 steps, about 1 M tokens" in philo.zyc("show", "philo-lora").out
    a100 = on(node_of(philo, "philo-lora"), "a100-40")
    assert 5 * 60 <= a100["seconds"] <= 10.5 * 60
    assert a100["fits"]
    assert a100["cost"] == pytest.approx(1.1 * a100["seconds"] / 3600)


def test_the_table_has_a_column_for_each_device(philo):
    """Here there is no network and no GPU; a T4 takes longer, in fp16; the sums stand below."""
    said = philo.zyc("plan", "specs/philo-free.yml")
    lines = {line.split()[0]: line for line in said.lines if line.strip()}
    assert lines["node"].split() == ["node", "plan", "because", "result", "memory", "here", "T4", "A100", "40"]
    assert "no network" in lines["mistral-7b"]
    assert "8.76 GB gpu" in lines["philo-lora"]
    assert "no GPU" in lines["philo-lora"]
    assert "min fp16" in lines["philo-lora"]
    assert "≈ $" in said.out
    assert "offline" in said.lines[0]
    assert "zyc render philo-lora --as notebook" in said.out.partition("\nnext ")[2]
    assert "A100 40" not in philo.zyc("plan", "specs/philo-free.yml", COLUMNS="80").lines[2]  # devices give way first


def test_a_pull_request_shows_the_same(philo):
    """The table in markdown has the columns of the devices."""
    said = philo.zyc("plan", "specs/philo-free.yml", "--format", "markdown")
    assert said.lines[0] == "| node | plan | result | memory | here | T4 | A100 40 | because |"


def test_the_site_chooses_devices_and_prices(philo):
    """Other columns and other prices move no key."""
    before = node_of(philo, "philo-lora")
    philo.write("zyc.yml", SITE + "devices: [h100, a100-40]\nprices: {h100: 100}\n")
    try:
        after = node_of(philo, "philo-lora")
        assert [each["device"] for each in after["devices"]] == ["h100", "a100-40"]
        assert on(after, "h100")["cost"] == pytest.approx(100 * on(after, "h100")["seconds"] / 3600)
        assert {name: after[name] for name in ("key", "plan", "because")} == {
            name: before[name] for name in ("key", "plan", "because")
        }
        philo.write("zyc.yml", "devices: [h1000]\n")
        said = philo.zyc("plan")
        assert said.code == 2
        assert "did you mean `h100`?" in said.text
    finally:
        philo.write("zyc.yml", SITE)


# --- bf16, falling back to V100 or T4 ---


@pytest.mark.parametrize(("device", "words"), [("t4", "a T4 has no bf16"), ("v100", "a V100 has no bf16")])
def test_older_accelerators_have_no_bf16(philo, device, words):
    """Planned for one of them, bf16 is refused: fp16 is another recipe, and has another key."""
    said = philo.zyc("plan", "--set", f"philo-lora.placement.device={device}")
    assert said.code == 2
    assert words in said.text
    assert "`precision: fp16` trains there, and is another recipe, with a key of its own" in said.text
    assert ("those of CUDA 12.6 are the last" in said.text) == (device == "v100")
    named = (f"philo-lora.placement.device={device}", "philo-lora.train.precision=fp16")
    other = node_of(philo, "philo-lora", *(word for each in named for word in ("--set", each)))
    assert on(other, device)["precision"] == "fp16"


def test_the_place_is_in_no_key(philo):
    """Planned for an A100, the recipe is the same one."""
    rendered = [
        philo.zyc("show", "philo-lora", "--set", f"philo-lora.placement.device={name}", "--file", "recipe/train.py").out
        for name in ("a100-40", "h100")
    ]
    assert rendered[0] == rendered[1] != ""


# --- full 7B training near 40 GB ---


def test_all_of_a_7b_is_130_gb_and_does_not_fit_a_spark(philo):
    """18 bytes a parameter are 130 GB; an 8-bit optimizer or LoRA fits, each with what it takes."""
    assert 18 * arch.parameters(MISTRAL) == pytest.approx(130e9, rel=0.01)
    sets = ("--set", "philo-lora.method=full", "--set", "philo-lora.placement.device=dgx-spark")
    said = philo.zyc("plan", *sets)
    assert "`philo-lora` does not fit a DGX Spark: it needs 140 GB, and that has 128 GB" in said.out
    told = philo.zyc("plan", *sets, "--json").data["too_large"]["philo-lora"]
    changes = [each["change"] for each in told["remedies"]]
    assert len(changes) == 3
    assert changes[0].startswith("train: {optimizer: adamw-8bit}")
    assert changes[1].startswith("method: lora")
    assert all(each["fits"] and each["memory"] <= 128e9 for each in told["remedies"])
    assert "does not fit" not in philo.zyc("plan", *sets, "--set", "philo-lora.method=lora").out


def test_a_build_that_cannot_be_says_where_it_could(philo):
    """Nothing is started; what would run it is in the error."""
    said = philo.zyc("build")
    assert said.code == 2
    assert "`philo-lora` cannot run on this machine: no GPU" in said.text
    assert "an A100 40 takes 8.76 GB" in said.text


# --- Llama-3.1-7B ---


def test_there_is_no_llama_of_seven(philo, tmp_path):
    """The nearest name is told."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    desk.spec("models: {base: meta-llama/Llama-3.1-7B}\n")
    said = desk.zyc("plan")
    assert said.code == 2
    assert "did you mean `meta-llama/Llama-3.1-8B`?" in said.text


# --- licences ---


def test_conditions_of_a_licence_are_told_before_anything_is_built(tmp_path):
    """Llama may be used commercially, on conditions: a warning says which; research asks for nothing."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    desk.spec("use: commercial\nmodels: {base: meta-llama/Llama-3.1-8B}\n")
    said = desk.zyc("plan")
    assert said.code == 0
    assert "commercial use of `base` has conditions (llama3.1)" in said.err
    assert "fewer than 700 million people" in said.err
    desk.spec("use: research\nmodels: {base: meta-llama/Llama-3.1-8B}\n")
    assert "conditions" not in desk.zyc("plan").err


def test_a_research_licence_refuses_commerce(tmp_path):
    """Qwen2.5 3B is for research; the 1.5B of the same family is not."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    for size, code in (("3B", 2), ("1.5B", 0)):
        desk.spec(
            f"use: commercial\nmodels:\n  base: Qwen/Qwen2.5-{size}\n  more: {{hub: Qwen/Qwen2.5-{size}, add_tokens: [a]}}\n"
        )
        said = desk.zyc("plan")
        assert (size, said.code) == (size, code), said.text


# --- what cannot be, told before anything is spent ---


@pytest.mark.parametrize(
    ("change", "says", "help_"),
    [
        ("context=65536", "the base sees 32,768 tokens, not 65,536", "`context: 32768`"),
        ("lora.targets=[q_porj]", "a mistral has no layer `q_porj`", "did you mean `q_proj`?"),
        (
            "lora.rank=4096",
            "a rank of 4096 is more than the smallest layer has (1024)",
            "`rank: 1024` is the most; `256` is plenty",
        ),
        ("base=schemes", "takes a model", ""),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(philo, change, says, help_):
    """Contexts, targets, ranks and types are held against facts."""
    said = philo.zyc("plan", "--set", f"philo-lora.{change}")
    assert said.code == 2
    assert says in said.text, said.text
    assert help_ in said.text


def test_data_of_the_wrong_type_is_refused(tmp_path):
    """Preferences are for alignments, and the message says so."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    desk.write("specs/data/likes.jsonl", '{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    desk.spec(
        "models: {base: Qwen/Qwen2.5-0.5B-Instruct}\n"
        "datasets: {likes: {from: specs/data/likes.jsonl, format: preference}}\n"
        "finetunes: {tuned: {base: base, data: likes}}\n"
    )
    said = desk.zyc("plan")
    assert said.code == 2
    assert "the dataset holds preference; a finetune takes" in said.text
    assert "`method: dpo`" in said.text


def test_an_adapter_is_fused_into_its_own_base_only():
    """A base of another shape is refused by the fact that differs."""
    fused = kinds.load("fused")
    adapter = Adapter(base=values_of(MISTRAL), method="lora", rank=8, parameters=1, dtype="fp32")
    other = catalogue.model("meta-llama/Llama-3.2-3B")
    spec = fused.Spec.model_construct(source=None, base=None, gates=(), twin=(), tags=(), about="")
    wrong = list(fused.check(Case(spec, {"source": adapter, "base": other})))
    assert [each.field for each in wrong] == ["base"]
    assert "the adapter was trained on a base whose family is mistral; this one's is llama" in wrong[0].says
    assert list(fused.check(Case(spec, {"source": adapter, "base": MISTRAL}))) == []


# --- Qwen 14B on an A10G ---


def test_qwen_14b_in_bf16_is_larger_than_an_a10g():
    """29.5 GB against 24; four bits and int8 fit."""
    qwen, card = catalogue.model("Qwen/Qwen2.5-14B-Instruct"), devices.device("a10g")
    assert arch.weight_bytes(qwen, "bf16") == pytest.approx(29.5e9, abs=0.05e9)
    assert arch.weight_bytes(qwen, "bf16") > card.memory == 24e9
    assert answering.memory(qwen, arch.weight_bytes(qwen, "int8"), 4096) < card.memory
    assert answering.memory(qwen, gguf.tensor_bytes(qwen, "Q4_K_M"), 4096) < card.memory / 2


# --- Mistral 7B Q4_K_M answers in 4 GB of memory ---


def test_mistral_in_four_bits_needs_4_7_gb():
    """4.37 GB of weights, .13 of cache, .16 between layers; Q3_K_M, or a base of three billion, stays below 4."""
    weights = gguf.tensor_bytes(MISTRAL, "Q4_K_M")
    assert weights == pytest.approx(4.371e9, abs=0.002e9)
    assert arch.cache_bytes(MISTRAL, 1024) == pytest.approx(0.134e9, abs=0.001e9)
    assert round(answering.memory(MISTRAL, weights, 1024) / 1e9, 1) == 4.7
    smaller = gguf.tensor_bytes(MISTRAL, "Q3_K_M")
    assert round(smaller / 1e9, 1) == 3.5
    assert answering.memory(MISTRAL, smaller, 1024) < 4e9
    three = catalogue.model("meta-llama/Llama-3.2-3B-Instruct")
    assert answering.memory(three, gguf.tensor_bytes(three, "Q4_K_M"), 1024) < 4e9


def test_which_tensors_get_more_bits():
    """Values and down projections of half the layers and the head are Q6_K; the embedding is Q4_K; norms stay whole."""
    types = {each.name: each.type for each in gguf.quantized(MISTRAL, "Q4_K_M")}
    assert sum(types[f"blk.{at}.attn_v.weight"] == "Q6_K" for at in range(32)) == 16
    assert sum(types[f"blk.{at}.ffn_down.weight"] == "Q6_K" for at in range(32)) == 16
    assert (types["output.weight"], types["token_embd.weight"]) == ("Q6_K", "Q4_K")
    assert types["blk.0.attn_norm.weight"] == "F32"


# --- 200 + 150 tokens in 15 s on a free CPU ---


def test_a_free_cpu_answers_sixty_tokens_in_time_and_not_a_hundred_and_fifty():
    """On two quiet fast cores 200 + 150 tokens take 18 s, on poor ones 31; 40 + 60 take 7 to 11."""
    cpu, weights = devices.device("hf-cpu-basic"), gguf.tensor_bytes(MISTRAL, "Q4_K_M")

    def span(prompt, new):
        fast, slow = (
            answering.seconds(MISTRAL, weights, prompt, new, bandwidth=at * cpu.bandwidth, flops=at * cpu.peak["bf16"])
            for at in (cpu.spread, 1.0)
        )
        return round(fast), round(slow)

    assert span(200, 150) == (18, 31)
    assert span(40, 60) == (7, 11)
    assert max(span(40, 60)) <= 15 < min(span(200, 150))


# --- more than 30 tokens/s for a 7B on a Spark ---


def test_a_spark_writes_19_tokens_a_second_in_bf16():
    """Every token moves every weight: 18.8 in bf16, 35 in q8_0, 62 in q4."""
    spark = devices.device("dgx-spark")
    speeds = [
        answering.tokens_per_second(gguf.tensor_bytes(MISTRAL, kind), spark.bandwidth) for kind in ("BF16", "Q8_0", "Q4_K_M")
    ]
    assert [round(each, 1) for each in speeds] == [18.8, 35.4, 62.4]
    assert speeds[0] < 30 < speeds[1]


# --- a 7B from scratch in 2-4 weeks on one Spark ---


def test_four_weeks_of_a_spark_are_not_a_7b():
    """125 TFLOP/s at 40 % read 1.4 B tokens in two weeks, 2.8 B in four; 140 B take years; about 300 M parameters fit."""
    spark = devices.device("dgx-spark")
    reached = spark.peak["bf16"] * 0.4
    week = 7 * 86400.0
    assert 2 * week * reached / (6 * arch.parameters(MISTRAL)) == pytest.approx(1.4e9, rel=0.02)
    assert 4 * week * reached / (6 * arch.parameters(MISTRAL)) == pytest.approx(2.8e9, rel=0.02)
    years = 6 * arch.parameters(MISTRAL) * 140e9 / reached / (365.25 * 86400)
    assert years == pytest.approx(3.8, abs=0.15)
    assert (2 * week * reached / (6 * 110)) ** 0.5 == pytest.approx(300e6, rel=0.05)  # 110 tokens for each parameter


def test_a_plan_of_a_7b_from_scratch_says_years(tmp_path):
    """140 B tokens on one Spark are years; fewer are too few for so many parameters, and the plan says how many they are for."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    desk.write("zyc.yml", SITE)
    desk.write("specs/data/notes.txt", "Bonjour.\n")
    shape = "family: llama, layers: 32, heads: 32, kv_heads: 8, width: 4096, mlp: 14336, context: 2048, tied: false"
    for tokens, placement in (("140G", "activation_checkpointing: false, compile: true"), ("2.8G", "micro_batch: 1")):
        desk.spec(
            "datasets: {notes: {from: specs/data/notes.txt, format: text}}\n"
            "tokenizers: {pieces: {corpus: notes, vocab: 32000, chat_template: chatml}}\n"
            f"models: {{new: {{scratch: {{{shape}}}, tokenizer: pieces}}}}\n"
            f"pretrains: {{base: {{model: new, data: notes, tokens: {tokens}, batch_tokens: 131072,"
            f" placement: {{device: dgx-spark, {placement}}}}}}}\n"
        )
        said = desk.zyc("plan")
        assert said.code == 0, said.text
        spark = on(node_of(desk, "base"), "dgx-spark")
        assert not spark["fits"]
        if tokens == "140G":
            assert spark["seconds"] / (365.25 * 86400) == pytest.approx(3.8, abs=0.15)
            assert "for each of" not in said.err
        else:
            assert "2.8 B tokens are 0.39 for each of 7,242 M parameters" in said.err
            assert "go on from a trained base" in said.err
            assert "280 M parameters at most" in said.err


# --- CUDA 12.6 and torch 2.6 on a DGX Spark ---


@pytest.mark.parametrize(
    ("card", "torch", "wrong"),
    [
        ("NVIDIA GB10, 122502 MiB, 12.1", (12, 6), {"CUDA"}),
        ("NVIDIA GB10, 122502 MiB, 12.1", (13, 0), set()),
        ("Tesla V100-SXM2-16GB, 16384 MiB, 7.0", (12, 9), {"CUDA", "bf16"}),
        ("Tesla V100-SXM2-16GB, 16384 MiB, 7.0", (12, 6), {"bf16"}),
        ("Tesla T4, 15360 MiB, 7.5", (13, 0), {"bf16"}),
        ("NVIDIA A100-SXM4-40GB, 40960 MiB, 8.0", (13, 0), set()),
    ],
)
def test_doctor_knows_what_a_card_needs(card, torch, wrong):
    """A GB10 needs CUDA 13; a V100 needs CUDA 12.6; neither V100 nor T4 has bf16."""
    assert {each.name for each in findings_of_card(card, torch) if not each.fine} == wrong


# --- CodeGemma 2B with Qwen2 1.5B, Mistral 7B or Llama 3.2 by slerp ---


@pytest.mark.parametrize("other", ["Qwen/Qwen2-1.5B", "mistralai/Mistral-7B-v0.3", "meta-llama/Llama-3.2-1B"])
def test_three_pairs_are_across_architectures(other):
    """The facts that differ are named, the family first; a pair of one family differs in none."""
    told = answering.differences(catalogue.model("google/codegemma-2b"), catalogue.model(other))
    assert told[0][0] == "family"
    assert len(told) >= 5
    alike = [catalogue.model(f"Qwen/Qwen2.5-{name}1.5B") for name in ("", "Coder-")]
    assert answering.differences(*alike) == ()


# --- first token after 2 of 6 shards ---


def test_every_token_needs_every_shard():
    """A first token needs the whole file: five shards of 200 MB and more, where two are there."""
    size = gguf.tensor_bytes(catalogue.model("Qwen/Qwen2.5-1.5B-Instruct"), "Q4_K_M")
    assert size > 4 * 200e6  # shards of 200 MB


# --- width 512 SwiGLU with 8/3 ---


def test_a_width_that_quantizes_badly_is_told_with_the_nearest(tmp_path):
    """1365 is no multiple of 256: K-quants fall back; 1536 gives 32.4 M parameters and 34 MB in q8_0."""
    desk = Desk(tmp_path)
    desk.write("specs/data/notes.txt", "Bonjour.\n")
    shape = "family: llama, layers: 8, heads: 8, width: 512, context: 512"
    for mlp, told in ((1365, True), (1536, False)):
        desk.spec(
            "datasets: {notes: {from: specs/data/notes.txt, format: text}}\n"
            "tokenizers: {pieces: {corpus: notes, vocab: 10000, chat_template: chatml}}\n"
            f"models: {{jarvis: {{scratch: {{{shape}, mlp: {mlp}}}, tokenizer: pieces}}}}\n"
        )
        said = desk.zyc("plan")
        assert said.code == 0, said.text
        assert ("1365" in said.err and "1536" in said.err) == told
        assert ("32.4 M parameters" in said.out) != told
    jarvis = catalogue.model("HuggingFaceTB/SmolLM2-135M")
    jarvis = replace(jarvis, layers=8, width=512, heads=8, kv_heads=8, head_size=64, mlp=1365, vocabulary=10_000, tied=True)
    assert gguf.fallbacks(jarvis) == ("down_proj",)
    good = replace(jarvis, mlp=1536)
    assert round(arch.parameters(good) / 1e6, 1) == 32.4
    assert round(gguf.tensor_bytes(good, "Q8_0") / 1e6) == 34


# --- perplexity compared across tokenizers ---


def test_bits_per_byte_compare_what_perplexity_cannot():
    """Half as many tokens at twice the loss say the same about a text."""
    assert answering.bits_per_byte(2.0, 100, 400) == pytest.approx(answering.bits_per_byte(1.0, 200, 400))


def test_what_a_notebook_would_fetch_is_pinned_first(philo):
    """Its face is refused while its base has no pin; with one, `zyc lock` is no step on the way any more."""
    assert philo.zyc("render", "philo-lora", "--as", "notebook").code == 2
    steps = philo.zyc("plan", "specs/philo-free.yml").out.partition("\nnext ")[2]
    assert "zyc lock " in steps.partition("zyc render philo-lora --as notebook")[0]
    philo.write("zyc.lock", 'zyc-lock: 1\npins:\n  "hub:mistralai/Mistral-7B-Instruct-v0.3@main": "%s"\n' % ("a" * 40))
    steps = philo.zyc("plan", "specs/philo-free.yml").out.partition("\nnext ")[2]
    assert "zyc render philo-lora --as notebook" in steps
    assert "zyc lock " not in steps
