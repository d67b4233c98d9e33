"""The kind `quant` and its proof: what is chosen and refused before anything runs, and what comes of a real model."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import samples
import tiny_models
import trainee
from modules import modules_of
from standing import module, run, stand

from zyc import catalogue, kinds
from zyc.craft import quantizing
from zyc.craft.arch import answering
from zyc.craft.arch import gguf as sizes
from zyc.craft.arch.mixture import Choice
from zyc.craft.quantizing import gguf as ours
from zyc.craft.quantizing.spec import FidelitySpec, Name, QuantSpec
from zyc.gates import Verdict, judge
from zyc.kind import Case
from zyc.types import Dataset, Gguf, Model, values_of

MISTRAL = catalogue.model("mistralai/Mistral-7B-Instruct-v0.3")
LLAMA_3B = catalogue.model("meta-llama/Llama-3.2-3B-Instruct")


def case(model=MISTRAL, *, source="F16", imatrix=False, **fields):
    """The kind, asked about a GGUF of this model."""
    told = {"model": "some", "format": "gguf", "type": "Q4_K_M", **fields}
    told |= {"imatrix": "rows"} if imatrix else {}
    spec = QuantSpec.model_validate(trainee.plain({name: value for name, value in told.items() if value}))
    inputs = {"model": Gguf(values_of(model), source, sizes.file_bytes(model, "F16"), model.licence)}
    return Case(spec, {**inputs, **({"imatrix": Dataset(rows=10)} if imatrix else {})})


def objections(*about, **fields):
    """What it objects to: fields and words."""
    return [(each.field, f"{each.says}: {each.help}") for each in kinds.load("quant").check(case(*about, **fields))]


# --- before anything runs ---


def test_from_scratch(workshop, golden):
    """The script shows the type, what is written over the facts of the file, and which llama.cpp does it."""
    workshop.spec(samples.read("quant").spec.partition("\n")[2])
    golden(workshop.front(), "my-small")


def test_proof_from_scratch(workshop, golden):
    """The proof shows what is compared, in the order in which it happens."""
    workshop.spec(samples.read("fidelity").spec.partition("\n")[2])
    golden(workshop.front(), "my-small.proof")


def test_every_format_can_be_written():
    """The words of the field `format` are the formats that there are."""
    assert set(Name.__args__) == set(quantizing.FORMATS)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"type": "NVFP4"}, "type", "does not write it"),
        ({"type": "Q4_K_L"}, "type", "did you mean `Q4_K_"),
        ({"type": ""}, "type", "needs a type"),
        ({"type": "IQ2_XS"}, "type", "imatrix: DATASET"),
        ({"source": "Q8_0"}, "model", "rounded twice"),
        ({"budget": {"size": "4 GB"}}, "budget", "keep one of `type` and `budget`"),
        ({"type": "", "budget": {"context": "512"}}, "budget", "limits nothing"),
        ({"type": "", "budget": {"size": "1 GB"}}, "budget", "`Q2_K` takes 2."),
        ({"type": "", "budget": {"memory": "1 GB"}}, "budget", "of memory with 4,096 tokens"),
        ({"overrides": {"ffn_down": "Q6_K_M"}}, "overrides.ffn_down", "did you mean `Q6_K`?"),
        ({"overrides": {"ffn_dawn": "Q6_K"}}, "overrides.ffn_dawn", "did you mean `ffn_down`?"),
        ({"overrides": {"(": "Q6_K"}}, "overrides.(", "no regular expression"),
        ({"overrides": {"ffn_down": "IQ2_XS"}}, "overrides.ffn_down", "which weights matter"),
        ({"type": "F32", "overrides": {"ffn_down": "Q6_K"}}, "overrides", "one type"),
        ({"shards": "20 MB"}, "shards", "no shard can be smaller"),
        ({"metadata": {"description": "x" * 200}}, "metadata.description", "127"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_byte(fields, field, words):
    """The field that is at fault, why, and what would work."""
    ((where, says), *_) = objections(**fields)
    assert where == field
    assert words in says


def test_rows_that_no_block_cuts_are_refused_where_nothing_stands_in():
    """Q1_0 has blocks of 128 weights and no other type to fall back to: the quantizer would end with an error after minutes."""
    smollm = catalogue.model("HuggingFaceTB/SmolLM2-135M")
    assert "128 weights" in objections(smollm, type="Q1_0")[0][1]
    assert objections(smollm, type="Q2_0") == []


def test_every_type_of_llama_cpp_is_taken_or_refused_with_words():
    """All that can be written is allowed with an imatrix; without one, exactly those that llama.cpp refuses are."""
    for kind in ours.FTYPES:
        assert objections(type=kind, imatrix=True) == [], kind
        assert bool(objections(type=kind)) == (kind in ours.NEED_IMATRIX), kind
    assert set(sizes.TYPES) == set(ours.FTYPES) == set(ours.DRIFT)


def test_the_budget_takes_the_best_type_that_fits():
    """Philosophers in 4 GB: Q3_K_M of a 7B, or Q4 and more of a 3B; more room gives more bits."""
    kind = kinds.load("quant")

    def told(model, **budget):
        return kind.facts(case(model, type="", budget=budget)).type

    assert told(MISTRAL, memory="4 GB", context="1024") == "Q3_K_M"
    assert told(MISTRAL, size="5.2 GB") == "Q5_K_M"
    assert told(MISTRAL, size="20 GB") == "F16"
    assert told(LLAMA_3B, memory="4 GB", context="1024") == "Q8_0"
    assert told(LLAMA_3B, memory="4 GB", context="16_384") != "Q8_0"
    fit, next_ = (answering.memory(MISTRAL, sizes.tensor_bytes(MISTRAL, each), 1024) for each in ("Q3_K_M", "Q3_K_L"))
    assert fit <= 4e9 < next_


def test_a_width_that_is_no_multiple_of_256_is_warned_of_with_the_nearest():
    """Width 512 with 8/3 gives 1365: K-quants fall back, and 1280 or 1536 would not."""
    odd = replace(MISTRAL, mlp=1365)
    (told,) = kinds.load("quant").notes(case(odd))
    assert "1,365" in told.says
    assert "1,536" in told.help
    assert list(kinds.load("quant").notes(case())) == []


def test_presets_are_types_and_shards():
    """What a browser fetches comes in shards of 200 MB."""
    kind = kinds.load("quant")
    for preset, wanted in (("web-q4", "Q4_K_M"), ("web-q8", "Q8_0"), ("web-f16", "F16"), ("web-f32", "F32")):
        values = kind.recipe(case(type=preset)).values
        assert (values["type"], values["shards"]) == (wanted, 200_000_000)
    assert kind.recipe(case(type="web-q4", shards="500 MB")).values["shards"] == 500_000_000


def test_a_twin_and_a_small_model_are_held_to_other_bounds():
    """As the kinds are described: 0.06 for four bits, twice that below 4 B, and less for a twin."""

    def bounds(model, kind, *, twin=False):
        spec = FidelitySpec.model_construct(format="gguf")
        inputs = {"subject": Gguf(values_of(model), kind), "model": model}
        told = kinds.load("fidelity").foreseen(Case(spec, inputs, twin=twin))
        return {each.measure: each.bound for each in told}

    table = {"Q8_0": (0.003, 0.99), "Q6_K": (0.01, 0.98), "Q5_K_M": (0.02, 0.97), "Q4_K_M": (0.06, 0.95)}
    for kind, (kl, top1) in table.items():
        assert bounds(MISTRAL, kind) == pytest.approx({"kl": kl, "top1": top1})
    assert bounds(LLAMA_3B, "Q4_K_M")["kl"] == pytest.approx(0.12)
    assert bounds(LLAMA_3B, "Q5_K_M")["kl"] == pytest.approx(0.02)
    assert [bounds(LLAMA_3B, kind, twin=True)["kl"] for kind in table] == pytest.approx([0.001, 0.005, 0.01, 0.03])


SPEC = """
tokenizers:
  pieces: {corpus: data/words.txt, vocab: 400}
models:
  tiny: {scratch: {family: llama, layers: 2, heads: 4, width: 256, mlp: 512, context: 256}, tokenizer: pieces}
datasets:
  rows: {from: data/words.txt, per: line, format: text, split: {test: 20%}}
finetunes:
  tune: {base: tiny, data: rows, context: 128, train: {steps: 10}}
quants:
  small: {model: MODEL, format: gguf, type: Q4_K_M, gates: [kl < 0.5, bytes < 3 MB]}
"""


def test_what_lies_between_is_inserted_and_the_chats_are_found(workshop):
    """An adapter is fused and converted first; the proof has the model behind it, and the dataset that it stands on."""
    workshop.spec(SPEC.replace("MODEL", "tune"))
    graph = workshop.front().graph
    edges = {edge.field: edge.source for edge in graph.vertices["small.proof"].edges if not edge.order}
    assert {edge.field: edge.source for edge in graph.vertices["small"].edges if not edge.order} == {"model": "tune.fused.gguf"}
    assert edges == {"subject": "small", "against": "tune.fused.gguf", "model": "tune.fused", "chats": "rows"}


def test_a_gguf_that_the_compiler_inserts_may_be_named(workshop):
    """`tune.fused.gguf` is what would be taken anyway: the graph is the same."""
    workshop.spec(SPEC.replace("MODEL", "tune"))
    plain = {name: vertex.edges for name, vertex in workshop.front().graph.vertices.items()}
    workshop.spec(SPEC.replace("MODEL", "tune.fused.gguf"))
    assert {name: vertex.edges for name, vertex in workshop.front().graph.vertices.items()} == plain


def test_gates_on_what_the_proof_measures_are_the_proofs(workshop):
    """`kl` of a quant replaces the default of its proof; `bytes` is the quant's own, and answered by arithmetic."""
    workshop.spec(SPEC.replace("MODEL", "tiny"))
    plan = workshop.front().plan
    gates = {str(each.gate): each.verdict.value for each in plan.decisions["small"].gates}
    proof = {str(each.gate) for each in plan.decisions["small.proof"].gates}
    assert gates == {"bytes < 3 MB": "could hold"}
    assert {"kl < 0.5", "top1 >= 95 %", "same_tokens = 100 %", "same_template = 100 %"} == proof


def test_a_family_of_types_is_held_to_the_bounds_of_each(workshop):
    """Members differ in type, and so do their bounds, where nobody wrote any."""
    spec = SPEC.replace("MODEL", "tiny").replace("type: Q4_K_M, gates: [kl < 0.5, bytes < 3 MB]", "type: $(matrix.type)")
    workshop.spec(spec.replace("type: $", "matrix: {type: [Q4_K_M, Q8_0]}, type: $"))
    plan = workshop.front().plan
    told = {
        name: {each.gate.measure: each.gate.bound for each in plan.decisions[f"small@type={name}.proof"].gates}
        for name in ("Q4_K_M", "Q8_0")
    }
    assert {name: (each["kl"], each["top1"]) for name, each in told.items()} == {"Q4_K_M": (0.12, 0.95), "Q8_0": (0.003, 0.99)}


def test_the_best_of_a_family_can_be_quantized(workshop):
    """A choice is converted and proven as a node is: the winner's own model and dataset stand behind the proof."""
    spec = SPEC.replace("train: {steps: 10}", "lora: {rank: $(matrix.rank)}, matrix: {rank: [4, 8]}, train: {steps: 10}")
    workshop.spec(spec.replace("MODEL", "{select: {from: tune, min: test.loss}}"))
    graph = workshop.front().graph
    edges = {edge.field: edge.source for edge in graph.vertices["small.proof"].edges if not edge.order}
    assert set(edges) == {"subject", "against", "model", "chats"}
    assert edges["chats"] == "rows"
    assert all("select" in edges[field] for field in ("against", "model"))


def test_what_is_no_model_is_refused_where_it_is_named(workshop):
    """A dataset is no GGUF and becomes none."""
    workshop.spec(SPEC.replace("MODEL", "rows"))
    codes = {code for _, code, _ in workshop.problems()}
    assert codes == {"no-way-between"}


# --- real files ---


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny Llama whose rows K-quants can cut, and that has learned a little: what it expects depends on what it reads."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sizes_of = {"hidden_size": 256, "intermediate_size": 512, "head_dim": 64, "tie_word_embeddings": True}
    home = tiny_models.make(tmp_path_factory.mktemp("trained"), **sizes_of)
    (home / "training_template.jinja").write_text(trainee.MARKED)
    tokenizer = AutoTokenizer.from_pretrained(home)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    learner = AutoModelForCausalLM.from_pretrained(home, dtype=torch.float32)
    torch.nn.init.normal_(learner.get_input_embeddings().weight, std=0.02)
    optimizer = torch.optim.AdamW(learner.parameters(), 2e-3)
    texts = [tokenizer.apply_chat_template(each["messages"], tokenize=False) for each in trainee.chats(480)]
    for step in range(60):
        told = tokenizer(texts[step * 8 : step * 8 + 8], add_special_tokens=False, padding=True, return_tensors="pt")
        labels = told["input_ids"].masked_fill(told["attention_mask"] == 0, -100)
        learner(**told, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    learner.to(torch.bfloat16).save_pretrained(home)
    return home


@pytest.fixture(scope="module")
def full(model, tmp_path_factory):
    """Its file in 16 bits."""
    folder = tmp_path_factory.mktemp("full") / "s"
    run(stand(folder, "gguf", {"source": model}))
    return folder / "out"


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Chats, some held out."""
    home = tmp_path_factory.mktemp("rows")
    trainee.make_dataset(home, trainee.chats(200, seed=5), trainee.chats(60, turns=2, seed=6))
    return home


FACTS = Model(
    family="llama", layers=2, width=256, mlp=512, heads=4, kv_heads=2, head_size=64, tied=True, biased=False,
    form="sentencepiece-bpe", context=512,
)  # fmt: skip


def facts(model):
    """What is known of it."""
    return replace(FACTS, vocabulary=json.loads((model / "config.json").read_text())["vocab_size"])


def quantize(folder, full, model, rows=None, **fields):
    """A quant as a build runs it: its code, what it said, and its folder."""
    source = Gguf(values_of(facts(model)), "F16", sizes.file_bytes(facts(model), "F16"))
    inputs = {"model": source, **({"imatrix": Dataset(rows=200, tokens=20_000)} if rows else {})}
    spec = {"model": "m", "format": "gguf", "type": "Q4_K_M", **fields, **({"imatrix": "rows"} if rows else {})}
    places = {"model": full, **({"imatrix": rows} if rows else {})}
    home = trainee.write_step(folder, trainee.rendered("quant", spec, inputs), places)
    code, said = trainee.run(home)
    return code, said, home


def prove(folder, subject, full, model, rows=None):
    """The measures of a proof, or what it ended with."""
    inputs = {"subject": Gguf(values_of(facts(model)), "Q4_K_M"), "against": Gguf(values_of(facts(model)), "F16")}
    inputs |= {"model": facts(model), **({"chats": Dataset(test=0.2)} if rows else {})}
    spec = {"subject": "q", "against": "f", "model": "m", "format": "gguf"}
    places = {"subject": subject, "against": full, "model": model, **({"chats": rows} if rows else {})}
    home = trainee.write_step(folder, trainee.rendered("fidelity", spec, inputs), places)
    code, said = trainee.run(home)
    return trainee.measures(home) if code == 0 else said


def broken(measures, kind="Q4_K_M"):
    """The bounds that do not hold."""
    spec, inputs = FidelitySpec.model_construct(format="gguf"), {"subject": Gguf(type=kind), "model": FACTS}
    proof = kinds.load("fidelity")
    gates = (*proof.bounds(spec), *proof.foreseen(Case(spec, inputs)))
    return {each.measure for each in gates if judge(each, measures) is not Verdict.HOLDS}


@pytest.fixture(scope="module")
def q4(model, full, tmp_path_factory):
    """Four bits of it."""
    code, said, home = quantize(tmp_path_factory.mktemp("q4"), full, model)
    assert code == 0, said
    return home / "out"


def read(folder):
    """A second reader of the file: gguf-py."""
    return module("shared/gguf_file.py").GgufFile(folder / "model.gguf")


@pytest.mark.slow
def test_every_type_takes_the_bytes_that_arithmetic_says(model, full, rows, tmp_path):
    """Every type of llama.cpp, tensor by tensor and to the byte; Q2_0 alone is not known to the reader that is installed."""
    quantizer, home = module("quant/lib/quantizer.py"), module("lib/llama_home.py")
    llama_cpp = home.bindings()
    header = read(full).bytes - sum(each.bytes for each in read(full).tensors)
    _, _, with_rows = quantize(tmp_path / "rows", full, model, rows, type="IQ4_XS")
    for kind, number in ours.FTYPES.items():
        if kind in ours.NEED_IMATRIX:
            with pytest.raises(quantizer.Trap, match="imatrix"):
                quantizer.quantize(llama_cpp, full / "model.gguf", tmp_path / "x.gguf", quantizer.Way(number))
            continue
        path = tmp_path / kind / "model.gguf"
        path.parent.mkdir()
        quantizer.quantize(llama_cpp, full / "model.gguf", path, quantizer.Way(number))
        told = sizes.quantized(facts(model), kind)
        assert path.stat().st_size - header == pytest.approx(sum(each.bytes for each in told), abs=64), kind
        if kind != "Q2_0":
            assert {each.name: each.type for each in read(path.parent).tensors} == {each.name: each.type for each in told}, kind
    made, choice = read(with_rows / "out"), Choice("IQ4_XS", imatrix=True)
    assert {each.name: each.type for each in made.tensors} == {
        each.name: each.type for each in sizes.quantized(facts(model), choice)
    }


@pytest.mark.slow
def test_the_estimate_holds_the_bytes_of_the_file(model, full, q4):
    """What the plan says before anything exists holds what lies there in the end, and most of it is exact."""
    told = case(facts(model))
    expected = dict(kinds.load("quant").estimate(told).measures)
    assert expected["bytes"].low <= read(q4).bytes <= expected["bytes"].high
    assert expected["bytes"].low == sum(each.bytes for each in read(q4).tensors)
    assert expected["size.reduction"].low <= 1 - read(q4).bytes / read(full).bytes <= expected["size.reduction"].high


@pytest.mark.slow
def test_an_imatrix_is_made_of_the_rows_and_says_so(model, full, rows, tmp_path):
    """A type that needs one is made with one, and what it was made of lies beside the file and in it."""
    code, said, home = quantize(tmp_path, full, model, rows, type="IQ2_XS")
    assert code == 0, said
    told = json.loads((home / "out/imatrix.json").read_text())
    assert told["rows"] == 200
    assert told["tokens"] > 2_000
    assert read(home / "out").facts["quantize.imatrix.entries_count"] == told["matrices"] == 14
    assert re.search(r"importance of 14 matrices from 200 rows", said)


TRIMMING = """\
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ raise_exception('no system') }}{%- endif -%}
<{{ m.role }}>{{ m.content | trim }}</>
{%- endfor -%}
{%- if add_generation_prompt -%}<assistant>{%- endif -%}
"""


@pytest.mark.slow
def test_a_row_of_an_imatrix_is_what_the_template_makes_of_it():
    """An answer is whole where the template trims it; a system's turn that the template refuses leaves the row out."""
    bindings = module("lib/llama_home.py").bindings()
    library = SimpleNamespace(llama_model_get_vocab=lambda _: None, llama_vocab_get_text=lambda *_: b"")
    told = {"tokenizer.chat_template": TRIMMING}
    llama = SimpleNamespace(model=None, metadata=told, token_eos=lambda: -1, token_bos=lambda: -1)
    assert bindings is not None
    with modules_of("quant", "importance") as found:
        render = found.importance._renderer(library, llama)
    said = [{"role": "user", "content": "a "}, {"role": "assistant", "content": " one two\n"}]
    assert render({"messages": said}) == "<user>a</><assistant>one two"
    assert render({"messages": [{"role": "system", "content": "s"}, *said]}) == ""


@pytest.mark.slow
def test_what_the_file_says_of_itself_is_kept_and_told_anew(model, full, tmp_path):
    """Name, author and licence are as they are written; the template, the tokens and the rest are as they were."""
    told = {"name": "Petit", "author": "somebody", "licence": "mit", "version": "v2", "url": "a page", "description": "small"}
    code, said, home = quantize(tmp_path, full, model, metadata=told, overrides={"ffn_down": "Q8_0"})
    assert code == 0, said
    before, after = read(full), read(home / "out")
    named = [after.facts[f"general.{name}"] for name in ("name", "author", "license", "version")]
    assert named == ["Petit", "somebody", "mit", "v2"]
    kept = [name for name in before.facts if name.startswith("tokenizer.")]
    assert len(kept) > 8
    assert all(before.facts[name] == after.facts[name] for name in kept)
    assert {each.type for each in after.tensors if "ffn_down" in each.name} == {"Q8_0"}


@pytest.mark.slow
def test_shards_are_small_enough_and_one_model(model, full, tmp_path):
    """No file is larger than was asked, and llama.cpp and gguf-py read all of it from the first."""
    code, said, home = quantize(tmp_path, full, model, type="F32", shards="2.5 MB")
    assert code == 0, said
    files = sorted((home / "out").glob("*.gguf"))
    assert len(files) > 2
    assert max(each.stat().st_size for each in files) <= 2_500_000
    whole = module("shared/gguf_file.py").GgufFile(files[0])
    assert len(whole.tensors) == len(read(full).tensors)
    assert trainee.measures(home)["bytes"] == sum(each.stat().st_size for each in files)
    llama = module("lib/llama_home.py").bindings().Llama(str(files[0]), n_ctx=64, verbose=False)
    assert llama.n_vocab() == facts(model).vocabulary
    llama.close()


@pytest.mark.slow
def test_a_file_that_was_cut_short_is_refused(full, model, tmp_path):
    """The quantizer and the proof both say what is wrong with it, and nothing is left that looks like a result."""
    (tmp_path / "cut").mkdir()
    whole = (full / "model.gguf").read_bytes()
    (tmp_path / "cut/model.gguf").write_bytes(whole[: len(whole) * 2 // 3])
    code, said, home = quantize(tmp_path / "step", tmp_path / "cut", model)
    assert code == 1
    assert "quantizer answered" in said
    assert list((home / "out").iterdir()) == []
    assert "cut short" in prove(tmp_path / "proof", tmp_path / "cut", full, model)
    (tmp_path / "cut/model.gguf").write_text("no model")
    assert "is no GGUF" in quantize(tmp_path / "none", tmp_path / "cut", model)[1]


@pytest.mark.slow
def test_fewer_bits_are_farther_away(model, full, rows, tmp_path):
    """KL rises from eight bits over six and five to four, on held-out chats; every default bound holds."""
    told = {}
    for kind in ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"):
        code, said, home = quantize(tmp_path / kind, full, model, type=kind)
        assert code == 0, said
        told[kind] = prove(tmp_path / f"proof-{kind}", home / "out", full, model, rows)
        assert broken(told[kind], kind) == set(), told[kind]
    order = list(told.values())
    assert [each["kl"] for each in order] == sorted(each["kl"] for each in order)
    assert order[0]["kl"] < order[-1]["kl"] / 10
    assert all(0 <= each["kl.assistant"] <= each["kl_max"] for each in order)
    report = json.loads((tmp_path / "proof-Q4_K_M/out/fidelity.json").read_text())
    assert report["on"] == "rows of the dataset that are held out"
    assert 0 < report["compared"]["assistant"] < report["compared"]["positions"]


@pytest.mark.slow
def test_following_an_answer_finds_where_ones_own_would_part(model, full, q4):
    """Four bits that read an answer of sixteen in one go leave it where they would if they answered themselves."""
    told, binding = module("fidelity/lib/answering.py"), module("lib/llama_home.py").bindings()
    for words in ((1, 2, 3), (5, 8, 13, 21), (34, 55)):
        with told.opened(binding, full / "model.gguf", context=64, threads=1) as llama:
            wanted = told.answer(llama, words, 24)
            assert told.likeliest(llama, words, wanted) == wanted
        with told.opened(binding, q4 / "model.gguf", context=64, threads=1) as llama:
            own, followed = told.answer(llama, words, 24), told.likeliest(llama, words, wanted)
        answers = told.Answers()
        answers.add("?", wanted, followed, str)
        same = next((at for at, (one, two) in enumerate(zip(wanted, own, strict=False)) if one != two), len(wanted))
        assert answers.together == [same]


@pytest.fixture
def changed(model, tmp_path):
    """A copy of the model, to be changed."""
    shutil.copytree(model, tmp_path / "changed")
    return tmp_path / "changed"


@pytest.mark.slow
def test_a_template_that_drifted_is_seen(full, q4, changed, tmp_path):
    """One space more in the template, and no chat is the same; without a dataset, chats are our own."""
    path = changed / "chat_template.jinja"
    path.write_text(path.read_text().replace("'<|im_start|>' +", "' <|im_start|>' +"))
    measures = prove(tmp_path / "proof", q4, full, changed)
    assert broken(measures) & {"same_template", "same_tokens"} == {"same_template"}
    assert measures["same_template"] < 0.1
    assert json.loads((tmp_path / "proof/out/fidelity.json").read_text())["on"] == "chats and sentences of our own"


def rewrite(source, target, change):
    """A copy of a GGUF with tensors or facts changed by gguf-py."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(source / "model.gguf")
    target.mkdir()
    facts = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    writer = GGUFWriter(target / "model.gguf", facts["general.architecture"].contents())
    values = {name: field.contents() for name, field in facts.items()}
    tensors = {each.name: (each.data.copy(), each.tensor_type) for each in reader.tensors}
    change(values, tensors)
    for name, field in facts.items():
        if name != "general.architecture" and name in values:
            kind, inner = field.types[0], field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, values[name], kind, sub_type=inner)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def swap_tensors(_, tensors):
    """Two layers' matrices change places."""
    one, two = "blk.0.ffn_up.weight", "blk.0.ffn_gate.weight"
    tensors[one], tensors[two] = tensors[two], tensors[one]


def swap_tokens(facts, _):
    """Two pieces change places."""
    pieces = facts["tokenizer.ggml.tokens"]
    one, two = (at for at, piece in enumerate(pieces) if piece in ("e", "a"))
    pieces[one], pieces[two] = pieces[two], pieces[one]


def double_bos(facts, _):
    """A template that writes the BOS twice."""
    facts["tokenizer.chat_template"] = "{{ bos_token }}" + facts["tokenizer.chat_template"]


def drop_template(facts, _):
    """No template at all."""
    del facts["tokenizer.chat_template"]


FAULTS = {
    swap_tensors: {"kl", "top1"},
    swap_tokens: {"same_tokens"},
    double_bos: {"same_template"},
    drop_template: {"same_template"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.__name__)
@pytest.mark.slow
def test_what_goes_wrong_on_the_way_is_seen(fault, model, full, q4, rows, tmp_path):
    """Swapped tensors, a wrong token, a doubled BOS, a lost template: each fails the bound that is about it."""
    spoilt = rewrite(q4, tmp_path / "spoilt", fault)
    measures = prove(tmp_path / "proof", spoilt, full, model, rows)
    assert FAULTS[fault] & broken(measures), measures
    if fault is not swap_tensors:
        assert measures["kl"] < 0.2  # the weights are what they were


def test_a_recipe_holds_every_module_that_its_scripts_import(workshop):
    """What other formats alone use is left out, and nothing that this one imports."""
    workshop.spec(samples.read("fidelity").spec.partition("\n")[2])
    front = workshop.front()
    for name in ("my-small", "my-small.proof"):
        files = front.settlement.rendered(front.graph.vertices[name]).files()
        there = {path.rpartition("/")[2] for path in files if path.startswith(("recipe/", "harness/"))}
        known = {path.name for path in modules_of_recipes() if path.suffix == ".py"}
        texts = [text for path, text in files.items() if path.endswith(".py")]
        wanted = {f"{found}.py" for text in texts for found in re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)}
        assert wanted & known <= there, name
        assert not any(each.startswith(("to_", "prove_")) and "gguf" not in each for each in there)


def modules_of_recipes():
    """All plain modules that recipes may hold."""
    from standing import TEMPLATES

    return [*TEMPLATES.glob("quant/lib/*.py"), *TEMPLATES.glob("fidelity/lib/*.py"), *TEMPLATES.glob("shared/*.py")]
