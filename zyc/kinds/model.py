"""The kind `model`: weights with a configuration and a tokenizer, from a hub, from a folder, or new."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from zyc import arch, fields
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Fields, FileNeed, Found, Kind, Measure, Need, Objection, Placement, Recipe, Spec
from zyc.types import Model, Tokenizer

Family = Literal["llama", "mistral", "qwen2", "qwen3", "gemma"]
CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gemma": "Gemma"}
INDEX = "model.safetensors.index.json"
READ = ("config.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja", "zyc.json", "README.md", INDEX)
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
TWIN = {"layers": 4, "width": 256, "mlp": 512, "heads": 4, "kv_heads": 2, "head_size": 64}


class Scratch(Fields):
    """A new model: its shape, and how its weights begin."""

    family: Family
    """The architecture, as transformers has it."""
    layers: fields.Integer = Field(ge=1, le=1000)
    """How many layers it has."""
    heads: fields.Integer = Field(ge=1, le=1024)
    """How many heads a layer has."""
    kv_heads: fields.Integer | None = Field(None, ge=1, le=1024)
    """How many heads have keys and values of their own; all of them when not given."""
    head_size: fields.Integer | None = Field(None, ge=2, le=1024)
    """The width of a head; the model's shared out when not given."""
    width: fields.Integer = Field(ge=8, le=65536)
    """The width of the model."""
    mlp: fields.Integer = Field(ge=8, le=262144)
    """The width between the two halves of a layer's second part; multiples of 256 can be quantized well."""
    context: fields.Integer = Field(2048, ge=8, le=10_000_000)
    """How many tokens it can look back on."""
    window: fields.Integer | None = Field(None, ge=8)
    """How far each layer looks back, for `mistral`; all of the context when not given."""
    vocabulary: fields.Integer | None = Field(None, ge=256)
    """Rows of the embedding; as many as the tokenizer has when not given."""
    tied: fields.Flag = True
    """The output is the embedding: fewer parameters, better in small models."""
    rope: fields.Number = Field(10_000.0, gt=0)
    """The base of the rotary positions; larger for longer contexts."""
    init: Literal["standard", "copying"] = "standard"
    """`copying` lets a tiny model learn to copy words within seconds: what twins begin with."""
    deviation: fields.Number = Field(0.02, gt=0, le=1)
    """How far the first weights lie from nought."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """How the weights are written."""


class ModelSpec(Spec):
    """The fields of a model: one of `hub`, `path` and `scratch`, and what changes it."""

    path: fields.FilePath | None = None
    """A folder of yours with `config.json`, safetensors and a tokenizer, as transformers saves them."""
    scratch: Scratch | None = None
    """A new model: `{family: llama, layers: 8, heads: 8, width: 512, mlp: 1536, context: 512}`."""
    tokenizer: fields.Ref[Tokenizer] | None = None
    """The tokenizer of a new model."""
    seed: fields.Integer = Field(0, ge=0)
    """Which weights a new model begins with."""
    add_tokens: fields.Texts = ()
    """Tokens that the tokenizer gets in addition; their rows begin as the mean of the others."""
    trust_remote_code: fields.Flag = False
    """Run Python that the model brings along. It may do anything that you may: read it first."""
    licence: fields.Text | None = None
    """Its licence, where its card does not tell or is wrong."""
    placement: Placement = Placement()
    """Where it is fetched or made: never part of the key."""


class ModelKind(Kind[ModelSpec]):
    """A model with everything that belongs to it: weights in safetensors, its configuration, its tokenizer, its chat template."""

    name = "model"
    section = "models"
    Spec = ModelSpec
    gives = Model
    measures = {
        "parameters": Measure("parameters; a tied output counts once", "count"),
        "bytes": Measure("bytes of its weights", "bytes"),
    }
    shares = ("chat_templates.py", "tokenizer_files.py")

    def needs(self, spec: ModelSpec) -> Iterable[Need]:
        """The configuration and what is said of the tokenizer; never weights."""
        if spec.path is not None:
            for name in READ:
                yield FileNeed(f"{spec.path.path}/{name}", "path", text=True, optional=name != "config.json")

    def check(self, case: Case[ModelSpec]) -> Iterable[Objection]:
        """A model comes from one place, has a shape that can be, and brings nothing that runs unasked."""
        spec = case.spec
        given = [name for name in ("path", "scratch") if getattr(spec, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"`{each}`" for each in given) or "neither"
            yield Objection(
                given[-1] if given else "", f"a model comes from `path` or `scratch`, and here is {found}", "keep one"
            )
            return
        if spec.scratch is not None:
            yield from _checked_scratch(case, spec.scratch)
        else:
            yield from _checked_folder(case)

    def facts(self, case: Case[ModelSpec]) -> Model:
        """From its shape, or from its configuration."""
        told = _of_scratch(case, case.spec.scratch) if case.spec.scratch is not None else of_texts(_texts(case))
        licence = case.spec.licence or told.licence
        return _with_rows(replace(told, licence=licence), len(case.spec.add_tokens))

    def estimate(self, case: Case[ModelSpec]) -> Estimate:
        """Parameters and bytes are arithmetic."""
        model = self.facts(case)
        count, size = arch.parameters(model), arch.weight_bytes(model)
        if count is None or size is None:
            return Estimate()
        because = "its shape" if case.spec.scratch is not None else "config.json"
        measures = (("parameters", Interval(count, count, because)), ("bytes", Interval(size, size * 1.001 + 100_000, because)))
        memory = 700_000_000 + (4 * count if case.spec.scratch is not None or case.spec.add_tokens else 0)
        seconds = Interval(3 + size / 2e9, 15 + size / 1e8, f"{size / 1e6:,.0f} MB to write")
        result = f"{count / 1e6:,.1f} M parameters" if count < 1e9 else f"{count / 1e9:,.2f} B parameters"
        return Estimate(seconds, memory=memory, disk=size + 20_000_000, result=result, measures=measures)

    def recipe(self, case: Case[ModelSpec]) -> Recipe:
        """The values of its configuration, or what to take and how to check it."""
        spec, facts = case.spec, self.facts(case)
        family = spec.scratch.family if spec.scratch is not None else ""
        rows = (facts.vocabulary or 0) - len(spec.add_tokens)
        values: dict[str, object] = {"spec": spec, "facts": facts, "rows": rows, "family": CLASSES.get(family, "")}
        return Recipe(values=values)


def _checked_scratch(case: Case[ModelSpec], shape: Scratch) -> Iterable[Objection]:
    """What a new model needs, and what cannot be multiplied."""
    spec = case.spec
    if spec.tokenizer is None:
        yield Objection("scratch", "a new model needs a tokenizer", "`tokenizer: NAME`, one of `tokenizers` or of another model")
        return
    facts = _of_scratch(case, shape)
    flaw = arch.flaw(facts)
    if flaw is not None:
        yield Objection(f"scratch.{flaw[0]}", flaw[1], "")
    if shape.window is not None and shape.family != "mistral":
        yield Objection(
            "scratch.window", f"the layers of {shape.family} look back on all of the context", "remove it, or `family: mistral`"
        )
    if shape.family == "gemma" and not shape.tied:
        yield Objection("scratch.tied", "the output of gemma is its embedding, always", "remove `tied: false`")
    if shape.family == "qwen2" and shape.head_size not in (None, shape.width // shape.heads):
        says = f"heads of qwen2 are as wide as the model shared out: {shape.width // shape.heads}, not {shape.head_size}"
        yield Objection("scratch.head_size", says, "remove it, or `family: qwen3`")
    ids = facts.ids or 0
    if shape.vocabulary is not None and shape.vocabulary < ids:
        says = f"the tokenizer gives ids up to {ids - 1:,}, and an embedding of {shape.vocabulary:,} rows ends before"
        yield Objection("scratch.vocabulary", says, f"`vocabulary: {ids}`, or leave it out")


def _of_scratch(case: Case[ModelSpec], shape: Scratch) -> Model:
    """The facts of a shape and of the tokenizer that it is given."""
    tokenizer = case.inputs.get("tokenizer")
    told = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer()
    return Model(
        family=shape.family,
        layers=shape.layers,
        width=shape.width,
        mlp=shape.mlp,
        heads=shape.heads,
        kv_heads=shape.kv_heads or shape.heads,
        head_size=shape.head_size or shape.width // shape.heads,
        vocabulary=shape.vocabulary or told.vocabulary,
        context=shape.context,
        window=shape.window,
        tied=shape.tied,
        biased=shape.family == "qwen2",
        dtype=shape.dtype,
        quantized="",
        licence=told.licence,
        gated=False,
        code=False,
        tokenizer=told.identity,
        form=told.form,
        ids=told.vocabulary,
        template=told.template,
        begins=told.begins,
        end_of_turn=told.end_of_turn,
    )


def _with_rows(model: Model, added: int) -> Model:
    """The same model once its tokenizer has so many tokens more."""
    if not added:
        return model
    ids = model.ids + added if model.ids is not None else None
    rows = model.vocabulary
    if rows is not None and (ids is None or ids > rows):
        rows = rows + added if ids is None else ids
    return replace(model, ids=ids, vocabulary=rows, tokenizer=f"{model.tokenizer} and {added} more" if model.tokenizer else None)


# --- what a folder says of itself ---


def _texts(case: Case[ModelSpec]) -> dict[str, str]:
    """The files that say what a model is, by name."""
    assert case.spec.path is not None
    home = case.spec.path.path
    found = {name: case.files.get(f"{home}/{name}") for name in READ}
    return {name: each.text or "" for name, each in found.items() if each is not None}


def _read(text: str | None) -> dict[str, Any]:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _checked_folder(case: Case[ModelSpec]) -> Iterable[Objection]:
    """Only safetensors, a configuration that can be read, no code unasked."""
    spec = case.spec
    assert spec.path is not None
    yield from _unused(spec)
    folder = case.files.get(spec.path.path)
    names = [path.rpartition("/")[2] for path, _ in folder.files] if folder is not None else []
    yield from pickled("path", spec.path.path, names)
    texts = _texts(case)
    config = _read(texts.get("config.json"))
    if not isinstance(config.get("model_type"), str):
        yield Objection(
            "path", f"`{spec.path.path}/config.json` does not tell its `model_type`", "it is not a model of transformers"
        )
    yield from brings_code("path", spec, config, [name for name in names if name.endswith(".py")])
    if not any(name in names for name in ("tokenizer.json", "tokenizer.model")):
        yield Objection(
            "path", f"`{spec.path.path}` has no tokenizer", "copy `tokenizer.json` and `tokenizer_config.json` beside the weights"
        )
    yield from missing_shards("path", case.files.get(f"{spec.path.path}/{INDEX}"), names)


def _unused(spec: ModelSpec) -> Iterable[Objection]:
    if spec.tokenizer is not None:
        yield Objection("tokenizer", "a model that exists brings its tokenizer", "remove `tokenizer`, or say `add_tokens`")
    if spec.seed:
        yield Objection("seed", "only a new model is drawn by a seed", "remove `seed`")


def pickled(field: str, place: str, names: Iterable[str]) -> Iterable[Objection]:
    """Weights as pickles run whatever is in them."""
    told = list(names)
    if any(name.endswith(".safetensors") for name in told):
        return
    found = sorted(name for name in told if name.endswith(PICKLED))
    if found:
        says = f"the weights of `{place}` are pickled (`{found[0]}`): whoever reads them runs the code in them"
        convert = f"AutoModelForCausalLM.from_pretrained('{place}', dtype='auto').save_pretrained('{place}')"
        yield Objection(field, says, f'if you trust them: `python -c "from transformers import AutoModelForCausalLM; {convert}"`')
    else:
        yield Objection(field, f"`{place}` has no weights: no file ends in `.safetensors`", "")


def brings_code(field: str, spec: ModelSpec, config: Mapping[str, Any], scripts: list[str]) -> Iterable[Objection]:
    """Python of the model's own runs only when the spec says so."""
    if config.get("auto_map") and not spec.trust_remote_code:
        which = f"`{scripts[0]}`" if scripts else "Python of its own"
        yield Objection(
            field, f"this model runs {which}, which may do anything that you may", "read it; then `trust_remote_code: true`"
        )


def missing_shards(field: str, index: Found | None, names: Iterable[str]) -> Iterable[Objection]:
    """The index names every shard."""
    wanted = set(_read(index.text if index is not None else None).get("weight_map", {}).values())
    gone = sorted(wanted - {*names})
    if gone:
        says = f"{len(gone)} of {len(wanted)} shards are missing: `{gone[0]}`" + (" and others" if len(gone) > 1 else "")
        yield Objection(field, says, "the folder is half-written: copy or download it again")


DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def of_texts(texts: Mapping[str, str]) -> Model:
    """The facts that configuration and tokenizer files tell; what they do not tell is None."""
    config = _read(texts.get("config.json"))
    inner = config.get("text_config") if isinstance(config.get("text_config"), dict) else None
    told = {**config, **inner} if inner else config
    family = str(config.get("model_type") or "") or None
    heads, width = told.get("num_attention_heads"), told.get("hidden_size")
    size = told.get("head_dim") or (width // heads if isinstance(width, int) and isinstance(heads, int) and heads else None)
    window = told.get("sliding_window") if told.get("use_sliding_window", True) else None
    quantized = config.get("quantization_config") or {}
    return Model(
        family=family,
        layers=told.get("num_hidden_layers"),
        width=width,
        mlp=told.get("intermediate_size"),
        heads=heads,
        kv_heads=told.get("num_key_value_heads") or heads,
        head_size=size,
        vocabulary=told.get("vocab_size"),
        context=told.get("max_position_embeddings"),
        window=window,
        tied=told.get("tie_word_embeddings", bool(family and family.startswith("gemma"))),
        biased=told.get("attention_bias", family == "qwen2"),
        dtype=DTYPES.get(str(told.get("dtype") or told.get("torch_dtype") or "")),
        quantized=str(quantized.get("quant_method", "")) if isinstance(quantized, dict) else "",
        gated=False,
        code=bool(config.get("auto_map")),
        **_of_tokenizer(texts),
    )


def _of_tokenizer(texts: Mapping[str, str]) -> dict[str, Any]:
    """What zyc wrote of a tokenizer; of one that it did not make, what its configuration tells."""
    notes, config = _read(texts.get("zyc.json")), _read(texts.get("tokenizer_config.json"))
    if notes:
        return {name: notes.get(name) for name in ("form", "template", "begins", "end_of_turn")}
    eos = config.get("eos_token")
    eos = eos.get("content") if isinstance(eos, dict) else eos
    return {"end_of_turn": eos if isinstance(eos, str) else None}
