"""The fields of a merge: models and their parameters, slices, the tokenizer, and what mixtures and other ways take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from zyc import fields
from zyc.craft.merging.methods import APPROXIMATIONS, Flags, Setting
from zyc.kind import Fields, Placement, Spec
from zyc.types import Model

Way = Literal[
    "linear", "slerp", "nuslerp", "multislerp", "karcher", "task_arithmetic", "ties", "dare_linear", "dare_ties", "della",
    "della_linear", "breadcrumbs", "breadcrumbs_ties", "model_stock", "sce", "nearswap", "ram", "ramplus_tl", "arcee_fusion",
    "passthrough", "moe", "extract", "transplant",
]  # fmt: skip
NAMED = WithJsonSchema(
    {
        "description": "Models by name, each with its weight, or with its parameters.",
        "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}],
    }
)


class Each(Fields):
    """What a method may take for each model."""

    weight: Setting | None = None
    """How much the model counts: `60%`, a gradient `[0, 0.5, 1]` from the first layer to the last, or values by `filter`."""
    density: Setting | None = None
    """The share of its changes that is kept."""
    gamma: Setting | None = None
    """The share of its largest changes that is dropped (`breadcrumbs`)."""
    epsilon: Setting | None = None
    """How far the chance of being dropped is spread by size (`della`); the smallest change that counts (`ram`)."""
    scale: Setting | None = None
    """What its tensors are multiplied by (`passthrough`)."""


class Source(Each):
    """A model that is merged."""

    node: fields.Ref[Model]
    """The model."""
    prompts: fields.Texts = ()
    """For `moe`: texts of the kind that this expert is asked."""
    avoid: fields.Texts = ()
    """For `moe`: texts that this expert is not asked."""
    noise: fields.Number | None = Field(None, ge=0)
    """For `moe`: how much noise is added to the weights of this expert."""
    residual: fields.Number | None = None
    """For `moe`: what this expert's last matrix is multiplied by."""
    shared: fields.Flag = False
    """For `moe`: every token goes through this expert."""


class Parameters(Each):
    """The parameters of a method, for all models and tensors that have none of their own."""

    t: Setting | None = None
    """How far from the base to the other model (`slerp`); how near two weights must be to be swapped (`nearswap`)."""
    normalize: Flags | None = None
    """Divide by the sum of the weights."""
    normalize_weights: Flags | None = None
    """The same of `multislerp`."""
    rescale: Flags | None = None
    """Make what is kept as large as what was there."""
    int8_mask: Flags | None = None
    """Keep masks in 8 bits."""
    lambda_: Setting | None = Field(None, alias="lambda")
    """What the sum of all changes is multiplied by."""
    eps: Setting | None = None
    """Lengths below count as nothing (`multislerp`)."""
    select_topk: Setting | None = None
    """The share of weights that differ most and are merged (`sce`)."""
    r: Setting | None = None
    """How much more the weights count that one model alone changed (`ramplus_tl`)."""
    alpha: Setting | None = None
    """How fast that falls with the share of weights that models have in common (`ramplus_tl`)."""
    filter_wise: Flags | None = None
    """Look at each row by itself (`model_stock`)."""
    nuslerp_row_wise: Flags | None = None
    """Turn rows, not columns."""
    nuslerp_flatten: Flags | None = None
    """Turn each tensor as one vector."""
    max_iter: Setting | None = None
    """Steps towards the mean, at most (`karcher`)."""
    tol: Setting | None = None
    """The last step is shorter than this (`karcher`)."""


class SlicedSource(Each):
    """Some layers of a model."""

    node: fields.Ref[Model]
    """The model."""
    layers: tuple[fields.Integer, fields.Integer]
    """From this layer, counted from 0, up to before that one: `[0, 16]`."""


class Slice(Fields):
    """The next layers of the result, and the layers that they are made of."""

    models: Annotated[tuple[SlicedSource, ...], BeforeValidator(fields.read_named("layers")), NAMED] = Field(min_length=1)
    """The models, each with as many layers: `{a: [0, 16], b: {layers: [0, 16], weight: 40%}}`."""
    base: fields.Ref[Model] | None = None
    """The base of these layers, where it is another."""
    parameters: Parameters = Parameters()
    """Parameters for these layers."""


class Token(Fields):
    """Where the row of one token comes from."""

    token: fields.Text
    """The token."""
    like: fields.Ref[Model] | None = None
    """The model that it is taken from; nothing of any (zeros) when not given."""
    named: fields.Text | None = None
    """What the token is called there, where it has another name."""
    number: fields.Integer | None = Field(None, ge=0)
    """Its id there, in place of a name."""
    force: fields.Flag = False
    """Take it for models that have the token, too."""


def _tokenizing(value: object) -> object:
    """`union`, `base`, or the name of the model whose tokenizer it is."""
    if not isinstance(value, str):
        return value
    return {"of": value} if value in ("union", "base") else {"model": value}


class Tokenizing(Fields):
    """The tokenizer of the result."""

    of: Literal["union", "base", "model"] = "model"
    """All tokens of all models (`union`), those of the `base`, or those of the `model` that is named."""
    model: fields.Ref[Model] | None = None
    """The model whose tokenizer it is."""
    tokens: Annotated[tuple[Token, ...], BeforeValidator(fields.read_list)] = ()
    """Tokens whose rows come from elsewhere than the merge."""
    pad: fields.Integer | None = Field(None, ge=1)
    """Rows are filled up to a multiple of this."""


class Moe(Fields):
    """A mixture of experts: for each token a gate chooses among the models."""

    gate: Literal["hidden", "cheap_embed", "random", "uniform_random"] = "hidden"
    """What a gate begins as: what the base makes of the prompts, their embeddings, or chance."""
    per_token: fields.Integer = Field(2, ge=1)
    """Experts that each token goes through."""
    architecture: Literal["mixtral", "deepseek", "qwen", "qwen3"] | None = None
    """What it becomes; what the family can become when not given."""


class Extract(Fields):
    """An adapter of what a model has beyond its base."""

    rank: fields.Integer = Field(32, ge=1, le=4096)
    """How wide it is at most."""
    distribute: fields.Flag = True
    """Both halves are as large."""
    embedding: fields.Flag = False
    """The embedding gets two thin matrices as well, and is not kept whole."""
    keep: fields.Texts = ()
    """Layers that are kept whole."""
    include: fields.Texts = ()
    """Only layers that one of these expressions finds."""
    leave: fields.Texts = ()
    """No layers that one of these expressions finds."""
    epsilon: fields.Number = Field(0.0, ge=0)
    """Parts of a change that are smaller than this are left out."""
    pass_by: fields.Flag = False
    """Leave out what has no two thin matrices, such as norms, in place of keeping it whole."""


class Transplant(Fields):
    """How rows of tokens are made that the model did not know."""

    approximation: Literal[APPROXIMATIONS] = "omp"  # type: ignore[valid-type]
    """`omp` (a few known tokens together), `subword`, `mean`, ... as mergekit-tokensurgeon has them."""
    neighbours: fields.Integer = Field(64, ge=1)
    """How many known tokens a row is made of."""
    cosine: fields.Flag = False
    """Neighbours are those at the smallest angle."""
    weighting: Literal["distance_proportional", "barycentric", "least_squares"] = "distance_proportional"
    """How neighbours are weighed (`common_interpolation`)."""
    subword: Literal["mean", "sum", "weighted_mean", "first_last"] = "mean"
    """How the pieces of a token are put together (`subword`)."""
    prefixes: Literal["no", "yes", "embed", "lm_head"] = "no"
    """Whether a token may take the row of a longer one that it begins."""
    bytes: Literal["no", "yes", "embed", "lm_head"] = "no"
    """Whether a token of one byte may take that byte's row."""
    trained: fields.Flag = False
    """Leave out tokens that were hardly ever trained."""
    noise: fields.Number | None = Field(None, ge=0)
    """Noise that is added to new rows."""
    factor: fields.Number | None = Field(None, gt=0)
    """What new rows are multiplied by."""


class MergeSpec(Spec):
    """The fields of a merge."""

    method: Way
    """How: a method of mergekit, or `moe` (a mixture of experts), `extract` (an adapter), `transplant` (another tokenizer)."""
    models: Annotated[tuple[Source, ...], BeforeValidator(fields.read_named("weight")), NAMED] = ()
    """What is merged: `[a, b]`, `{a: 60%, b: 40%}`, or `{a: {weight: 60%, density: 0.5}, ...}`."""
    slices: Annotated[tuple[Slice, ...], BeforeValidator(fields.read_list)] = ()
    """In place of `models`: the layers of the result, some at a time."""
    base: fields.Ref[Model] | None = None
    """The model whose changes are merged, or that the others are compared with; it may be one of `models`."""
    parameters: Parameters = Parameters()
    """The parameters of the method."""
    tokenizer: Annotated[Tokenizing | None, BeforeValidator(_tokenizing), fields.Shorter("string")] = None
    """`union`, `base`, or the name of a model; without it all models must have the same one."""
    dtype: Literal["bf16", "fp16", "fp32"] = "bf16"
    """What the weights are kept in."""
    compute: Literal["bf16", "fp16", "fp32"] | None = None
    """What is computed in; what the models have when not given."""
    seed: fields.Integer = Field(0, ge=0, lt=2**32)
    """What is dropped or drawn by chance."""
    moe: Moe = Moe()
    """For `moe`: gates and architecture."""
    extract: Extract = Extract()
    """For `extract`: the adapter."""
    transplant: Transplant = Transplant()
    """For `transplant`: the rows of tokens that are new to the model."""
    placement: Placement = Placement()
    """Where it runs: never part of the key."""
