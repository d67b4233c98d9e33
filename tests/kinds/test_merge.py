"""The kind `merge` before anything runs: its methods, what it refuses, what it knows of the result, and its recipes."""

from dataclasses import replace

import blending
import pytest
import trainee
from blending import FACTS, case, objections

from zyc import catalogue, kinds
from zyc.craft.merging import written
from zyc.craft.merging.methods import APPROXIMATIONS, BOUNDS, METHODS, OTHERS
from zyc.craft.merging.spec import Each, Parameters
from zyc.types import Adapter, Model, model_of

pytestmark = pytest.mark.filterwarnings("ignore:numpy.core is deprecated:DeprecationWarning")  # as mergekit imports it

PAIR = {"a": {"weight": 0.6}, "b": {"weight": 0.4}}
# one of each method, with every parameter that it has
FULL = {
    "linear": {"models": {"a": "60%", "b": {"weight": [0.4, 0.2]}}, "parameters": {"normalize": False}},
    "slerp": {"models": ["a", "b"], "base": "a", "parameters": {"t": [{"filter": "mlp", "value": [0, 0.5, 1]}, {"value": 0.5}]}},
    "nuslerp": {"models": PAIR, "parameters": {"nuslerp_row_wise": True, "nuslerp_flatten": False}},
    "multislerp": {"models": PAIR, "base": "c", "parameters": {"normalize_weights": True, "eps": "1e-6"}},
    "karcher": {"models": ["a", "b", "c"], "parameters": {"max_iter": 20, "tol": "1e-6"}},
    "task_arithmetic": {"models": PAIR, "base": "c", "parameters": {"lambda": 0.9, "normalize": True, "rescale": False}},
    "ties": {"models": {"a": {"weight": "60%", "density": 0.5}, "b": {"weight": "40%", "density": 0.5}}, "base": "c"},
    "dare_linear": {"models": {"a": {"weight": 0.6, "density": 0.5}, "b": {"weight": 0.4, "density": 0.7}}, "base": "c"},
    "dare_ties": {"models": PAIR, "base": "c", "parameters": {"density": 0.5, "int8_mask": True}},
    "della": {"models": {"a": {"weight": 0.6, "density": 0.5, "epsilon": 0.1}, "b": {"weight": 0.4}}, "base": "c"},
    "della_linear": {"models": PAIR, "base": "c", "parameters": {"density": 0.5, "epsilon": 0.1}},
    "breadcrumbs": {"models": PAIR, "base": "c", "parameters": {"density": 0.9, "gamma": 0.01}},
    "breadcrumbs_ties": {"models": PAIR, "base": "c", "parameters": {"density": 0.9, "gamma": 0.01}},
    "model_stock": {"models": ["a", "b"], "base": "c", "parameters": {"filter_wise": True}},
    "sce": {"models": ["a", "b"], "base": "c", "parameters": {"select_topk": "50%", "int8_mask": True}},
    "nearswap": {"models": ["a", "b"], "base": "a", "parameters": {"t": 0.001}},
    "ram": {"models": ["a", "b"], "base": "c", "parameters": {"epsilon": "1e-4"}},
    "ramplus_tl": {"models": ["a", "b"], "base": "c", "parameters": {"r": 0.1, "alpha": 0.2, "epsilon": "1e-4"}},
    "arcee_fusion": {"models": ["a", "b"], "base": "a"},
    "passthrough": {"slices": [{"models": {"a": [0, 2]}}, {"models": {"b": {"layers": [1, 2], "scale": 0.5}}}]},
    "moe": {
        "models": [
            {"node": "a", "prompts": ["red"], "avoid": ["door"]},
            {"node": "b", "prompts": ["a blue door"], "noise": 0.01},
        ],
        "base": "c",
        "moe": {"per_token": 1},
    },
    "extract": {"models": "a", "base": "b", "extract": {"rank": 8}},
    "transplant": {"models": "a", "tokenizer": "b", "transplant": {"neighbours": 8}},
}


def full(method):
    """The spec of a method with every parameter that it has."""
    return {"method": method, **FULL[method]}


def test_methods(golden):
    """Each method in the words of mergekit, and the script that runs it."""
    for method in FULL:
        told = blending.files(full(method)).files()
        parts = {path: text for path, text in told.items() if path in ("recipe/merge.yml", "recipe/mixture.yml")}
        if method in OTHERS:
            parts["recipe/merge.py"] = told["recipe/merge.py"]
        if parts:
            golden(parts, under=f"{method}/")


def test_merge(golden):
    """All files of one: the script, its modules, the file that mergekit reads."""
    told = blending.files({**full("ties"), "tokenizer": "union", "seed": 7, "compute": "fp32"}).files()
    golden({path: text for path, text in told.items() if path.startswith(("recipe/", "placement/"))})


def test_proof(golden):
    """The proof of a merge."""
    told = trainee.rendered("wholeness", {"subject": "a"}, {"subject": FACTS}).files()
    golden({path: text for path, text in told.items() if path.startswith(("recipe/", "placement/"))})


def test_union(golden):
    """A tokenizer with rows of its own choice."""
    tokens = [
        {"token": "<|im_end|>", "like": "a", "force": True},
        {"token": "<|x|>", "like": "b", "named": "<|y|>"},
        {"token": "<|z|>", "like": "b", "number": 7},
        {"token": "<|n|>"},
    ]
    spec = {"method": "linear", "models": {"a": 0.5, "b": 0.5}, "tokenizer": {"of": "union", "tokens": tokens, "pad": 64}}
    golden({"recipe/merge.yml": blending.files(spec).recipe["merge.yml"]})


# --- the methods are those of mergekit ---


@pytest.mark.slow
def test_the_methods_are_those_of_the_pinned_mergekit():
    """Names, parameters, what is needed, and how many models: as its registry has them."""
    from mergekit.merge_methods.base import MISSING, ParameterScope
    from mergekit.merge_methods.registry import registered_methods

    theirs = {each.spec.name: each.spec for each in registered_methods()}
    assert theirs.keys() == METHODS.keys()
    for name, told in theirs.items():
        ours = METHODS[name]
        each = [parameter for parameter in told.parameters if parameter.scope is not ParameterScope.SHARED]
        assert {parameter.name for parameter in each} == {*ours.each}, name
        assert {parameter.name for parameter in told.parameters} - {*ours.each} == {*ours.shared}, name
        assert {parameter.name for parameter in told.parameters if parameter.default is MISSING} == {*ours.needs}, name
        assert ours.base == told.contract.base.value, name
        assert ours.of_base == any(parameter.scope is ParameterScope.INPUT for parameter in each), name
        assert ours.most == told.contract.max_inputs, name
        assert ours.besides == (told.contract.max_non_base if told.contract.max_non_base == told.contract.min_non_base else None)
        assert ours.least >= told.contract.min_inputs, name
        for parameter in told.parameters:
            field = _field(parameter.name)
            assert ("Flags" in str(field.annotation)) == (parameter.value_type is bool), (name, parameter.name)


def _field(name):
    every = {each.alias or word: each for word, each in {**Each.model_fields, **Parameters.model_fields}.items()}
    return every[name]


@pytest.mark.slow
def test_the_other_tools_are_those_of_the_pinned_mergekit():
    """Ways to approximate a row, and what mixtures are called."""
    from mergekit.scripts.tokensurgeon import ApproximationMethod

    assert {each.value for each in ApproximationMethod} == {*APPROXIMATIONS}
    assert {*FULL} == {*METHODS, *OTHERS}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_mergekit_reads_what_is_written(method):
    """Its own reader takes the file, with each parameter where it was."""
    import yaml
    from mergekit.config import MergeConfiguration

    text = blending.files(full(method)).recipe["merge.yml"]
    told = MergeConfiguration.model_validate(yaml.safe_load(text))
    assert told.merge_method == method
    assert told.out_dtype == "bfloat16"
    for name, value in (told.parameters or {}).items():
        assert not isinstance(value, str), name


ODD = ("yes", "No", "on", "null", "y", "12", "1_000", "0x1f", "1e3", "é", "\U0001f600 ok", "a: b", "\u2028", "\x85", '"\\')


@pytest.mark.parametrize("text", ODD)
def test_what_people_write_is_read_back_as_text(text):
    """Prompts, filters and tokens that YAML would take for a truth or a number, and signs beyond the first plane."""
    import yaml

    told = {"experts": [{"positive_prompts": [text]}], "tokens": {text: {"source": text}}, "flow": [0, text]}
    assert yaml.safe_load("\n".join(written.lines(told))) == told


# --- what is refused ---


@pytest.mark.parametrize("method", METHODS)
def test_a_parameter_of_another_method_names_its_own(method):
    """Whatever a method does not have is refused, and the sentence tells what it has."""
    ours = METHODS[method]
    foreign = next(name for name in ("gamma", "density", "t", "max_iter") if name not in (*ours.each, *ours.shared))
    spec = full(method)
    spec["parameters"] = {**spec.get("parameters", {}), foreign: "0.5" if foreign != "max_iter" else 3}
    ((field, says, _),) = objections(spec)
    assert field == f"parameters.{foreign}"
    assert says.startswith(f"`{method}` has no `{foreign}`")
    assert all(f"`{name}`" in says for name in (*ours.each, *ours.shared))


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if each.needs])
def test_a_missing_parameter_is_told(method):
    """Which one, of which model, and how it is written."""
    need = METHODS[method].needs[0]
    spec = {**full(method), "parameters": {}}
    if "models" in spec:
        spec["models"] = ["a", "b"]
    told = objections(spec)
    assert told
    assert all(f"`{method}` needs a `{need}`" in says and need in help_ for _, says, help_ in told)


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"method": "ties", "models": PAIR}, "", "needs a `base`"),
        ({"method": "linear"}, "", "nothing says what is merged"),
        ({**full("passthrough"), "models": "a"}, "slices", "both say what is merged"),
        ({"method": "slerp", "models": ["a", "b", "c"], "base": "a", "parameters": {"t": 0.5}}, "models", "takes 2 models"),
        ({"method": "slerp", "models": ["a", "b"], "base": "c", "parameters": {"t": 0.5}}, "models", "takes 2 models"),
        ({"method": "nuslerp", "models": {"a": 1, "b": 1, "c": 1}}, "models", "takes 2 models besides the base"),
        ({"method": "model_stock", "models": ["a"], "base": "c"}, "models", "3 or more"),
        ({"method": "linear", "models": PAIR, "base": "c"}, "base", "without a base"),
        ({"method": "linear", "models": [{"node": "a", "weight": 1}, {"node": "a", "weight": 1}]}, "models", "there twice"),
        ({**full("ties"), "models": {**PAIR, "c": {"weight": 1}}}, "models.0.weight", "the base has no `weight`"),
        ({"method": "ram", "models": {"a": {"epsilon": 1}, "b": {}}, "base": "c"}, "models.0.epsilon", "one `epsilon` for all"),
        ({**full("ties"), "models": {"a": {"weight": 1, "density": 2}, "b": 1}}, "models.0.density", "above 0 to 1"),
        ({**full("karcher"), "parameters": {"max_iter": 1.5}}, "parameters.max_iter", "counts steps"),
        ({"method": "linear", "models": {"a": 0, "b": {"weight": [0, 0]}}}, "models", "every weight is 0"),
        ({**full("linear"), "moe": {"per_token": 1}}, "moe", "no use for `moe`"),
        ({"method": "linear", "models": {"a": {"weight": 1, "prompts": ["x"]}, "b": 1}}, "models.0.prompts", "no experts"),
        ({**full("linear"), "tokenizer": "base"}, "tokenizer.of", "there is no base"),
        ({**full("linear"), "tokenizer": "other"}, "tokenizer.model", "none of the models"),
        ({**full("linear"), "tokenizer": {"pad": 8}}, "tokenizer", "whose tokenizer"),
        ({"method": "passthrough", "slices": [{"models": {"a": [0, 3]}}]}, "slices.0.models.0.layers", "has 2 layers"),
        ({"method": "passthrough", "slices": [{"models": {"a": [1, 1]}}]}, "slices.0.models.0.layers", "no layers from 1"),
        (
            {
                "method": "linear",
                "slices": [{"models": {"a": {"layers": [0, 2], "weight": 1}, "b": {"layers": [0, 1], "weight": 1}}}],
            },
            "slices.0",
            "different numbers of layers",
        ),
        (
            {"method": "slerp", "base": "c", "parameters": {"t": 0}, "slices": [{"models": {"a": [0, 2], "b": [0, 2]}}]},
            "slices.0",
            "gives no layers",
        ),
        ({"method": "moe", "models": [{"node": "a", "prompts": ["x"]}, "b"], "base": "c"}, "models.1", "what `b` is asked"),
        ({"method": "moe", "models": ["a"], "base": "c", "moe": {"gate": "random"}}, "models", "too few"),
        (
            {"method": "moe", "models": [{"node": "a", "prompts": ["x"]}, {"node": "b", "prompts": ["x"]}], "base": "c"},
            "models",
            "asked the same",
        ),
        ({**full("moe"), "moe": {"architecture": "qwen3"}}, "moe.architecture", "cannot become `qwen3`"),
        ({"method": "extract", "models": "a"}, "", "beyond its base"),
        ({**full("extract"), "parameters": {"t": 1}}, "parameters.t", "`extract` has no `t`"),
        ({**full("extract"), "extract": {"rank": 2000}}, "extract.rank", "hardly thinner"),
        ({"method": "transplant", "models": "a"}, "", "whose tokenizer the model gets"),
        ({"method": "transplant", "models": ["a", "b"], "tokenizer": "c"}, "models", "takes one model"),
    ],
)
def test_what_cannot_be_merged_is_told_by_the_spec_alone(spec, field, words):
    """Counts, bases, parameters where nothing reads them, slices, mixtures, adapters, transplants."""
    told = objections(spec)
    assert [each for each in told if each[0] == field and words in each[1]], told


@pytest.mark.parametrize(
    ("other", "words", "step"),
    [
        ({"quantized": "bnb-4bit"}, "rounded away", "bf16"),
        ({"code": True}, "Python of its own", "another model"),
        ({"vocabulary": 640}, "512 rows in its embedding and `b` 640", "`tokenizer: union`"),
        ({"tied": False}, "the output of `a` is its embedding", "both tied"),
        ({"layers": 3}, "they differ in layers", "`slices`"),
        ({"width": 128}, "they differ in width", "distillation"),
        ({"tokenizer": "another digest"}, "different tokenizers", "`tokenizer: union`"),
        ({"form": "sentencepiece-bpe"}, "different tokenizers", "`tokenizer: union`"),
        ({"ids": 600, "tokenizer": "a digest"}, "gives 600 ids, and its embedding has 512 rows", "`add_tokens`"),
    ],
)
def test_models_that_do_not_fit_are_told_before_a_byte_is_read(other, words, step):
    """Four bits, other shapes, other vocabularies, ids beyond the embedding."""
    first = replace(FACTS, form="byte-bpe")
    told = objections({"method": "linear", "models": PAIR}, {"a": first, "b": replace(first, **other)})
    assert len(told) == 1
    assert words in told[0][1]
    assert step in told[0][2]


def test_other_vocabularies_are_fine_with_a_tokenizer_for_both():
    """`union` and `base` make rows the same tokens; slices take layers of models of any depth."""
    inputs = {"b": replace(FACTS, vocabulary=640, tokenizer="another digest")}
    assert objections({"method": "linear", "models": PAIR, "tokenizer": "union"}, inputs) == []
    deep = {"b": replace(FACTS, layers=9)}
    assert objections({"method": "passthrough", "slices": [{"models": {"a": [0, 2]}}, {"models": {"b": [3, 9]}}]}, deep) == []


@pytest.mark.parametrize("other", ["Qwen/Qwen2-1.5B", "mistralai/Mistral-7B-v0.3", "meta-llama/Llama-3.2-1B"])
def test_across_architectures_the_error_tells_what_works(other):
    """Each model's family, layers, width, heads and rows; a distillation with the same weights; a pair of one family."""
    inputs = {"code": catalogue.model("google/codegemma-2b"), "other": catalogue.model(other)}
    spec = {"method": "slerp", "models": ["code", "other"], "base": "code", "parameters": {"t": 0.3}}
    ((field, says, help_),) = objections(spec, inputs)
    assert field == "models.1.node"
    assert "they differ in family, layers" in says
    for model in inputs.values():
        for fact in (
            model.family,
            f"{model.layers} layers",
            f"width {model.width:,}",
            f"{model.heads} heads",
            f"{model.vocabulary:,} rows",
        ):
            assert fact in help_, fact
    assert "teachers: {code: {weight: 70%}, other: {weight: 30%}}" in help_
    pasted = _pasted(help_)
    one, two = (catalogue.model(name) for name in pasted["models"].values())
    assert (one.family, one.width, one.layers, one.vocabulary) == (two.family, two.width, two.layers, two.vocabulary)
    if "Qwen" in other:
        assert [*pasted["models"].values()] == ["Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-Coder-1.5B"]
    kinds.load("distillation").Spec.model_validate(trainee.plain(pasted["distillations"]["NAME"] | {"prompts": "data"}))
    kinds.load("merge").Spec.model_validate(trainee.plain(pasted["merges"]["NAME"]))


def _pasted(help_):
    """The YAML of a next step."""
    import yaml

    text = "\n".join(line[2:] for line in help_.splitlines() if line.startswith("  "))
    return yaml.safe_load(text)


# --- what is known of the result ---


def test_facts_are_those_of_the_base():
    """Shape, tokenizer and template; it is nobody's model any more."""
    kind, told = case(full("ties"), {"c": replace(FACTS, name="me/base", gated=True, licence="mit")})
    assert kind.facts(told) == replace(FACTS, dtype="bf16", licence=None, code=False)


@pytest.mark.parametrize(
    ("licences", "told"),
    [
        (("mit", "mit"), "mit"),
        (("apache-2.0", "llama3.1"), "llama3.1"),
        (("gemma", "cc-by-nc-4.0"), "cc-by-nc-4.0"),
        (("mit", None), None),
        ((None, "gemma"), "gemma"),
    ],
)
def test_the_licence_is_the_one_that_binds_most(licences, told):
    """What forbids something comes before conditions, and those before what allows everything."""
    inputs = {name: replace(FACTS, licence=each) for name, each in zip("ab", licences, strict=True)}
    kind, made = case({"method": "linear", "models": PAIR}, inputs)
    assert kind.facts(made).licence == told


def test_a_pile_of_layers_has_their_number():
    """Layers of slices are counted; the rest is that of the first model."""
    kind, told = case(full("passthrough"))
    assert kind.facts(told).layers == 3


def test_what_a_tokenizer_makes_of_the_facts():
    """Rows of the chosen tokenizer, filled up; of a union nothing is known but that llama.cpp cannot read it."""
    first = replace(FACTS, form="sentencepiece-bpe", ids=500)
    inputs = {"a": first, "b": replace(first, tokenizer="another", ids=610, vocabulary=640)}
    kind, told = case({"method": "linear", "models": PAIR, "tokenizer": {"model": "b", "pad": 64}}, inputs)
    assert (kind.facts(told).tokenizer, kind.facts(told).ids, kind.facts(told).vocabulary) == ("another", 610, 640)
    kind, told = case({"method": "linear", "models": PAIR, "tokenizer": "union"}, inputs)
    assert (kind.facts(told).tokenizer, kind.facts(told).ids, kind.facts(told).form) == (None, None, "union")
    same = {"a": first, "b": first}
    kind, told = case({"method": "linear", "models": PAIR, "tokenizer": "union"}, same)
    assert (kind.facts(told).tokenizer, kind.facts(told).form) == ("a digest", "sentencepiece-bpe")


def test_a_union_has_no_gguf():
    """A union of tokenizers of sentencepiece is refused where a GGUF is wanted, with what to do."""
    kind = kinds.load("gguf")
    from zyc.kind import Case

    model = replace(FACTS, form="union", family="llama")
    told = list(kind.check(Case(kind.Spec.model_validate({"source": "a"}), {"source": model})))
    assert [(each.field, "union" in each.says, "`tokenizer: base`" in each.help) for each in told] == [("source", True, True)]


def test_a_mixture_is_of_another_family_and_an_adapter_is_none():
    """What experts become, and what is extracted."""
    kind, told = case(full("moe"))
    assert kind.facts(told).family == "mixtral"
    kind, told = case(full("extract"))
    facts = kind.facts(told)
    assert isinstance(facts, Adapter)
    assert (model_of(facts.base).width, facts.rank) == (64, 8)
    assert kind.proves(told.spec) is None
    assert kind.yields(told.spec) is Adapter


def test_bytes_are_arithmetic():
    """The size of the result is told before it is there, and the work by its method."""
    large = catalogue.model("Qwen/Qwen2.5-1.5B")
    kind, told = case({"method": "linear", "models": PAIR}, {"a": large, "b": large})
    plain = kind.estimate(told)
    assert dict(plain.measures)["bytes"].low == 2 * 1543714304
    kind, told = case(full("ties"), {"a": large, "b": large, "c": large})
    ties = kind.estimate(told)
    assert ties.seconds.high > 3 * plain.seconds.high
    assert kind.estimate(case({"method": "linear", "models": PAIR}, {"a": Model(), "b": Model()})[1]).seconds is None


def test_a_twin_has_fewer_layers():
    """Slices of a deep model become slices of a toy, each with as many layers of all its models."""
    spec = {"method": "passthrough", "slices": [{"models": {"a": [0, 24]}}, {"models": {"b": [8, 32]}}]}
    kind, told = case(spec, {"a": replace(FACTS, layers=32), "b": replace(FACTS, layers=32)})
    small = kind.twin(told.spec)
    assert [each.models[0].layers for each in small.slices] == [(0, 3), (1, 4)]
    assert kind.twin(case(full("passthrough"))[1].spec) == case(full("passthrough"))[1].spec
    deep = case({"method": "extract", "models": "a", "base": "b", "extract": {"rank": 256}})[1].spec
    assert kind.twin(deep).extract.rank == 64
    assert BOUNDS["density"] == (0, 1, False)


def test_what_helps_a_mixture_of_qwen2_is_true():
    """Two of them are one too few: one is shared, and a token goes through two others; what is told then holds."""
    models = [{"node": name, "prompts": [name]} for name in "abc"]
    inputs = {name: replace(FACTS, family="qwen2") for name in "abcd"}
    ((_, _, help_),) = objections({"method": "moe", "models": models[:2], "base": "d"}, inputs)
    assert help_ == "one of them `shared: true`, with prompts, and 3 models in all"
    models[0]["shared"] = True
    assert objections({"method": "moe", "models": models, "base": "d"}, inputs) == []
