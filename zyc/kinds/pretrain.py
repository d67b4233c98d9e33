"""The kind `pretrain`: a model that learns from plain text or chats by all of its weights, from scratch or on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft import arch, estimates
from zyc.craft.chats import SPEAKS
from zyc.craft.estimates import Training
from zyc.craft.training import (
    HARNESS,
    MEASURES,
    REHEARSING,
    TWIN_BATCH,
    TWIN_BETAS,
    TWIN_PLACE,
    TWIN_RATE_WHOLE,
    TWIN_STEPS,
    TWIN_WARMUP,
    Precision,
    Schedule,
    TrainingPlacement,
    context_objections,
    data_objections,
    expected_files,
    lowered,
    packages_of,
    placement_objections,
    why_not_carried,
)
from zyc.gates import Gate, Interval
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Recipe, Spec
from zyc.types import Artifact, Dataset, Model

FORMATS = ("text", "messages", "prompt-completion")
FEW = 10  # tokens a parameter, below which new weights have hardly begun to learn
TWIN_CONTEXT = 128
TWIN_PACKED = (8, 200)  # rows of a step, steps


class Source(Fields):
    """A dataset, and how much of what is read comes from it."""

    node: fields.Ref[Dataset]
    """The dataset."""
    weight: fields.Share = Field(1.0, gt=0)
    """Its share of the tokens: all make 100%, or are parts such as 3 and 1."""


class PretrainSpec(Spec):
    """The fields of a pretraining."""

    model: fields.Ref[Model]
    """The model to start from: a new one, or any other to go on with."""
    data: Annotated[tuple[Source, ...], BeforeValidator(fields.read_named("weight")), Field(min_length=1)]
    """What it reads: one dataset, several, or several with their shares: `{corpus: 80%, code: 20%}`."""
    tokens: fields.Amount | None = Field(None, ge=1)
    """How many tokens are read in all, such as `300M`."""
    steps: fields.Integer | None = Field(None, ge=1)
    """How many batches are read, in place of `tokens`."""
    until: fields.Number | None = Field(None, gt=0)
    """Ends before its last step once eight steps have no more than this loss on average: for a base that shall not know all."""
    context: fields.Integer = Field(512, ge=8)
    """The length of a row in tokens."""
    batch_tokens: fields.Amount = Field(131_072, ge=8)
    """Tokens of a step, over all processes: so many rows of `context` tokens."""
    packing: fields.Flag = True
    """Rows are cut from one long text; `false` makes each example a row of its own, filled up."""
    loss_on: Literal["assistant", "all"] = "all"
    """Learn every token, or the assistant's answers only."""
    learning_rate: fields.Number = Field(6e-4, gt=0)
    """The highest rate of the schedule."""
    schedule: Schedule = "cosine"
    """How the rate falls: by a cosine, a line, not at all, or only in the last fifth (`wsd`)."""
    warmup: fields.Share = Field(0.02, ge=0, le=0.5)
    """The share of steps in which the rate rises."""
    precision: Precision = "bf16"
    """What is computed in; weights are kept in single precision while it learns."""
    seed: fields.Integer = Field(0, ge=0)
    """Which order the rows come in."""
    optimizer: Literal["adamw", "adamw-8bit"] = "adamw"
    """What turns gradients into steps."""
    betas: tuple[fields.Number, fields.Number] = (0.9, 0.95)
    """How long the optimizer remembers gradients and their squares."""
    weight_decay: fields.Number = Field(0.1, ge=0)
    """How much matrices shrink by themselves; vectors do not."""
    clip: fields.Number = Field(1.0, ge=0)
    """The longest gradient; 0 for no bound."""
    tests: fields.Integer = Field(4, ge=1)
    """How often the test loss is measured, the last time after the last step."""
    placement: TrainingPlacement = TrainingPlacement()
    """Where and how fast it trains: never part of the key."""


class Pretrain(Kind[PretrainSpec]):
    """Training of all weights on a mix of datasets, each with its share, in rows of one length.

    The order of the rows is a function of the step alone, so a run that is cut short goes on from its last whole checkpoint, to
    the same bytes on a CPU, and a batch is the same however many processes share it.
    """

    name = "pretrain"
    section = "pretrains"
    Spec = PretrainSpec
    gives = Model
    measures = {
        "train.loss": Measure("mean loss of the last tenth of the steps"),
        "test.loss": Measure("loss on what is held out, in nats a token"),
        "test.bits_per_byte": Measure("loss on what is held out, in bits a byte of its text: comparable across tokenizers"),
        "trained_share": Measure("share of tokens that are learned from", "share"),
        "tokens": Measure("tokens that were read", "count"),
        "epochs": Measure("how often the dataset that ran out first was read"),
        "tokens_per_second": Measure("tokens that went through the model in a second"),
        "memory_peak": Measure("memory held at most, of the accelerator or else of the machine", "bytes"),
        **MEASURES,
    }
    only_real = ("train.loss", "test.loss", "test.bits_per_byte", "tokens", "epochs", "tokens_per_second", "mfu")
    harness = (*HARNESS, "trackers.py")
    shares = ("bases.py", "chats.py", "schedules.py", *REHEARSING)

    def rehearsed(self, spec: PretrainSpec) -> tuple[Gate, ...]:
        """As everywhere; of a bounded loss, that it be lower than before the first step."""
        return (*super().rehearsed(spec), *lowered(spec.gates))

    def twin(self, spec: PretrainSpec) -> PretrainSpec:
        """As many steps as a tiny model needs to have seen what there is to see."""
        context = min(spec.context, TWIN_CONTEXT)
        rows, most = TWIN_PACKED if spec.packing else (TWIN_BATCH, TWIN_STEPS)
        steps = spec.steps if spec.steps is not None else most
        small: dict[str, Any] = {"tokens": None, "steps": min(steps, most), "context": context, "batch_tokens": rows * context}
        small |= {
            "learning_rate": TWIN_RATE_WHOLE,
            "betas": TWIN_BETAS,
            "schedule": "cosine",
            "warmup": TWIN_WARMUP,
            "precision": "bf16",
        }
        return spec.model_copy(
            update={**small, "optimizer": "adamw", "placement": spec.placement.model_copy(update=TWIN_PLACE)},
        )

    def facts(self, case: Case[PretrainSpec]) -> Artifact:
        """Those of the model, whose weights are now others."""
        return replace(_model(case), name=None, dtype=case.spec.precision, gated=None)

    def check(self, case: Case[PretrainSpec]) -> Iterable[Objection]:
        """Model, data and batch: whatever can be told from facts."""
        spec, model = case.spec, _model(case)
        if case.twin:
            return  # it was checked at its real size
        for at, data in enumerate(_data(case)):
            yield from data_objections(data, f"data.{at}.node", FORMATS, "a pretraining")
            if spec.loss_on == "assistant" and data.format == "text":
                yield Objection("loss_on", "a text has no assistant whose answers could be learned", "`loss_on: all`")
            if data.format == "messages" and model.template == "":
                says = "the model has no chat template, and the dataset holds chats"
                yield Objection("model", says, SPEAKS)
        total = sum(each.weight for each in spec.data)
        if any(each.weight < 1 for each in spec.data) and abs(total - 1) > 0.005:
            yield Objection("data", f"the shares make {total:.4g}", "let them make 100%, or write parts such as `{a: 3, b: 1}`")
        yield from context_objections(model, spec.context, *(() if spec.packing else _data(case)))
        if (spec.tokens is None) == (spec.steps is None):
            both = spec.tokens is not None
            says = "`tokens` and `steps` both say how long it trains" if both else "nothing says how long it trains"
            yield Objection("steps" if both else "tokens", says, "keep one of them" if both else "such as `tokens: 300M`")
        rows = spec.batch_tokens // spec.context
        if spec.batch_tokens % spec.context:
            says = f"{spec.batch_tokens:,} tokens are no whole rows of {spec.context}"
            yield Objection("batch_tokens", says, f"`batch_tokens: {max(1, rows) * spec.context}`")
        else:
            yield from placement_objections(spec.placement, rows, "batch_tokens", spec.precision)
        yield from estimates.device_objections(spec.placement, spec.precision, "precision")
        if model.quantized:
            yield Objection("model", f"a model that is kept as {model.quantized} cannot be trained", "take it in bf16")

    def notes(self, case: Case[PretrainSpec]) -> Iterable[Objection]:
        """New weights want many tokens each."""
        spec, count = case.spec, arch.parameters(_model(case))
        read = _steps(spec) * spec.batch_tokens
        if not case.twin and _model(case).name is None and count is not None and read < FEW * count:
            each = f"{read / 1e9:,.3g} B tokens are {read / count:.2g} for each of {count / 1e6:,.0f} M parameters"
            fits = f"new weights want {FEW} and more, so of {max(1, round(read / FEW / 1e6)):,} M parameters at most"
            yield Objection("tokens" if spec.tokens is not None else "steps", each, f"go on from a trained base; {fits}")

    def estimate(self, case: Case[PretrainSpec]) -> Estimate:
        """Bytes and arithmetic of the run."""
        told, read = estimates.estimated(_training(case)), float(_steps(case.spec) * case.spec.batch_tokens)
        least = read if case.spec.until is None else min(read, 8.0 * case.spec.batch_tokens)
        least = least if case.spec.packing else 0.0  # rows may be of any length
        return told._replace(measures=(*told.measures, ("tokens", Interval(least, read, "steps of batch_tokens"))))

    def lighter(self, case: Case[PretrainSpec]) -> Iterable[tuple[str, PretrainSpec]]:
        """Another placement first, then another recipe."""
        training = _training(case)
        least = estimates.lightest_placement(training)
        changes = [*estimates.lighter_placements(training), *estimates.shared_out(training)]
        if case.spec.optimizer == "adamw":
            changes.append({"optimizer": "adamw-8bit", **least})
        yield from estimates.variants(case.spec, changes)

    def recipe(self, case: Case[PretrainSpec]) -> Recipe:
        """The spec, and what follows from it."""
        spec = case.spec
        total = sum(each.weight for each in spec.data)
        return Recipe(
            values={
                "spec": spec,
                "rehearsal": case.twin,
                "weights": [each.weight / total for each in spec.data],
                "steps": _steps(spec),
                "rows": spec.batch_tokens // spec.context,
                **packages_of(spec.optimizer, {}, quantized=False),
            },
            without=frozenset(() if case.twin else REHEARSING),
        )

    def arrangement(self, case: Case[PretrainSpec]) -> Recipe:
        """What the run is expected to hold; the script shares the model itself, by `sharding`."""
        told = self.estimate(case)
        return Recipe(files=expected_files(told.memory, told.gpu_memory))

    def place(self, path: str) -> str:
        """`data.0.node` stands at `in/data/0`."""
        return path.removesuffix(".node").replace(".", "/")

    def resumes(self, spec: PretrainSpec) -> bool:
        """From its newest whole checkpoint."""
        return True

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """A checkpoint holds the whole state, however many `gpus` and `nodes` share it: any placement goes on."""
        return why_not_carried({}, {})


def _steps(spec: PretrainSpec) -> int:
    return spec.steps if spec.steps is not None else max(1, round((spec.tokens or 0) / spec.batch_tokens))


def _training(case: Case[PretrainSpec]) -> Training:
    """The run, as estimates see it."""
    spec, model = case.spec, _model(case)
    return Training(
        model=model,
        method="pretrain",
        learned=arch.parameters(model),
        context=spec.context,
        batch=max(1, spec.batch_tokens // spec.context),
        steps=_steps(spec),
        row=float(spec.context),
        optimizer=spec.optimizer,
        precision=spec.precision,
        placement=spec.placement,
        result=arch.weight_bytes(model, spec.precision),
    )


def _model(case: Case[PretrainSpec]) -> Model:
    model = case.inputs["model"]
    assert isinstance(model, Model)
    return model


def _data(case: Case[PretrainSpec]) -> list[Dataset]:
    told = [case.inputs[f"data.{at}.node"] for at in range(len(case.spec.data))]
    return [each for each in told if isinstance(each, Dataset)]
