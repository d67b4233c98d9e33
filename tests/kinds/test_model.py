"""Models: new ones, folders, repositories: what their scripts look like, what is refused, and what comes out for real."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import here
import hubs
import pytest
from modules import modules_of

from zyc.craft import arch
from zyc.craft.shapes import Family
from zyc.preflight import add_pins

FAMILIES = Family.__args__
TOKENIZER = "tokenizers: {my-tok: {corpus: data/texts.txt, vocab: 400}}\n"
# what transformers reads in a qwen2 model, and no other: bytes, and a token that ends a text as those who made it call it
OF_BYTES = TOKENIZER.replace("400", "400, algorithm: byte-bpe, chat_template: qwen")
SHAPE = "layers: 3, heads: 4, kv_heads: 2, head_size: 16, width: 64, mlp: 256, context: 128"

SYLLABLES = ("ba", "ché", "dou", "fra", "gli", "mon", "né", "pro", "tri", "vu")
TEXT = "\n".join(
    f"le {a}{b} a {n} {b}{c}s, il {c}{a}{b} !" for n, a in enumerate(SYLLABLES) for b in SYLLABLES for c in SYLLABLES[::3]
)


@pytest.fixture
def place(workshop, monkeypatch):
    """A project with some text, a folder with a model's small files, and a hub cache."""
    workshop.write("data/texts.txt", TEXT)
    hubs.folder(workshop.root / "data/model")
    monkeypatch.setenv("HF_HUB_CACHE", str(workshop.root / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return workshop


def scratch(family, more=""):
    """The spec of a new model."""
    words = OF_BYTES if family == "qwen2" else TOKENIZER
    return f"{words}models: {{my-model: {{scratch: {{family: {family}, {SHAPE}{more}}}, tokenizer: my-tok, seed: 3}}}}\n"


# --- what it looks like ---


def test_scratch(place, golden):
    """A new model is the configuration of its family with every value written out."""
    place.spec(scratch("gemma", ", init: copying, dtype: bf16"))
    golden(place.front(), "my-model")


def test_path(place, golden):
    """A folder is shown to be whole and taken as it is, and its tokenizer gets tokens and another chat template."""
    place.spec("models: {my-model: {path: data/model, add_tokens: [<|tool|>], chat_template: qwen, licence: mit}}")
    golden(place.front(), "my-model")


def test_hub(place, golden):
    """A repository is its commit, whatever is known of it; a token is a variable."""
    hubs.hub(place.root / "hub", "me/model", place.root / "data/model")
    place.spec("models: {my-model: {hub: me/model, token: $(env.LETTER_TOKEN), trust_remote_code: true}}")
    golden(place.front(), "my-model")


# --- what is known and refused ---


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("about: nothing", "a model comes from `hub`, `path` or `scratch`, and here is none of them"),
        ("hub: me/model, path: data/model", "and here is `hub` and `path`"),
        ("scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 256}", "a new model needs a tokenizer"),
        ("scratch: {family: llama, layers: 2, heads: 5, width: 64, mlp: 256}, tokenizer: my-tok", "cannot be cut into 5 heads"),
        (
            "scratch: {family: llama, layers: 2, heads: 4, kv_heads: 3, width: 64, mlp: 256}, tokenizer: my-tok",
            "cannot be shared",
        ),
        ("scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 256, window: 64}, tokenizer: my-tok", "look back on all"),
        (
            "scratch: {family: gemma, layers: 2, heads: 4, width: 64, mlp: 256, tied: false}, tokenizer: my-tok",
            "is its embedding",
        ),
        ("scratch: {family: qwen2, layers: 2, heads: 4, head_size: 32, width: 64, mlp: 256}, tokenizer: my-tok", "16, not 32"),
        ("scratch: {family: qwen2, layers: 2, heads: 4, width: 64, mlp: 256}, tokenizer: my-tok", "for byte-level"),
        (
            "scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 256, vocabulary: 300}, tokenizer: my-tok",
            "ids up to 399",
        ),
        (
            "scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 256}, tokenizer: my-tok, revision: v1",
            "has no revisions",
        ),
        (
            "scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 256}, tokenizer: my-tok, chat_template: qwen",
            "speaks as",
        ),
        ("path: data/model, tokenizer: my-tok", "a model that exists brings its tokenizer"),
        ("path: data/model, seed: 7", "only a new model is drawn by a seed"),
        ("path: data/model, token: $(env.LETTER_TOKEN)", "`path` needs no token"),
        ("path: data/model, chat_template: chatlm", "no chat template is called `chatlm`"),
        ("path: data/model, end_of_turn: <|x|>", "keeps the end of its answers"),
        ("path: data/none", None),
        ("hub: 'a model of mine'", "is not the name of a repository"),
        ("hub: meta-llama/Llama-3.1-7B", "there is no `meta-llama/Llama-3.1-7B`"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(place, monkeypatch, fields, says):
    """One source, a shape that can be multiplied, no field that nothing reads; each with a sentence."""
    monkeypatch.setenv("LETTER_TOKEN", "secret")
    place.spec(f"{TOKENIZER}models: {{my-model: {{{fields}}}}}\n")
    problems = place.problems()
    assert len(problems) == 1, problems
    code, facts = problems[0][1:]
    assert (code == "missing-input") if says is None else (says in facts["says"])


@pytest.mark.parametrize(
    ("template", "marked", "ends"),
    [
        ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", False, ""),
        ("{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}", False, "<|im_end|>"),
        ("{% for m in messages %}{% generation %}{{ m.content }}</s>{% endgeneration %}{% endfor %}", True, "<|im_end|>"),
        ("{{ raise_exception('none') }}", False, "<|im_end|>"),
    ],
)
def test_what_a_template_like_none_of_ours_writes_behind_an_answer(place, template, marked, ends):
    """It is rendered once: what stands behind an answer, and whether marks tell what an assistant says."""
    hubs.folder(place.root / "data/model")
    (place.root / "data/model/chat_template.jinja").write_text(template)
    place.spec("models: {my-model: {path: data/model}}")
    facts = place.front().settlement.nodes["my-model"].facts
    assert (facts.template, facts.marked, facts.end_of_turn) == ("own", marked, ends)


def test_a_slip_of_the_pen_is_told_with_what_was_meant(place):
    """Llama 3.1 has no 7B: it is 8B."""
    place.spec("models: {my-model: meta-llama/Llama-3.1-7B}")
    ((_, _, facts),) = place.problems()
    assert facts["help"] == "did you mean `meta-llama/Llama-3.1-8B`?"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": ("pytorch_model.bin",)}, "are pickled (`pytorch_model.bin`)"),
        ({"weights": ()}, "has no weights"),
        ({"auto_map": {"AutoModel": "own.Own"}}, "this model runs Python of its own"),
        ({"model_type": None}, "does not tell its `model_type`"),
    ],
)
def test_a_folder_that_cannot_be_taken(place, change, says):
    """Pickles, no weights at all, code that nobody asked for, no model of transformers: told before a byte is copied."""
    shutil.rmtree(place.root / "data/model")
    hubs.folder(place.root / "data/model", **change)
    place.spec("models: {my-model: {path: data/model}}")
    ((_, _, facts),) = place.problems()
    assert says in facts["says"]


def test_a_shard_that_is_missing_and_a_tokenizer(place):
    """The index names what should be there, and a model without a tokenizer is none."""
    home = place.root / "data/model"
    (home / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}')
    (home / "tokenizer.json").unlink()
    place.spec("models: {my-model: {path: data/model}}")
    says = [facts["says"] for _, _, facts in place.problems()]
    assert says == ["`data/model` lacks 1 of its files with weights: `model-2.safetensors`", "`data/model` has no tokenizer"]


def test_ids_without_rows_are_counted_when_the_plan_is_made(place):
    """A tokenizer in a folder tells all of its ids; one beyond the embedding is refused before anything is read or copied."""
    home = place.root / "data/model"
    rows = json.loads((home / "config.json").read_text())["vocab_size"]
    added = [{"id": rows, "content": "<|late|>"}]
    (home / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}, "added_tokens": added}))
    place.spec("models: {my-model: {path: data/model}}")
    ((_, _, facts),) = place.problems()
    assert facts["says"] == f"the tokenizer of `data/model` gives {rows + 1:,} ids, and its embedding has {rows:,} rows"
    place.spec("models: {my-model: {path: data/model, add_tokens: [<|tool|>]}}")
    assert place.front().settlement.nodes["my-model"].facts.vocabulary == rows + 2


def test_code_runs_when_the_spec_says_so(place):
    """A model with Python of its own is allowed by name, and the plan says it."""
    hubs.folder(place.root / "data/model", auto_map={"AutoModel": "own.Own"})
    place.spec("models: {my-model: {path: data/model, trust_remote_code: true}}")
    front = place.front()
    assert front.settlement.nodes["my-model"].facts.code is True
    assert [dict(each.facts)["says"] for each in front.warnings] == ["`data/model` runs Python of its own"]


def test_rows_that_do_not_quantize_are_a_warning(place):
    """A width of 512 times 8/3 is no multiple of 256: the next one is told, and the plan goes on."""
    place.spec(
        TOKENIZER
        + "models: {my-model: {scratch: {family: llama, layers: 8, heads: 8, width: 512, mlp: 1365}, tokenizer: my-tok}}"
    )
    front = place.front()
    front.plan  # noqa: B018
    ((_, facts),) = [(str(each.spans[0]), dict(each.facts)) for each in front.warnings]
    assert facts["says"].startswith("1365 is no multiple of 256")
    assert facts["help"] == "`mlp: 1536` is the next one that is"
    place.plan()  # what is kept from call to call tells it again
    again = place.front()
    again.plan  # noqa: B018
    assert [dict(each.facts)["says"] for each in again.warnings] == [facts["says"]]


def test_facts_of_a_folder(place):
    """What a folder is, is read from its small files."""
    (place.root / "data/model/README.md").write_text("---\nlicense: other\nlicense_name: qwen-research\n---\n# A card\n")
    place.spec("models: {my-model: {path: data/model, add_tokens: [<|a|>, <|b|>]}}")
    facts = place.front().settlement.nodes["my-model"].facts
    assert (facts.family, facts.layers, facts.width, facts.heads, facts.kv_heads, facts.head_size) == ("llama", 2, 64, 4, 2, 16)
    assert (facts.template, facts.begins, facts.end_of_turn, facts.form) == ("chatml", 0, "<|im_end|>", "sentencepiece-bpe")
    assert (facts.dtype, facts.licence, facts.tied, facts.quantized) == ("fp32", "qwen-research", True, "")


def test_facts_of_a_public_model_offline(place):
    """A repository that is not here is planned from what is public of it, and marked."""
    place.spec("models: {my-model: mistralai/Mistral-7B-Instruct-v0.3}")
    plan = place.plan()
    decision = plan.decisions["my-model"]
    assert plan.settlement.nodes["my-model"].facts.name == "mistralai/Mistral-7B-Instruct-v0.3"
    assert dict(decision.estimate.measures)["parameters"].low == 7_248_023_552
    assert decision.estimate.download > 14e9
    assert "hub:mistralai/Mistral-7B-Instruct-v0.3@main" in plan.settlement.known.unpinned


def test_a_gated_model_names_the_token_and_the_page(place):
    """Who has not got it yet is told where its terms are and how a token is given."""
    place.spec("models: {my-model: meta-llama/Llama-3.1-8B}")
    front = place.front()
    front.plan  # noqa: B018
    (facts,) = [dict(each.facts) for each in front.warnings]
    assert facts["says"] == "`meta-llama/Llama-3.1-8B` is gated"
    assert "https://huggingface.co/meta-llama/Llama-3.1-8B" in facts["help"]
    assert "token: $(env.HF_TOKEN)" in facts["help"]


def test_a_limited_licence_is_held_against_the_use(place):
    """What its card says counts, and a spec may correct it."""
    (place.root / "data/model/README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    place.spec("use: commercial\nmodels: {my-model: {path: data/model}}")
    assert [code for _, code, _ in place.problems()] == ["licence"]
    place.spec("use: commercial\nmodels: {my-model: {path: data/model, licence: apache-2.0}}")
    assert place.problems() == []


def test_a_large_new_model_is_small_in_a_rehearsal(place):
    """Over 40 M parameters the twin is the family at toy size, every input a multiple of 256; a small one is itself."""
    shape = "family: qwen3, layers: LAYERS, heads: 8, kv_heads: 4, width: 512, mlp: 1536, context: 4096, tied: false"
    for layers, toy in ((8, True), (2, False)):
        place.spec(f"{TOKENIZER}models: {{my-model: {{scratch: {{{shape.replace('LAYERS', str(layers))}}}, tokenizer: my-tok}}}}")
        real, twin = (place.front(twin=each).settlement.nodes["my-model"].facts for each in (False, True))
        assert (twin.family, real.layers) == ("qwen3", layers)
        assert (twin != real) == toy
        if toy:
            assert (twin.layers, twin.width, twin.mlp, twin.heads, twin.kv_heads, twin.head_size) == (4, 256, 512, 4, 2, 64)
            assert (twin.tied, twin.context, twin.vocabulary) == (True, 1024, 400)


# --- for real ---


def tokenizer_of(spec, home):
    """A small tokenizer with the template of chatml, made by its script."""
    from example.workshop import Workshop

    workshop = Workshop(home / "project")
    workshop.write("data/texts.txt", TEXT)
    workshop.spec(spec)
    ran = here.run(workshop.front(), "my-tok", home / "step", {"corpus/0": workshop.root / "data/texts.txt"})
    assert ran.error == ""
    return ran.out


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """The tokenizer of most tests, made once."""
    return tokenizer_of(TOKENIZER, tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def tokenizers(tokenizer, tmp_path_factory):
    """For each family a tokenizer that all who read it read alike."""
    return {**dict.fromkeys(FAMILIES, tokenizer), "qwen2": tokenizer_of(OF_BYTES, tmp_path_factory.mktemp("bytes"))}


def made(place, tokenizer, home, family="llama", more=""):
    """A new model, made by its script."""
    place.spec(scratch(family, more))
    front = place.front()
    ran = here.run(front, "my-model", home, {"tokenizer": tokenizer})
    assert ran.error == ""
    return ran, front.settlement.nodes["my-model"].facts


def proof(place, folder, home):
    """What the proof says of a model's folder."""
    return here.run(place.front(), "my-model.proof", home, {"subject": folder})


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_new_models_of_every_family(place, tokenizers, tmp_path, family):
    """The count of parameters is the arithmetic's, the proof finds nothing, and it answers with the tokenizer beside it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tied = "" if family == "gemma" else ", tied: false"
    ran, facts = made(place, tokenizers[family], tmp_path / "step", family, f", dtype: bf16{tied}")
    assert ran.measures["parameters"] == arch.parameters(facts)
    assert 0 <= ran.measures["bytes"] - arch.weight_bytes(facts) < 100_000
    proven = proof(place, ran.out, tmp_path / "proof").measures
    assert proven.pop("tensors") > 25
    assert proven == {"missing": 0, "broken": 0, "rowless": 0}
    model, words = AutoModelForCausalLM.from_pretrained(ran.out), AutoTokenizer.from_pretrained(ran.out)
    assert model.dtype == torch.bfloat16
    assert model.config.eos_token_id == words.eos_token_id == words.convert_tokens_to_ids("<|im_end|>")
    chat = words.apply_chat_template([{"role": "user", "content": "le chat"}], add_generation_prompt=True, return_tensors="pt")
    assert torch.isfinite(model(**chat).logits).all()
    kept = {"tokenizer.json", "training_template.jinja", "chat_template.jinja", "zyc.json"}
    kept |= {"tokenizer.model"} if family != "qwen2" else set()  # sentencepiece's own file
    assert kept <= {path.name for path in ran.out.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_copying_weights_copy(place, tokenizers, tmp_path, family):
    """What a head reads is handed on as it was, and from the second layer on a head looks for what is like it."""
    import torch
    from transformers import AutoModelForCausalLM

    ran, _ = made(place, tokenizers[family], tmp_path / "step", family, ", init: copying")
    layers = AutoModelForCausalLM.from_pretrained(ran.out).model.layers
    with modules_of("model", "first_weights") as told:
        repeated = told.first_weights.repeated
    for at, layer in enumerate(layers):
        heads = layer.self_attn
        value, out = heads.v_proj.weight, heads.o_proj.weight
        seen = out @ repeated(value, 4, 2)  # what passes when every head looks at the same place
        assert torch.allclose(seen, value.T @ value, atol=1e-5)
        assert torch.allclose(value @ value.T, torch.eye(value.shape[0]), atol=1e-5)
        assert torch.equal(heads.q_proj.weight, repeated(heads.k_proj.weight, 4, 2)) == bool(at)


@pytest.mark.slow
def test_a_seed_decides_the_weights(place, tokenizer, tmp_path):
    """The same seed gives the same bytes, another one others."""
    first, _ = made(place, tokenizer, tmp_path / "1")
    again, _ = made(place, tokenizer, tmp_path / "2")
    place.spec(scratch("llama").replace("seed: 3", "seed: 4"))
    other = here.run(place.front(), "my-model", tmp_path / "3", {"tokenizer": tokenizer})
    files = [(each.out / "model.safetensors").read_bytes() for each in (first, again, other)]
    assert files[0] == files[1] != files[2]


def folder_of(place, out):
    """A made model as somebody else's folder: nothing of zyc's beside it."""
    home = place.root / "data/model"
    shutil.rmtree(home)
    shutil.copytree(out, home)
    for name in ("zyc.json", "training_template.jinja"):
        (home / name).unlink()
    return home


def taken(place, home, fields=""):
    """The folder, taken by its script."""
    place.spec(f"models: {{my-model: {{path: data/model{fields}}}}}\n")
    return here.run(place.front(), "my-model", home, {"path": place.root / "data/model"})


@pytest.mark.slow
def test_a_folder_is_taken_as_it_is(place, tokenizer, tmp_path):
    """Every byte of weights and tokenizer stays, its template is known by what it renders, and it gets a form for training."""
    first, _ = made(place, tokenizer, tmp_path / "first")
    home = folder_of(place, first.out)
    ran = taken(place, tmp_path / "step")
    assert ran.error == ""
    for path in home.iterdir():
        assert (ran.out / path.name).read_bytes() == path.read_bytes(), path.name
    notes = json.loads((ran.out / "zyc.json").read_text())
    told = {"form": "sentencepiece-bpe", "pre": None, "template": "chatml", "begins": 1, "end_of_turn": "<|im_end|>"}
    assert notes == told
    assert (ran.out / "training_template.jinja").read_text() == (first.out / "training_template.jinja").read_text()
    assert list(proof(place, ran.out, tmp_path / "proof").measures.values())[1:] == [0, 0, 0]


@pytest.mark.slow
def test_new_tokens_get_the_mean_of_the_others(place, tokenizer, tmp_path):
    """Each new token is one id with a row of its own, in the embedding and in the output; the others do not move."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first, _ = made(place, tokenizer, tmp_path / "first", more=", tied: false")
    folder_of(place, first.out)
    ran = taken(place, tmp_path / "step", ", add_tokens: [<|tool|>, <|call|>]")
    words = AutoTokenizer.from_pretrained(ran.out)
    before, after = (AutoModelForCausalLM.from_pretrained(each.out) for each in (first, ran))
    assert words("<|call|>", add_special_tokens=False)["input_ids"] == [401]
    for old, new in (
        (before.get_input_embeddings().weight, after.get_input_embeddings().weight),
        (before.get_output_embeddings().weight, after.get_output_embeddings().weight),
    ):
        assert new.shape[0] == old.shape[0] + 2
        assert torch.equal(new[: old.shape[0]], old)
        assert torch.allclose(new[old.shape[0] :], old.mean(dim=0, keepdim=True).expand(2, -1), atol=1e-6)
    decoder = json.loads((ran.out / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    assert {at: each["content"] for at, each in decoder.items()} == {"400": "<|tool|>", "401": "<|call|>"}
    again = taken(place, tmp_path / "again", ", add_tokens: [<|im_end|>]")
    assert "has '<|im_end|>' already" in again.error


@pytest.mark.slow
def test_another_chat_template(place, tokenizer, tmp_path):
    """A template whose tokens are there is written in both forms, and its end of a turn ends a text; else they are named."""
    from transformers import AutoTokenizer

    first, _ = made(place, tokenizer, tmp_path / "first")
    folder_of(place, first.out)
    refused = taken(place, tmp_path / "refused", ", chat_template: llama3")
    assert "the tokenizer has no '<|start_header_id|>'" in refused.error
    added = ", add_tokens: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'], chat_template: llama3"
    ran = taken(place, tmp_path / "step", added)
    assert ran.error == ""
    words, notes = AutoTokenizer.from_pretrained(ran.out), json.loads((ran.out / "zyc.json").read_text())
    assert (notes["template"], notes["begins"], notes["end_of_turn"]) == ("llama3", 1, "<|eot_id|>")
    assert words.eos_token == "<|eot_id|>"
    assert json.loads((ran.out / "generation_config.json").read_text())["eos_token_id"][0] == words.eos_token_id
    assert words.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False).startswith("<s><|start_header_id|>user")


THEIRS = {
    "today": (
        "{{- bos_token }}{%- set date = date_string if date_string is defined else strftime_now('%d %b %Y') %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}"
        "{{- 'Cutting Knowledge Date: December 2023\nToday Date: ' + date + '\n\n' }}"
        "{%- if messages[0].role == 'system' %}{{- messages[0].content | trim }}{%- set messages = messages[1:] %}{%- endif %}"
        "{{- '<|eot_id|>' }}{%- for m in messages %}{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
        "{{- m.content | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
    ),
    "forgetful": (
        "{{- bos_token }}{%- if messages[0].role == 'system' %}{%- set system = messages[0].content %}"
        "{%- set messages = messages[1:] %}{%- endif %}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{%- if loop.last and system is defined %}{{- '[INST] ' + system + '\n\n' + m.content + '[/INST]' }}"
        "{%- else %}{{- '[INST] ' + m.content + '[/INST]' }}{%- endif %}"
        "{%- else %}{{- ' ' + m.content | trim + eos_token }}{%- endif %}{%- endfor %}"
    ),
    "unknown": "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}",
    "marked": (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}{% endgeneration %}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "name", "begins", "replaced"),
    [
        ("today", "llama3.1", 1, "writes the day of today"),
        ("forgetful", "mistral", 1, "loses the system message"),
        ("unknown", "own", 0, ""),
        ("marked", "own", 0, ""),
    ],
)
def test_what_others_published(tokenizer, tmp_path, theirs, name, begins, replaced):
    """A template that renders what a known one renders is that one; one that would train other words is replaced."""
    with modules_of("tokenizer", "chat_templates", "tokenizer_files") as told:
        for path in tokenizer.iterdir():
            if path.name not in ("zyc.json", "training_template.jinja"):
                shutil.copy(path, tmp_path)
        (tmp_path / "chat_template.jinja").write_text(THEIRS[theirs])
        out = tmp_path / "out"
        out.mkdir()
        told.tokenizer_files.adopt(tmp_path, out)
        kept = (out / "chat_template.jinja").read_text()
    notes = json.loads((out / "zyc.json").read_text())
    assert (notes["template"], notes["begins"], notes["end_of_turn"]) == (name, begins, notes["end_of_turn"])
    assert (kept == THEIRS[theirs]) == (not replaced)
    assert (out / "training_template.jinja").exists() == (theirs != "unknown")
    assert "strftime_now" not in kept


# --- what is broken ---


def broken(home, how):
    """Break a model's folder in one way."""
    weights = home / "model.safetensors"
    if how == "half":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "header":
        weights.write_bytes(weights.read_bytes()[:50])
    elif how == "none":
        weights.write_bytes(b"\x05\0\0\0\0\0\0\0hello")
    elif how == "shard":
        index = {"weight_map": {"lm_head.weight": "model-2.safetensors", "model.norm.weight": "model.safetensors"}}
        (home / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("half", "it is half-written, copy it again"),
        ("header", "model.safetensors ends in its header"),
        ("none", "model.safetensors is no file of safetensors"),
        ("shard", "1 of 2 files with weights are missing: model-2.safetensors"),
    ],
)
def test_files_that_are_not_whole(place, tokenizer, tmp_path, how, says):
    """A copy that was cut short is told from its header, before anything stands on it."""
    first, _ = made(place, tokenizer, tmp_path / "first")
    broken(first.out, how)
    with modules_of("model", "folder") as told, pytest.raises(SystemExit) as error:
        told.folder.take(first.out, tmp_path)
    assert says in str(error.value)


@pytest.mark.slow
def test_the_proof_finds_what_is_wrong(place, tokenizer, tmp_path):
    """NaN, a tensor that is not there, a token without a row: counted and named."""
    import torch
    from safetensors.torch import load_file, save_file

    first, _ = made(place, tokenizer, tmp_path / "first")
    tensors = load_file(first.out / "model.safetensors")
    tensors["model.norm.weight"][3] = torch.nan
    tensors["model.layers.0.mlp.up_proj.weight"][0, 0] = torch.inf
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"][:398].clone()
    save_file(tensors, first.out / "model.safetensors", metadata={"format": "pt"})
    ran = proof(place, first.out, tmp_path / "proof")
    told = json.loads((ran.out / "integrity.json").read_text())
    assert told["missing"] == ["model.layers.1.self_attn.q_proj.weight"]
    assert told["broken"] == ["model.layers.0.mlp.up_proj.weight", "model.norm.weight"]
    assert (ran.measures["missing"], ran.measures["broken"], ran.measures["rowless"]) == (1, 2, 2)


@pytest.mark.slow
def test_token_ids_beyond_the_rows(place, tokenizer, tmp_path):
    """A tokenizer that does not belong to the model ends the step with the two numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    first, _ = made(place, tokenizer, tmp_path / "first")
    home = folder_of(place, first.out)
    tensors = {name: torch.clone(each) for name, each in load_file(home / "model.safetensors").items()}
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"][:300].clone()
    save_file(tensors, home / "model.safetensors")
    assert "ids up to 399, and the embedding has 300 rows" in taken(place, tmp_path / "step").error


# --- repositories for real ---


@pytest.mark.slow
def test_a_repository_in_the_cache_is_built_offline(place, tokenizer, tmp_path):
    """What the user's own cache holds is built without a network; its commit is pinned, and moves with no branch."""
    first, _ = made(place, tokenizer, tmp_path / "first")
    cache = hubs.hub(place.root / "hub", "me/model", folder_of(place, first.out))
    place.spec("models: {my-model: me/model}")
    front = place.front()
    assert "hub:me/model@main" in add_pins(front, front.plan)
    endings = place.build()
    assert {name: each.fate.value for name, each in endings.items()} == {"my-model": "ran", "my-model.proof": "ran"}
    weights = place.tree("my-model") / "model.safetensors"
    assert weights.samefile(cache / "snapshots" / hubs.COMMITS["main"] / "model.safetensors")  # no byte is copied
    assert not (place.tree("my-model") / "config.json").samefile(cache / "snapshots" / hubs.COMMITS["main"] / "config.json")
    assert weights.read_bytes() == (first.out / "model.safetensors").read_bytes()
    assert f'"hub:me/model@main": "{hubs.COMMITS["main"]}"' in (place.root / "zyc.lock").read_text()
    (cache / "refs/main").write_text("9" * 40)  # the branch moves; the pin does not
    assert [each.state.value for each in place.plan().decisions.values()] == ["keep", "keep"]


def test_a_repository_that_is_not_here_says_how_it_gets_here(place):
    """Without a network a build does not begin: what is needed, and how it is put here by hand."""
    place.spec("models: {my-model: me/model}")
    from zyc.errors import ZycError

    with pytest.raises(ZycError) as error:
        place.build()
    (problem,) = error.value.problems
    assert problem.code == "hub-offline"
    assert "hf download me/model" in problem.help


def test_the_tokenizer_of_a_public_one_is_its_identity(place):
    """Two models of one tokenizer have the same, and a token more is another one."""
    place.spec(
        "models:\n  my-one: Qwen/Qwen2.5-0.5B-Instruct\n  my-two: Qwen/Qwen2.5-1.5B-Instruct\n"
        "  my-three: {hub: Qwen/Qwen2.5-0.5B-Instruct, add_tokens: [<|x|>]}\n"
    )
    nodes = place.front().settlement.nodes
    one, two, three = (nodes[f"my-{each}"].facts for each in ("one", "two", "three"))
    assert one.tokenizer == two.tokenizer != three.tokenizer
    assert replace(three, tokenizer=one.tokenizer, ids=one.ids) == one
    assert Path(str(one.name)).name == "Qwen2.5-0.5B-Instruct"
