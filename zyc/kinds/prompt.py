"""The kind `prompt`: one persona: what stands before a question, and how answers are drawn; evals and deployments share it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from zyc import fields
from zyc.kind import Case, Estimate, Fields, Kind, Objection, Recipe, Spec
from zyc.types import Dataset, Index, Prompt

BYTES_PER_TOKEN = 3.5  # of the languages of Europe, in vocabularies of today
CHATS = ("messages", "prompt-completion", "questions")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


class Shot(Fields):
    """A question and the answer that is wanted of such."""

    user: fields.Text
    """What is asked."""
    assistant: fields.Text
    """What is answered."""


class Shots(Fields):
    """Examples that stand before the question."""

    node: fields.Ref[Dataset] | None = None
    """A dataset of chats or questions: its first rows, of its train split."""
    most: fields.Integer = Field(4, ge=1, le=100)
    """How many rows of the dataset are taken."""
    turns: tuple[Shot, ...] = ()
    """Examples written out: `[{user: ..., assistant: ...}]`."""


def read_shots(value: object) -> object:
    """The name of a dataset, or examples written out."""
    if isinstance(value, list | tuple):
        return {"turns": value}
    if isinstance(value, str) and not fields.is_null(value):
        return {"node": value}
    return value


class Sampling(Fields):
    """How answers are drawn; what is not given is the engine's own."""

    temperature: fields.Number | None = Field(None, ge=0, le=10)
    """0 always takes the likeliest token."""
    top_p: fields.Share | None = Field(None, gt=0, le=1)
    """Only the likeliest tokens that make up this share."""
    top_k: fields.Integer | None = Field(None, ge=0)
    """Only so many of the likeliest tokens; 0 for all."""
    min_p: fields.Share | None = Field(None, ge=0, le=1)
    """Only tokens that are at least this likely beside the likeliest."""
    max_tokens: fields.Integer | None = Field(None, ge=1)
    """An answer ends after so many tokens."""
    stop: fields.Texts = ()
    """An answer ends before one of these."""
    repeat_penalty: fields.Number | None = Field(None, gt=0, le=10)
    """What was said becomes less likely: 1 for no penalty."""
    seed: fields.Integer | None = None
    """Draws the same each time, where the engine can."""


def read_argument(value: object) -> object:
    """A text, a number, or `true` and `false`, as YAML 1.2 has them."""
    if isinstance(value, bool | int | float):
        return value
    text = fields.read_text(value)
    if not getattr(value, "plain", False):
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    return text


Argument = Annotated[Any, BeforeValidator(read_argument), WithJsonSchema({"type": ["string", "number", "boolean"]})]


class PromptSpec(Spec):
    """The fields of a prompt."""

    system: fields.Text = ""
    """What the model is told before anything else."""
    few_shot: Annotated[Shots, BeforeValidator(read_shots)] = Shots()
    """Examples that stand before the question: a dataset, `{node: shots, most: 2}`, or `[{user: ..., assistant: ...}]`."""
    retrieval: fields.Ref[Index] | None = None
    """Passages that are looked up for each question and stand before it."""
    sampling: Sampling = Sampling()
    """How answers are drawn: `{temperature: 0.4, top_p: 90%, max_tokens: 60, stop: ["\\n"]}`."""
    arguments: dict[fields.Variable, Argument] = Field(default_factory=dict)
    """What the chat template asks for, frozen: `{enable_thinking: false, date_string: "26 Jul 2024"}`."""


class PromptKind(Kind[PromptSpec]):
    """A persona, written once: the same words and the same drawing wherever the model is asked."""

    name = "prompt"
    section = "prompts"
    Spec = PromptSpec
    gives = Prompt
    quiet = True

    def shorthand(self, value: str) -> dict[str, str]:
        """`spinoza: You are Spinoza.` is a system text."""
        return {"system": value}

    def place(self, path: str) -> str:
        """`few_shot.node` stands at `in/few_shot`."""
        return path.partition(".")[0]

    def check(self, case: Case[PromptSpec]) -> Iterable[Objection]:
        """Examples come from one place, and a dataset has answers."""
        shots, spec = case.spec.few_shot, case.spec
        if shots.node is not None and shots.turns:
            yield Objection("few_shot", "examples come from a dataset or are written out, not both", "keep one")
        facts = case.inputs.get("few_shot.node")
        if isinstance(facts, Dataset) and facts.format not in (None, *CHATS):
            yield Objection(
                "few_shot", f"rows of `{facts.format}` have no question with its answer", f"take one of {', '.join(CHATS)}"
            )
        if spec.sampling.top_p is not None and spec.sampling.temperature == 0:
            yield Objection(
                "sampling.top_p", "at `temperature: 0` the likeliest token is taken, whatever `top_p` says", "keep one"
            )

    def facts(self, case: Case[PromptSpec]) -> Prompt:
        """Its words, and about how many tokens they are; those of a dataset are not known yet."""
        spec = case.spec
        texts = [spec.system, *(part for shot in spec.few_shot.turns for part in (shot.user, shot.assistant))]
        size = sum(len(each.encode()) for each in texts)
        found = case.inputs.get("retrieval")
        looked_up = 0 if spec.retrieval is None else getattr(found, "tokens", None)
        known = spec.few_shot.node is None and looked_up is not None
        finds = "" if spec.retrieval is None else getattr(found, "embedder", None)
        tokens = round(size / BYTES_PER_TOKEN) + (looked_up or 0) if known else None
        return Prompt(system=spec.system, tokens=tokens, looks_up=finds)

    def estimate(self, case: Case[PromptSpec]) -> Estimate:
        """A small file."""
        return Estimate(disk=10_000)

    def recipe(self, case: Case[PromptSpec]) -> Recipe:
        """All of it is values; what was not given is not there."""
        spec = case.spec
        sampling = {name: value for name, value in spec.sampling.model_dump(mode="json").items() if value not in (None, [], ())}
        turns = [[shot.user, shot.assistant] for shot in spec.few_shot.turns]
        arguments = dict(sorted(spec.arguments.items()))
        retrieves = spec.retrieval is not None
        return Recipe(values={"spec": spec, "sampling": sampling, "turns": turns, "arguments": arguments, "retrieves": retrieves})
