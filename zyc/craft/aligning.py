"""What each way to learn from verdicts is: its data, losses, settings of trl, and what it has no use for."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field, WithJsonSchema

from zyc import fields
from zyc.kind import Fields
from zyc.types import Scorer


class Way(NamedTuple):
    """One method of an alignment."""

    config: str  # trl's
    data: tuple[str, ...]
    losses: tuple[str, ...] = ()
    beta: float | None = None
    rate: float = 1e-5  # of an adapter; a tenth of it where all weights are trained
    drawn: bool = False  # it learns from answers of its own


_PREFERENCE = ("preference",)
_ASKED = ("messages", "questions", "prompt-completion")
WAYS: Mapping[str, Way] = {
    "dpo": Way(
        "DPOConfig",
        _PREFERENCE,
        (
            "sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
            "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft",
        ),
        0.1,
    ),
    "kto": Way("KTOConfig", ("unpaired", "preference"), ("kto", "apo_zero_unpaired"), 0.1),
    "orpo": Way("ORPOConfig", _PREFERENCE, (), 0.1, 5e-5),
    "reward": Way("RewardConfig", _PREFERENCE, (), None, 1e-4),
    "grpo": Way(
        "GRPOConfig", _ASKED, ("dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo"), 0.0, drawn=True
    ),
    "rloo": Way("RLOOConfig", _ASKED, (), 0.05, drawn=True),
}  # fmt: skip

# of trl's settings, those that an alignment has a field for, or that follow from others
OWNED: Mapping[str, str] = {
    "loss_type": "loss", "loss_weights": "loss", "num_generations": "rollout.generations", "num_generations_eval": "",
    "max_completion_length": "rollout.max_tokens", "temperature": "rollout.temperature", "top_p": "rollout.top_p",
    "top_k": "rollout.top_k", "steps_per_generation": "rollout.steps", "generation_batch_size": "rollout.steps",
    "num_iterations": "rollout.iterations", "reward_weights": "rewards", "remove_unused_columns": "",
    "train_sampling_strategy": "", "chat_template_kwargs": "arguments", "generate_during_eval": "", "log_completions": "",
}  # fmt: skip


def names_in(text: str) -> set[str] | None:
    """What a Python file of the user's defines; None when it is not Python."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    told: set[str] = set()
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            told.add(each.name)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            told |= {name.asname or name.name for name in each.names}
        elif isinstance(each, ast.Assign):
            told |= {name.id for name in each.targets if isinstance(name, ast.Name)}
    return told


# --- fields ---


class Loss(Fields):
    """One of the losses that are added up."""

    name: fields.Text
    """Its name, as trl has it."""
    weight: fields.Number = Field(1.0, ge=0)
    """How much it counts."""


def read_losses(value: object) -> object:
    """`sigmoid`, `[sigmoid, sft]` or `{sigmoid: 1, sft: 0.1}`."""
    if isinstance(value, dict) and "name" not in value:
        return [{"name": fields.Plain(name), "weight": weight} for name, weight in value.items()]
    return [each if isinstance(each, dict | Loss) else {"name": each} for each in _listed(value)]


def _listed(value: object) -> list[object] | tuple[object, ...]:
    return value if isinstance(value, list | tuple) else [value]


LOSSES = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "number"}},
        ]
    }
)


def read_rewards(value: object) -> object:
    """`judge`, `[judge, specs/data/reward.py]`, `{judge: 0.5, specs/data/reward.py: 1}`, or a list of mappings."""
    if isinstance(value, dict) and not {"node", "file"} & {*value}:
        value = fields.read_named("weight")(value)
    rows = [each if isinstance(each, dict | Reward) else {"node": each} for each in _listed(value)]
    return [_at_its_place(row) if isinstance(row, dict) else row for row in rows]


def _at_its_place(row: dict[str, object]) -> dict[str, object]:
    name = row.get("node")
    if isinstance(name, str) and name.endswith(".py"):
        return {**{key: each for key, each in row.items() if key != "node"}, "file": name}
    return row


REWARDS = WithJsonSchema(
    {
        "description": "Scorers by name and Python files by path; a mapping gives each its weight.",
        "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}],
    }
)


class Reward(Fields):
    """What an answer is worth: a scorer's number, or a function of yours."""

    node: fields.Ref[Scorer] | None = None
    """A scorer: an alignment with `method: reward`."""
    file: fields.FilePath | None = None
    """A Python file of yours; it becomes part of the recipe as it stands, and runs."""
    function: fields.Text = "reward"
    """The function in it: `def reward(completions, answer, **more)` gives a number for each answer."""
    weight: fields.Number = 1.0
    """How much it counts."""


class Rollout(Fields):
    """How answers are drawn."""

    generations: fields.Integer = Field(8, ge=2)
    """Answers to each prompt: they are compared with each other."""
    max_tokens: fields.Integer = Field(256, ge=1)
    """The longest answer."""
    temperature: fields.Number = Field(1.0, gt=0)
    """How bold they are."""
    top_p: fields.Share = Field(1.0, gt=0, le=1)
    """Draw from the likeliest pieces that make up this share."""
    top_k: fields.Integer = Field(0, ge=0)
    """Draw from so many pieces; 0 for all of them."""
    steps: fields.Integer = Field(1, ge=1)
    """Steps that share one drawing: more are quicker, and learn from answers of a while ago."""
    iterations: fields.Integer = Field(1, ge=1)
    """How often each drawing is learned from."""
