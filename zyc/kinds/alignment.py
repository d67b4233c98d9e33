"""The kind `alignment`: a model that learns which answers are better, from verdicts, or from what its own answers are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft import arch, estimates
from zyc.craft.adapting import Lora, adapter_objections, adapter_of, parameters_of, values_for
from zyc.craft.aligning import LOSSES, OWNED, REWARDS, WAYS, Loss, Reward, Rollout, Way, names_in, read_losses, read_rewards
from zyc.craft.arch.training import WHOLE
from zyc.craft.chats import SPEAKS
from zyc.craft.estimates import Training
from zyc.craft.training import (
    HARNESS,
    MEASURES,
    OPTIMIZERS,
    REHEARSING,
    TWIN_PLACE,
    Engine,
    Train,
    TrainingPlacement,
    context_objections,
    engine_objections,
    expected_files,
    lowered,
    packages_of,
    placement_objections,
    sharding_files,
    twin_engine,
    why_not_carried,
)
from zyc.errors import nearest
from zyc.gates import Gate
from zyc.kind import Case, Estimate, FileNeed, Kind, Measure, Need, Objection, Recipe, Spec
from zyc.types import Adapter, Artifact, Dataset, Model, Scorer, values_of

TWIN_RATE, TWIN_STEPS, TWIN_DRAWN, TWIN_LONGEST = 1e-3, 80, 20, 24


class AlignmentTrain(Train):
    """How it is trained."""

    epochs: fields.Number | None = Field(None, gt=0)
    """How often each row is seen; once when neither this nor `steps` is given."""
    batch: fields.Integer = Field(16, ge=1)
    """Rows that each step learns from, over all processes; for `grpo` and `rloo` its own answers."""
    learning_rate: fields.Number | None = Field(None, gt=0)
    """The highest rate; for adapters 1e-5, with `orpo` 5e-5, with `reward` 1e-4, and a tenth of it for all weights."""


class AlignmentSpec(Spec):
    """The fields of an alignment."""

    base: fields.Ref[Model]
    """The model to start from, and the one that it is held against; a finetune means the model that it makes."""
    data: fields.Ref[Dataset]
    """Preferences; or answers with verdicts (`kto`); or prompts (`grpo`, `rloo`)."""
    method: Literal["dpo", "kto", "orpo", "grpo", "rloo", "reward"]
    """From verdicts: `dpo`, `kto`, `orpo`. From rewards for its own answers: `grpo`, `rloo`. `reward` makes a scorer."""
    adapter: Literal["lora", "qlora", "dora", "none"] = "lora"
    """What is trained: an adapter (`qlora`: of a base in four bits, `dora`: with magnitudes of its own), or all (`none`)."""
    beta: fields.Number | None = Field(None, ge=0)
    """How dear it is to move away from the base; 0.1, for `rloo` 0.05 and for `grpo` 0 when not given."""
    loss: Annotated[tuple[Loss, ...], BeforeValidator(read_losses), LOSSES] = ()
    """trl's name of it: `ipo`; for `dpo` also several, `{sigmoid: 1, sft: 0.1}`."""
    group: fields.Integer | None = Field(None, ge=2)
    """For `kto`: rows that go through at once, by which it sees how far it has moved; about 8 when not given."""
    context: fields.Integer = Field(1024, ge=8)
    """The longest prompt with its answer in tokens; longer answers are cut, longer prompts left out, and counted."""
    lora: Lora = Lora()
    """The adapter."""
    arguments: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    """Values that the chat template takes, such as a `date_string`."""
    rewards: Annotated[tuple[Reward, ...], BeforeValidator(read_rewards), REWARDS] = ()
    """What answers are worth, for `grpo` and `rloo`: `{judge: 1, specs/data/reward.py: 0.5}`, or a list of them."""
    rollout: Rollout | None = None
    """How answers are drawn, for `grpo` and `rloo`."""
    train: AlignmentTrain = AlignmentTrain()
    """How it is trained."""
    engine: Engine
    """Settings of trl's DPOConfig, KTOConfig, ... that have no field here, such as `label_smoothing: 0.1`."""
    placement: TrainingPlacement = TrainingPlacement()
    """Where and how fast it trains: never part of the key."""


class Alignment(Kind[AlignmentSpec]):
    """Preference, reward and reinforcement training: DPO, KTO, ORPO, GRPO, RLOO, and reward models.

    The model that a run starts from is the one that it is held against, so `base: FINETUNE` means the finetune fused into its
    own base. What is learned from is read by the same template as in a finetune and looked at before the first step.
    """

    name = "alignment"
    section = "alignments"
    Spec = AlignmentSpec
    measures = {
        "train.loss": Measure("mean loss of the last tenth of the steps"),
        "test.loss": Measure("loss on the rows that are held out, after the last step"),
        "reward.margin": Measure("how much more good answers are worth to it than bad ones, on rows held out"),
        "reward.accuracy": Measure("how often good answers are worth more to it, on rows held out", "share"),
        "train.reward": Measure("what its answers were worth in the last tenth of the steps"),
        "test.reward": Measure("what its greedy answers to prompts held out are worth"),
        "base.reward": Measure("what the base's greedy answers to the same prompts are worth"),
        "kl": Measure("how far it has moved from its base: mean divergence, a token of an answer"),
        "answer_tokens.*": Measure("tokens of an answer, of good ones and of bad ones"),
        "truncated": Measure("share of answers that are cut to the context", "share"),
        "dropped": Measure("rows that teach nothing or do not fit", "count"),
        "tokens_per_second": Measure("tokens that went through the model in a second"),
        "memory_peak": Measure("memory held at most, of the accelerator or else of the machine", "bytes"),
        **MEASURES,
    }
    only_real = (
        "train.loss", "test.loss", "reward.*", "train.reward", "test.reward", "base.reward", "kl", "answer_tokens.*",
        "tokens_per_second", "mfu",
    )  # fmt: skip
    harness = (*HARNESS, "answers.py")
    shares = ("asking.py", "bases.py", "chats.py", "counting.py", "schedules.py", *REHEARSING)

    def rehearsed(self, spec: AlignmentSpec) -> tuple[Gate, ...]:
        """As everywhere; of a bounded loss, that it be lower than before the first step: not of answers of its own."""
        return (*super().rehearsed(spec), *(() if WAYS[spec.method].drawn else lowered(spec.gates)))

    def yields(self, spec: AlignmentSpec) -> type[Artifact]:
        """A scorer, an adapter, or all of the model."""
        if spec.method == "reward":
            return Scorer
        return Model if spec.adapter == "none" else Adapter

    def needs(self, spec: AlignmentSpec) -> Iterable[Need]:
        """The text of the functions: it is what decides the result."""
        for at, reward in enumerate(spec.rewards):
            if reward.file is not None:
                yield FileNeed(reward.file.path, f"rewards.{at}.file", text=True)

    def place(self, path: str) -> str:
        """A scorer stands at its number."""
        return path.replace(".node", "").replace(".", "/")

    def twin(self, spec: AlignmentSpec) -> AlignmentSpec:
        """What a tiny model needs to move in half a minute; method, losses, adapter and rewards stay."""
        way = WAYS[spec.method]
        small: dict[str, Any] = {"learning_rate": TWIN_RATE, "steps": TWIN_DRAWN if way.drawn else TWIN_STEPS, "epochs": None}
        small |= {"batch": 8, "schedule": "cosine", "warmup": 0.05, "precision": "bf16", "optimizer": "adamw"}
        update: dict[str, Any] = {
            "context": min(spec.context, 512),
            "train": spec.train.model_copy(update=small),
            "engine": twin_engine(spec.engine),
            "placement": spec.placement.model_copy(update=TWIN_PLACE),
        }
        if way.drawn:
            rollout = spec.rollout or Rollout()
            few = {"generations": 4 if rollout.generations >= 4 else 2, "max_tokens": min(rollout.max_tokens, TWIN_LONGEST)}
            update["rollout"] = rollout.model_copy(update=few)
        update["group"] = None  # as many rows as are a batch
        return spec.model_copy(update=update)

    def facts(self, case: Case[AlignmentSpec]) -> Artifact:
        """Those of the base with what was changed in it."""
        base, spec = _base(case), case.spec
        if spec.method == "reward":
            return Scorer(base=values_of(base), licence=base.licence)
        if spec.adapter == "none":
            return replace(base, name=None, dtype=spec.train.precision, gated=None)
        return adapter_of(base, spec.lora, spec.adapter)

    def check(self, case: Case[AlignmentSpec]) -> Iterable[Objection]:
        """Base, data, verdicts or rewards, adapter, batch, engine: whatever can be told from facts."""
        if case.twin:
            return  # it was checked at its real size
        spec, base, way = case.spec, _base(case), WAYS[case.spec.method]
        yield from _data_objections(case, way)
        yield from _unused(spec, way)
        yield from context_objections(base, spec.context, case.inputs["data"])
        yield from placement_objections(spec.placement, spec.train.batch, "train.batch", spec.train.precision)
        yield from estimates.device_objections(spec.placement, spec.train.precision, "train.precision")
        yield from engine_objections(spec.engine, way.config, owned=OWNED, gpus=spec.placement.gpus)
        yield from _loss_objections(spec, way)
        if base.quantized:
            says = f"the base is kept as {base.quantized}, and what is trained on it could not be fused into it"
            yield Objection("base", says, "take the base in bf16; `adapter: qlora` makes four bits of it by itself")
        if spec.adapter != "none":
            yield from adapter_objections(base, spec.lora, spec.adapter, "adapter")
        if spec.train.epochs is not None and spec.train.steps is not None:
            yield Objection("train.steps", "`epochs` and `steps` both say how long it trains", "keep one of them")
        if way.drawn:
            yield from _drawn_objections(case)
        if spec.method == "kto":
            yield from _group_objections(spec)

    def estimate(self, case: Case[AlignmentSpec]) -> Estimate:
        """Bytes and arithmetic of the run; a plan shows which code of the user's it runs."""
        training = _training(case)
        told = estimates.estimated(training)
        size = arch.weight_bytes(training.model, training.precision)
        if WAYS[case.spec.method].drawn and told.work is not None and size is not None and training.steps is not None:
            rollout = case.spec.rollout or Rollout()
            drawings = training.steps / (rollout.steps * rollout.iterations)  # each token of one reads all weights once
            drawn = training.steps * training.batch * rollout.max_tokens / rollout.iterations
            flops = told.work.flops + 2 * (arch.parameters(training.model) or 0) * drawn
            moved = told.work.moved + drawings * rollout.max_tokens * size
            told = told._replace(work=told.work._replace(flops=flops, moved=moved))
        runs = [f"`{each.function}` of {each.file.path}" for each in case.spec.rewards if each.file is not None]
        return told._replace(result="; ".join([*([told.result] if told.result else []), *(f"runs {each}" for each in runs)]))

    def lighter(self, case: Case[AlignmentSpec]) -> Iterable[tuple[str, AlignmentSpec]]:
        """Another placement first, then another recipe."""
        training = _training(case)
        least = estimates.lightest_placement(training)
        changes = [] if case.spec.method == "kto" else [*estimates.lighter_placements(training)]
        if case.spec.adapter == "none":
            changes += [{"train.optimizer": "adamw-8bit", **least}, {"adapter": "lora", **least}]
        if case.spec.adapter != "qlora":
            changes.append({"adapter": "qlora", **least})
        changes.append({"context": case.spec.context // 2, **least})
        yield from estimates.variants(case.spec, changes)

    def recipe(self, case: Case[AlignmentSpec]) -> Recipe:
        """The spec, what follows from it, and the functions that it names."""
        spec, base, way = case.spec, _base(case), WAYS[case.spec.method]
        rehearsal = case.twin and not way.drawn
        losses = spec.loss or tuple(Loss(name=name) for name in way.losses[:1])
        rewards, files = [], {}
        for at, each in enumerate(spec.rewards):
            if each.file is not None:
                files[f"reward_{at}.py"] = case.files[each.file.path].text or ""
                rewards.append({"file": f"reward_{at}.py", "function": each.function})
            else:
                rewards.append({"scorer": f"in/rewards/{at}"})
        rate = way.rate * (0.1 if spec.adapter == "none" else 1)
        whole = [*spec.lora.modules_to_save, *(["score"] if spec.method == "reward" else [])]
        values: dict[str, object] = {
            "spec": spec,
            "rehearsal": rehearsal,
            "method": spec.method,
            "drawn": way.drawn,
            "adapter": spec.adapter != "none",
            "quantized": spec.adapter == "qlora",
            **packages_of(spec.train.optimizer, spec.engine, quantized=spec.adapter == "qlora"),
            "kept": "bf16" if spec.adapter == "qlora" else "fp32",
            **values_for(base, spec.lora),
            "whole": whole,
            "epochs": 1 if spec.train.epochs is None and spec.train.steps is None else spec.train.epochs,
            "learning_rate": spec.train.learning_rate or rate,
            "optimizer": OPTIMIZERS[spec.train.optimizer],
            "dtype": spec.train.precision,
            "beta": spec.beta if spec.beta is not None else way.beta,
            "losses": [each.name for each in losses],
            "loss_weights": [each.weight for each in losses],
            "group": _group(spec),
            "rollout": spec.rollout or Rollout(),
            "rewards": rewards,
            "weights": [each.weight for each in spec.rewards],
        }
        return Recipe(values=values, files=files, without=frozenset(() if rehearsal else REHEARSING))

    def arrangement(self, case: Case[AlignmentSpec]) -> Recipe:
        """What accelerate reads, and what the run is expected to hold."""
        told, place = self.estimate(case), case.spec.placement
        files = sharding_files(place, case.spec.train.precision)
        return Recipe(files={**files, **expected_files(told.memory, told.gpu_memory)})

    def resumes(self, spec: AlignmentSpec) -> bool:
        """From its newest whole checkpoint; of answers of its own, between two drawings."""
        return True

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Any micro_batch, and any number of gpus and nodes unless the parts of a sharded state would not fit them."""
        return why_not_carried(old, new)


def _base(case: Case[AlignmentSpec]) -> Model:
    base = case.inputs["base"]
    assert isinstance(base, Model)
    return base


def _group(spec: AlignmentSpec) -> int:
    """Rows that go through at once in a KTO run."""
    return spec.group or max(each for each in range(1, 9) if spec.train.batch % each == 0)


def _training(case: Case[AlignmentSpec]) -> Training:
    """The run, as estimates see it: two answers go through for each preference, and the base sees them too."""
    spec, base, data, way = case.spec, _base(case), case.inputs["data"], WAYS[case.spec.method]
    assert isinstance(data, Dataset)
    rows, row = estimates.rows_of(data, spec.context, packing=False)
    if way.drawn:  # what it answers stands behind what it is asked
        row = min(float(spec.context), row + (spec.rollout or Rollout()).max_tokens)
    times = 1 if way.drawn or spec.method == "kto" else 2
    beta = way.beta if spec.beta is None else spec.beta
    compares = spec.method in ("dpo", "kto") or (way.drawn and beta != 0)  # an adapter is switched off instead
    steps = spec.train.steps
    if steps is None and rows is not None:
        seen = rows * (spec.rollout or Rollout()).generations if way.drawn else rows
        steps = estimates.epochs_in_steps(seen, spec.train.epochs or 1, spec.train.batch)
    learned = arch.parameters(base)
    if spec.adapter != "none":
        learned = parameters_of(base, spec.lora, spec.adapter, spec.lora.rank)
    kept = {"qlora": 2.0, "none": arch.BYTES[spec.train.precision]}.get(spec.adapter, 4.0)
    result = None if learned is None else round(kept * learned)
    return Training(
        model=base,
        method="full" if spec.adapter == "none" else spec.adapter,
        learned=learned,
        context=spec.context,
        batch=spec.train.batch,
        steps=steps,
        row=times * row * (1.3 if spec.method not in ("orpo", "reward") else 1.0),  # the base's forward pass
        optimizer=spec.train.optimizer,
        precision=spec.train.precision,
        placement=spec.placement,
        result=arch.weight_bytes(base, spec.train.precision) if spec.method == "reward" else result,
        together=times,
        logit=WHOLE if spec.method == "orpo" else 0.0,
        held_against=spec.adapter == "none" and compares,
    )


# --- what is wrong ---


def _data_objections(case: Case[AlignmentSpec], way: Way) -> Iterable[Objection]:
    """Rows of a kind that the method learns from."""
    spec, base, data = case.spec, _base(case), case.inputs["data"]
    assert isinstance(data, Dataset)
    if data.format is not None and data.format not in way.data:
        told = " or ".join(filter(None, [", ".join(way.data[:-1]), way.data[-1]]))
        fitting = [name for name, each in WAYS.items() if data.format in each.data]
        help_ = f"`method: {fitting[0]}` learns from {data.format}" if fitting else "give the dataset another `format`"
        if data.format in ("messages", "prompt-completion") and not way.drawn:
            help_ = "a finetune learns from it; or `map` its columns to prompt, chosen and rejected"
        yield Objection("data", f"the dataset holds {data.format}; `{spec.method}` learns from {told}", help_)
    if data.format in ("messages", "questions") and base.template == "":
        yield Objection("base", "the base has no chat template, and the dataset holds chats", SPEAKS)
    if spec.train.early_stop is not None and data.test == 0:
        says = "it stops by the test loss, and the dataset holds nothing out"
        yield Objection("train.early_stop", says, "give the dataset a `split: {test: 10%}`")


def _unused(spec: AlignmentSpec, way: Way) -> Iterable[Objection]:
    """What the method has no use for is not passed over in silence."""
    given = {
        "beta": spec.beta is not None and way.beta is None,
        "group": spec.group is not None and spec.method != "kto",
        "rewards": bool(spec.rewards) and not way.drawn,
        "rollout": spec.rollout is not None and not way.drawn,
        "train.early_stop": spec.train.early_stop is not None and way.drawn,
        "train.tests": "tests" in spec.train.model_fields_set and way.drawn,
    }
    for field, there in given.items():
        if there:
            yield Objection(field, f"`{spec.method}` has no use for `{field.rpartition('.')[2]}`", "remove it")


def _loss_objections(spec: AlignmentSpec, way: Way) -> Iterable[Objection]:
    for at, loss in enumerate(spec.loss):
        if not way.losses:
            yield Objection("loss", f"`{spec.method}` has one loss", "remove `loss`")
            return
        if loss.name not in way.losses:
            close = nearest(loss.name, way.losses)
            help_ = f"did you mean `{close}`?" if close else f"there are {', '.join(way.losses)}"
            yield Objection(f"loss.{at}.name", f"`{spec.method}` has no loss `{loss.name}`", help_)
    if spec.method != "dpo" and (len(spec.loss) > 1 or any(each.weight != 1 for each in spec.loss)):
        yield Objection("loss", f"only `dpo` adds up several losses; `{spec.method}` takes one", "keep one, without a weight")


def _drawn_objections(case: Case[AlignmentSpec]) -> Iterable[Objection]:
    """Answers that can be compared, that fit, and that something values."""
    spec = case.spec
    rollout, drawn = spec.rollout or Rollout(), spec.train.batch * (spec.rollout or Rollout()).steps
    if drawn % rollout.generations:
        near = max(rollout.generations, spec.train.batch - spec.train.batch % rollout.generations)
        says = f"{drawn} answers are no whole number of prompts with {rollout.generations} answers each"
        yield Objection("train.batch", says, f"`batch: {near}` is; it counts answers, not prompts")
    if rollout.max_tokens >= spec.context:
        says = f"answers of {rollout.max_tokens:,} tokens leave no room for a prompt in {spec.context:,}"
        yield Objection("rollout.max_tokens", says, f"`max_tokens: {spec.context // 2}`, or a longer `context`")
    if not spec.rewards:
        help_ = "`rewards: [{file: specs/data/reward.py}]`, or `[{node: NAME}]` of an alignment with `method: reward`"
        yield Objection("", f"`{spec.method}` learns from what answers are worth, and nothing says so", help_)
    for at, each in enumerate(spec.rewards):
        if (each.node is None) == (each.file is None):
            says = "a reward is one of `node` and `file`" + (", and here are both" if each.node is not None else "")
            yield Objection(f"rewards.{at}", says, "`{node: judge, weight: 1}` or `{file: specs/data/reward.py, function: f}`")
        elif each.file is not None:
            yield from _file_objections(case, at, each)


def _file_objections(case: Case[AlignmentSpec], at: int, each: Reward) -> Iterable[Objection]:
    assert each.file is not None
    found = case.files.get(each.file.path)
    names = names_in(found.text) if found is not None and found.text is not None else None
    if names is None:
        yield Objection(f"rewards.{at}.file", f"`{each.file.path}` is no Python file", "name one, with a function in it")
    elif each.function not in names:
        says = f"`{each.file.path}` has no function `{each.function}`"
        yield Objection(f"rewards.{at}.function", says, f"write `def {each.function}(completions, **more)` in it")


def _group_objections(spec: AlignmentSpec) -> Iterable[Objection]:
    """How far a model has moved is told by other rows that go through with it."""
    share = spec.train.batch // (spec.placement.nodes * (spec.placement.gpus or 1))
    if share < 2:
        says = "`kto` compares rows that go through together: one alone tells nothing"
        yield Objection("train.batch", says, "at least 2 rows in each process")
    elif share % _group(spec):
        near = max(each for each in range(1, min(_group(spec), share) + 1) if share % each == 0)
        says = f"{share} rows in each process are no multiple of {_group(spec)}"
        yield Objection("group", says, f"`group: {near}` divides them")
    if spec.placement.micro_batch not in (None, _group(spec)):
        says = "rows that go through at once decide the result of `kto`, so that they are no matter of placement"
        yield Objection("placement.micro_batch", says, f"`group: {spec.placement.micro_batch}`, which is part of the key")
