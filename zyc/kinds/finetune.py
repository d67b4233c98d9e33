"""The kind `finetune`: a model that learns from examples, as an adapter beside it or as a new model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from zyc import fields
from zyc.craft import arch, estimates
from zyc.craft.adapting import Lora, adapter_objections, adapter_of, parameters_of, values_for
from zyc.craft.chats import SPEAKS, endless
from zyc.craft.estimates import Training
from zyc.craft.training import (
    HARNESS,
    MEASURES,
    OPTIMIZERS,
    REHEARSING,
    TWIN_BATCH,
    TWIN_BETAS,
    TWIN_LONG,
    TWIN_PLACE,
    TWIN_RATE,
    TWIN_RATE_WHOLE,
    TWIN_STEPS,
    TWIN_WARMUP,
    Engine,
    Train,
    TrainingPlacement,
    context_objections,
    data_objections,
    engine_objections,
    expected_files,
    lowered,
    packages_of,
    placement_objections,
    sharding_files,
    twin_engine,
    why_not_carried,
)
from zyc.gates import Gate
from zyc.kind import Case, Estimate, Kind, Measure, Objection, Recipe, Spec
from zyc.types import Adapter, Artifact, Dataset, Model

FORMATS = ("messages", "prompt-completion", "text")
RATES = {"full": 2e-5}  # of methods that do not train an adapter


class FinetuneSpec(Spec):
    """The fields of a finetune."""

    base: fields.Ref[Model]
    """The model to start from."""
    data: fields.Ref[Dataset]
    """The examples: chats, prompts with completions, or text."""
    method: Literal["lora", "qlora", "dora", "full"] = "lora"
    """An adapter (`qlora`: on a base in four bits, `dora`: with magnitudes of its own), or all weights (`full`)."""
    context: fields.Integer = Field(1024, ge=8)
    """The longest row in tokens; longer ones are cut, and counted."""
    lora: Lora = Lora()
    """The adapter."""
    loss_on: Literal["assistant", "all"] = "assistant"
    """Learn the assistant's answers and completions only, or every token."""
    packing: fields.Flag = False
    """Put several rows into one of `context` tokens, each blind to the others."""
    arguments: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    """Values that the chat template takes, such as a `date_string`."""
    train: Train = Train()
    """How it is trained."""
    engine: Engine
    """Settings of trl's SFTConfig that have no field here, such as `neftune_noise_alpha: 5`."""
    placement: TrainingPlacement = TrainingPlacement()
    """Where and how fast it trains: never part of the key."""


class Finetune(Kind[FinetuneSpec]):
    """Supervised training on the answers of a dataset: LoRA, QLoRA or DoRA give an adapter, `full` gives a model.

    Before the first step the first batches are looked at as the model gets them: which share of each role is trained, whether
    every answer ends with a trained end of turn, how chats begin, what was cut or left out. A run that is cut short goes on
    from its last whole checkpoint, to the same bytes on a CPU.
    """

    name = "finetune"
    section = "finetunes"
    Spec = FinetuneSpec
    measures = {
        "train.loss": Measure("mean loss of the last tenth of the steps"),
        "test.loss": Measure("loss on the rows that are held out, after the last step"),
        "trained_share": Measure("share of tokens that are learned from", "share"),
        "trained_share.*": Measure("share of the tokens of one role that are learned from", "share"),
        "truncated": Measure("share of rows that are cut to the context", "share"),
        "dropped": Measure("rows in which nothing is left to learn from", "count"),
        "tokens_per_second": Measure("tokens that went through the model in a second"),
        "memory_peak": Measure("memory held at most, of the accelerator or else of the machine", "bytes"),
        **MEASURES,
    }
    only_real = ("train.loss", "test.loss", "tokens_per_second", "mfu")
    harness = (*HARNESS, "answers.py")
    shares = ("bases.py", "chats.py", "preflight.py", "schedules.py", *REHEARSING)

    def rehearsed(self, spec: FinetuneSpec) -> tuple[Gate, ...]:
        """As everywhere; of a bounded loss, that it be lower than before the first step."""
        return (*super().rehearsed(spec), *lowered(spec.gates))

    def yields(self, spec: FinetuneSpec) -> type[Artifact]:
        """An adapter, or all of the model."""
        return Model if spec.method == "full" else Adapter

    def twin(self, spec: FinetuneSpec) -> FinetuneSpec:
        """What a tiny model needs to learn in half a minute; method, rank, targets, loss and packing stay."""
        rate, steps = (TWIN_RATE_WHOLE, TWIN_LONG) if spec.method == "full" else (TWIN_RATE, TWIN_STEPS)
        small: dict[str, Any] = {"learning_rate": rate, "batch": TWIN_BATCH, "epochs": None, "steps": steps}
        small |= {"betas": TWIN_BETAS, "schedule": "cosine", "warmup": TWIN_WARMUP, "precision": "bf16", "optimizer": "adamw"}
        return spec.model_copy(
            update={
                "context": min(spec.context, 512),
                "train": spec.train.model_copy(update=small),
                "engine": twin_engine(spec.engine),
                "placement": spec.placement.model_copy(update=TWIN_PLACE),
            }
        )

    def facts(self, case: Case[FinetuneSpec]) -> Artifact:
        """Those of the base with what was changed in it."""
        base = _base(case)
        if case.spec.method == "full":
            return replace(base, name=None, dtype=_dtype(case.spec), gated=None)
        return adapter_of(base, case.spec.lora, case.spec.method)

    def check(self, case: Case[FinetuneSpec]) -> Iterable[Objection]:
        """Base, data, adapter, batch, engine: whatever can be told from facts."""
        spec, base, data = case.spec, _base(case), case.inputs["data"]
        assert isinstance(data, Dataset)
        if case.twin:
            return  # it was checked at its real size
        yield from data_objections(data, "data", FORMATS, "a finetune")
        yield from context_objections(base, spec.context, data)
        yield from placement_objections(spec.placement, spec.train.batch, "train.batch", spec.train.precision)
        yield from estimates.device_objections(spec.placement, spec.train.precision, "train.precision")
        yield from engine_objections(spec.engine, "SFTConfig", gpus=spec.placement.gpus)
        yield from _base_objections(base, data, spec)
        if spec.method != "full":
            yield from adapter_objections(base, spec.lora, spec.method)
        if spec.train.epochs is not None and spec.train.steps is not None:
            yield Objection("train.steps", "`epochs` and `steps` both say how long it trains", "keep one of them")
        if spec.train.early_stop is not None and data.test == 0:
            says = "it stops by the test loss, and the dataset holds nothing out"
            yield Objection("train.early_stop", says, "give the dataset a `split: {test: 10%}`")

    def estimate(self, case: Case[FinetuneSpec]) -> Estimate:
        """Bytes and arithmetic of the run."""
        return estimates.estimated(_training(case))

    def lighter(self, case: Case[FinetuneSpec]) -> Iterable[tuple[str, FinetuneSpec]]:
        """Another placement first, then another recipe."""
        training = _training(case)
        least = estimates.lightest_placement(training)
        changes = [*estimates.lighter_placements(training)]
        if case.spec.method == "full":
            changes += [{"train.optimizer": "adamw-8bit", **least}, {"method": "lora", **least}]
            changes += estimates.shared_out(training)
        if case.spec.method != "qlora":
            changes.append({"method": "qlora", **least})
        changes.append({"context": case.spec.context // 2, **least})
        yield from estimates.variants(case.spec, changes)

    def recipe(self, case: Case[FinetuneSpec]) -> Recipe:
        """The spec, and what follows from it."""
        spec = case.spec
        rate = spec.train.learning_rate or RATES.get(spec.method, 2e-4)
        epochs = spec.train.epochs if spec.train.epochs is not None or spec.train.steps is not None else 3
        return Recipe(
            values={
                "spec": spec,
                "rehearsal": case.twin,
                "adapter": spec.method != "full",
                "quantized": spec.method == "qlora",
                **packages_of(spec.train.optimizer, spec.engine, quantized=spec.method == "qlora"),
                **values_for(_base(case), spec.lora),
                "epochs": epochs,
                "learning_rate": rate,
                "optimizer": OPTIMIZERS[spec.train.optimizer],
                "dtype": _dtype(spec),
                "kept": "bf16" if spec.method == "qlora" else "fp32",
            },
            without=frozenset(() if case.twin else REHEARSING),
        )

    def arrangement(self, case: Case[FinetuneSpec]) -> Recipe:
        """What accelerate reads, and what the run is expected to hold."""
        told, place = self.estimate(case), case.spec.placement
        files = sharding_files(place, case.spec.train.precision)
        return Recipe(files={**files, **expected_files(told.memory, told.gpu_memory)})

    def resumes(self, spec: FinetuneSpec) -> bool:
        """From its newest whole checkpoint."""
        return True

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Any `micro_batch`, and any number of `gpus` and `nodes` unless the parts that its `sharding` left do not fit them."""
        return why_not_carried(old, new)


def _training(case: Case[FinetuneSpec]) -> Training:
    """The run, as estimates see it."""
    spec, base, data = case.spec, _base(case), case.inputs["data"]
    assert isinstance(data, Dataset)
    rows, row = estimates.rows_of(data, spec.context, packing=spec.packing)
    steps = spec.train.steps
    if steps is None and rows is not None:
        steps = estimates.epochs_in_steps(rows, spec.train.epochs or 3, spec.train.batch)
    learned = arch.parameters(base) if spec.method == "full" else parameters_of(base, spec.lora, spec.method, spec.lora.rank)
    kept = {"qlora": 2, "full": arch.BYTES[spec.train.precision]}.get(spec.method, 4)
    return Training(
        model=base,
        method=spec.method,
        learned=learned,
        context=spec.context,
        batch=spec.train.batch,
        steps=steps,
        row=row,
        optimizer=spec.train.optimizer,
        precision=spec.train.precision,
        placement=spec.placement,
        result=None if learned is None else round(kept * learned),
    )


def _base(case: Case[FinetuneSpec]) -> Model:
    base = case.inputs["base"]
    assert isinstance(base, Model)
    return base


def _dtype(spec: FinetuneSpec) -> str:
    """What the weights are kept in."""
    return spec.train.precision


def _base_objections(base: Model, data: Dataset, spec: FinetuneSpec) -> Iterable[Objection]:
    """A base that can be trained at all, and whose chat template can say what is trained."""
    if base.quantized:
        says = f"the base is kept as {base.quantized}, and what is trained on it could not be fused into it"
        help_ = "take the base in bf16; `method: qlora` makes four bits of it by itself"
        yield Objection("base", says, help_)
    if data.format == "messages" and base.template == "":
        yield Objection("base", "the base has no chat template, and the dataset holds chats", SPEAKS)
    flaw = endless(base.template, base.end_of_turn) if data.format == "messages" else None
    if flaw is not None:
        yield Objection("base", *flaw)
    if data.turns == "multi" and spec.loss_on == "assistant" and base.template == "own" and not base.marked:
        says = "the base's chat template has no marks, so it cannot be told which tokens of many turns are the assistant's"
        yield Objection("loss_on", says, "give the model a `chat_template` that zyc knows or that has marks; or `loss_on: all`")
