"""Mergekit's YAML: what its shapes mean, and that a spec asks mergekit for the same."""

import pytest
import yaml
from importers.importing import told

from zyc import kinds
from zyc.compile import Request, Source, compile_specs
from zyc.craft.merging.written import of_merge, of_mixture
from zyc.kept import Kept

LINEAR = """
models:
  - model: one/a-13b
    parameters:
      weight: 1.0
  - model: two/b-13b@v2
    parameters:
      weight: 0.3
merge_method: linear
dtype: float16
"""
TIES = """
models:
  - model: one/a
    parameters: {density: [1, 0.7, 0.1], weight: 1.0}
  - model: two/b
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: three/c
parameters: {normalize: true, int8_mask: true, lambda: 1e-1}
dtype: bfloat16
out_dtype: float32
tokenizer_source: union
"""
SLERP = """
slices:
  - sources:
      - model: one/a
        layer_range: [0, 40]
      - model: two/b
        layer_range: [0, 40]
merge_method: slerp
base_model: one/a
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: "*"
      value: 0.5
dtype: float16
"""
PILE = """
slices:
  - sources: [{model: one/a, layer_range: [0, 24]}]
  - sources: [{model: two/b, layer_range: [20, 40], parameters: {scale: 0.5}}]
merge_method: passthrough
"""
EXPERTS = """
base_model: one/a
gate_mode: hidden
dtype: bfloat16
experts_per_token: 1
experts:
  - source_model: one/a
    positive_prompts: ["chat", 'assistant: "yes"']
    negative_prompts: [code]
  - source_model: two/b
    positive_prompts: [code]
    noise_scale: 0.1
"""
TOKENS = """
models: [{model: one/a, parameters: {weight: 1}}, {model: two/b, parameters: {weight: 1}}]
merge_method: linear
tokenizer:
  source: one/a
  pad_to_multiple_of: 64
  tokens:
    "<|im_start|>": {source: two/b, force: true}
    "<|x|>": {source: {kind: model_token, model: two/b, token: "<|y|>"}}
    "<|z|>": {source: {kind: zero}}
"""


def spec_of(seen, name="run"):
    """The merge as its kind has it."""
    compiled = compile_specs([Source("imported.yml", seen.made.text.encode())], Request(), Kept())
    assert compiled.troubles == ()
    return compiled.graph.vertices[name].spec


def asked(seen, spec):
    """What mergekit is asked for, with the names of the repositories in place of the inputs."""
    from zyc.craft.merging.written import places

    text = of_mixture(spec, places(spec)[spec.base]) if spec.method == "moe" else of_merge(spec)
    for ref, path in sorted(places(spec).items(), key=lambda each: -len(each[1])):
        node = seen["models"][ref.name]
        text = text.replace(f"{path}\n", node["hub"] + (f"@{node['revision']}" if "revision" in node else "") + "\n")
    return yaml.safe_load(text)


def meant(text):
    """The same of the file itself, in one form."""
    told_ = yaml.safe_load(text)
    told_.setdefault("out_dtype", told_.get("dtype", "bfloat16"))
    if "tokenizer_source" in told_:
        told_["tokenizer"] = {"source": told_.pop("tokenizer_source")}
    return _numbers(told_)


def _numbers(value):
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items() if not (name == "filter" and each == "*")}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    try:
        return float(value) if not isinstance(value, bool) else value
    except ValueError:
        return value


@pytest.mark.parametrize(
    "text", [LINEAR, TIES, SLERP, PILE, TOKENS, EXPERTS], ids=["linear", "ties", "slerp", "pile", "tokens", "moe"]
)
def test_a_file_of_mergekit_is_known_as_one(text):
    """By the key that only its files have, whatever else they share with those of others."""
    assert told(text).made.tool == "mergekit"
    assert (
        told(f"tokenizer: {{source: union}}\ndtype: bfloat16\nloss: 1\n{LINEAR.replace('dtype: float16', '')}").made.tool
        == "mergekit"
    )


def test_a_model_may_be_a_mapping():
    """`{model: NAME}` and `{model: {path, revision}}` are the same models, among the others and as the base."""
    plain = TIES.replace("three/c", "three/c@v1")
    long = TIES.replace("base_model: three/c", "base_model: {model: {path: three/c, revision: v1}, lora: null}")
    seen = told(long.replace("- model: one/a", "- model: {model: one/a}"))
    assert seen.refused == {}
    assert _numbers(asked(seen, spec_of(seen))) == meant(plain)
    seen = told(LINEAR.replace("one/a-13b", "{model: one/a-13b, lora: {path: me/lora}}"))
    assert "finetunes" in seen.row("models[0].model").help
    assert "expected a model" in told(LINEAR.replace("one/a-13b", "{modle: one/a}")).refused["models[0].model"]


@pytest.mark.parametrize("text", [LINEAR, TIES, SLERP, PILE, TOKENS], ids=["linear", "ties", "slerp", "passthrough", "tokens"])
def test_mergekit_is_asked_for_the_same(text):
    """A file that is imported and rendered again says what it said: models, slices, gradients, filters, tokenizer, precision."""
    seen = told(text, "mergekit")
    assert seen.refused == {}
    assert _numbers(asked(seen, spec_of(seen))) == meant(text)


def test_a_mixture_keeps_its_prompts():
    """Experts, gates and prompts."""
    seen = told(EXPERTS)
    assert seen.made.tool == "mergekit"
    assert seen.refused == {}
    assert _numbers(asked(seen, spec_of(seen))) == _numbers(yaml.safe_load(EXPERTS))


def test_documents_become_a_merge_of_merges():
    """What one document is called another may name; each key of each document has its row, at its own line."""
    text = f"{SLERP}name: half\n---\n{TIES.replace('one/a', 'half')}"
    seen = told(text)
    assert seen.refused == {}
    assert seen["merges.half.method"] == "slerp"
    assert [*seen["merges.run.models"]] == ["half", "b"]
    assert seen.becomes["documents[1].models[0].model"] == "merges.half"
    lines = text.splitlines()
    for row in seen.made.rows:
        assert row.key.rpartition(".")[2].partition("[")[0] in lines[row.span.line - 1]
    compiled = compile_specs([Source("x.yml", seen.made.text.encode())], Request(), Kept())
    assert {"half", "run"} <= {*compiled.graph.vertices}


def test_what_mergekit_passes_over_is_told():
    """A parameter of another method, one of the base, one that stands where nobody reads it."""
    text = TIES.replace("int8_mask: true", "t: 0.5").replace("two/b", "three/c")
    seen = told(text)
    assert "passes over it" in seen.without_effect["parameters.t"]
    assert "of its own" in seen.without_effect["models[1].parameters.weight"]
    assert (
        "for all models"
        in told(LINEAR.replace("weight: 0.3", "weight: 0.3\n      normalize: true")).without_effect[
            "models[1].parameters.normalize"
        ]
    )


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (LINEAR.replace("merge_method: linear", "merge_method: linaer"), "merge_method", "`merge_method: linear`"),
        (TIES.replace("merge_method: ties", "merge_method: ranked_ties"), "merge_method", "`merge_method: ties`"),
        (LINEAR.replace("weight: 0.3", "wieght: 0.3"), "models[1].parameters.wieght", "`weight`"),
        (LINEAR.replace("two/b-13b@v2", "two/b+me/lora"), "models[1].model", "finetunes"),
        (LINEAR.replace("two/b-13b@v2", "/data/b"), "models[1].model", "copy or link"),
        (LINEAR + "base_model: three/c\n", "base_model", "remove it"),
        (LINEAR + "chat_template: chatml\n", "chat_template", "chat_template"),
        (SLERP.replace("filter: self_attn", "pattern: self_attn"), "parameters.t", "`filter`"),
        (LINEAR.replace("dtype: float16", "dtype: int8"), "dtype", ""),
        ("modules: {text_decoder: {slices: []}}\nmerge_method: linear\n", "modules.text_decoder", "`models`"),
    ],
)
def test_what_cannot_be_is_refused(text, key, words):
    """Methods that there are not, adapters on models, paths outside, bases that nothing reads, other forms of filters."""
    seen = told(text, "mergekit")
    assert key in seen.refused, seen.refused
    assert words in seen.row(key).help


def test_a_folder_of_the_project_is_a_path():
    """`./models/a` is a folder; a name without a slash is one, too."""
    seen = told(LINEAR.replace("one/a-13b", "./models/a"))
    assert seen["models.a.path"] == "models/a"


def test_every_method_can_be_imported():
    """Each method of the pinned mergekit, with two models and a base where it wants one."""
    from zyc.craft.merging.methods import METHODS

    for name, method in METHODS.items():
        each = "{weight: 0.5}" if "weight" in method.each else "{}"
        base = "base_model: one/a\n" if method.base == "required" else ""
        more = "" if method.most == 1 else f", {{model: two/b, parameters: {each}}}"
        own = "" if base else f", parameters: {each}"
        seen = told(f"models: [{{model: one/a{own}}}{more}]\nmerge_method: {name}\n{base}parameters: {{t: 0.5}}\n", "mergekit")
        assert seen.refused == {}, (name, seen.refused)
        assert spec_of(seen).method == name
        assert kinds.load("merge").Spec is type(spec_of(seen))
