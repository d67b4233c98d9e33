"""The kind `distillation`: a student learns what its teachers say, or how sure they are of each token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from zyc import fields
from zyc.craft import arch, estimates
from zyc.craft.adapting import Lora, adapter_objections, adapter_of, parameters_of, values_for
from zyc.craft.arch.training import COMPARED
from zyc.craft.chats import SPEAKS
from zyc.craft.estimates import Training
from zyc.craft.training import (
    HARNESS,
    MEASURES,
    OPTIMIZERS,
    REHEARSING,
    TWIN_BATCH,
    TWIN_BETAS,
    TWIN_PLACE,
    TWIN_RATE,
    TWIN_WARMUP,
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
from zyc.gates import Gate
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Recipe, Spec
from zyc.types import Adapter, Artifact, Dataset, Model

ASKED = ("messages", "questions", "prompt-completion")
RATES = {"full": 2e-5}  # of methods that do not train an adapter
TWIN_STEPS, TWIN_LONGEST = 200, 24
WRITTEN_AT_ONCE = 16  # prompts that a teacher answers together, as writing.py has it
OWNED: Mapping[str, str] = {
    "lmbda": "on_policy", "temperature": "answers.temperature", "max_new_tokens": "answers.max_tokens",
    "max_completion_length": "answers.max_tokens", "use_uld_loss": "", "teacher_tokenizer_name_or_path": "",
    "teacher_model_name_or_path": "teachers", "teacher_model_revision": "", "teacher_model_init_kwargs": "",
    "remove_unused_columns": "", "seq_kd": "mode", "generation_batch_size": "", "num_generations": "",
}  # fmt: skip
TEACHERS = WithJsonSchema(
    {
        "description": "Models by name, each with its weight, or with its weight and its prompts.",
        "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}],
    }
)


class Teacher(Fields):
    """Whom the student learns from."""

    node: fields.Ref[Model]
    """The model."""
    weight: fields.Share | None = Field(None, gt=0, le=1)
    """Its share of the rows that are learned from; as many as there are when nobody has one."""
    prompts: fields.Ref[Dataset] | None = None
    """What it is asked; `prompts` of the distillation when not given."""


class Answers(Fields):
    """How teachers answer."""

    max_tokens: fields.Integer = Field(256, ge=1)
    """The longest answer; one that has not ended by then is not learned from."""
    temperature: fields.Number = Field(0.0, ge=0)
    """How bold they are; 0 is the likeliest answer."""
    top_p: fields.Share = Field(1.0, gt=0, le=1)
    """Draw from the likeliest pieces that make up this share."""


class DistillationTrain(Train):
    """How the student is trained."""

    batch: fields.Integer = Field(16, ge=1)
    """Rows that each step learns from, over all processes."""


class DistillationSpec(Spec):
    """The fields of a distillation."""

    student: fields.Ref[Model]
    """The model that learns."""
    teachers: Annotated[tuple[Teacher, ...], BeforeValidator(fields.read_named("weight")), TEACHERS] = Field(min_length=1)
    """Whom it learns from: `{big: {weight: 60%, prompts: code}, other: {weight: 40%, prompts: chats}}`."""
    prompts: fields.Ref[Dataset] | None = None
    """What teachers are asked that have no prompts of their own; for `logits` rows with answers."""
    mode: Literal["responses", "logits"] = "responses"
    """Learn what they say, whatever their tokenizers; or how likely the teacher finds each token (one teacher)."""
    method: Literal["lora", "qlora", "dora", "full"] = "full"
    """An adapter (`qlora`: on a student in four bits, `dora`: with magnitudes of its own), or all weights (`full`)."""
    answers: Answers = Answers()
    """How they answer."""
    on_policy: fields.Share = Field(0.0, ge=0, le=1)
    """For `logits`: the share of steps in which the student learns from answers of its own."""
    beta: fields.Number | None = Field(None, ge=0, le=1)
    """For `logits`: from covering all that the teacher may say (0) to saying only what it would (1); 0.5 when not given."""
    context: fields.Integer = Field(1024, ge=8)
    """The longest prompt with its answer, in tokens."""
    lora: Lora = Lora()
    """The adapter."""
    arguments: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    """Values that chat templates take, such as a `date_string`."""
    train: DistillationTrain = DistillationTrain()
    """How the student is trained."""
    engine: Engine
    """Settings of trl's SFTConfig, GKDConfig or GOLDConfig that have no field here."""
    placement: TrainingPlacement = TrainingPlacement()
    """Where and how fast it trains: never part of the key."""


class Distillation(Kind[DistillationSpec]):
    """A student learns from teachers: what a merge of different architectures becomes.

    `responses`: each teacher answers its prompts by its own template, and the student learns the answers: any tokenizers, any
    number of teachers. `logits`: the student learns how likely one teacher finds each token; with GKD where both have one
    tokenizer, with GOLD where both cut bytes.
    """

    name = "distillation"
    section = "distillations"
    Spec = DistillationSpec
    measures = {
        "train.loss": Measure("mean loss of the last tenth of the steps"),
        "test.loss": Measure("loss on what is held out, after the last step"),
        "agreement": Measure("tokens of the teachers' answers that the student would say itself, by weight", "share"),
        "agreement.*": Measure("the same for one teacher by its number, the one with the largest weight first", "share"),
        "answers": Measure("prompts that teachers were asked", "count"),
        "answers.*": Measure("answers that are not learned from: `empty` ones and `endless` ones", "count"),
        "trained_share": Measure("share of tokens that are learned from", "share"),
        "trained_share.*": Measure("share of the tokens of one role that are learned from", "share"),
        "truncated": Measure("share of rows that are cut to the context", "share"),
        "dropped": Measure("rows in which nothing is left to learn from", "count"),
        "tokens_per_second": Measure("tokens that went through the model in a second"),
        "memory_peak": Measure("memory held at most, of the accelerator or else of the machine", "bytes"),
        **MEASURES,
    }
    only_real = ("train.loss", "test.loss", "agreement", "agreement.*", "answers", "answers.*", "tokens_per_second", "mfu")
    harness = (*HARNESS, "answers.py")
    shares = ("asking.py", "bases.py", "chats.py", "counting.py", "preflight.py", "schedules.py", *REHEARSING)

    def rehearsed(self, spec: DistillationSpec) -> tuple[Gate, ...]:
        """As everywhere; of a bounded loss, that it be lower than before the first step."""
        return (*super().rehearsed(spec), *lowered(spec.gates))

    def yields(self, spec: DistillationSpec) -> type[Artifact]:
        """An adapter, or all of the student."""
        return Model if spec.method == "full" else Adapter

    def place(self, path: str) -> str:
        """Teachers and their prompts stand at their numbers."""
        if path == "prompts":
            return "questions"
        parts = path.split(".")
        if parts[0] != "teachers":
            return path.replace(".", "/")
        return f"{'prompts' if parts[-1] == 'prompts' else 'teachers'}/{parts[1]}"

    def twin(self, spec: DistillationSpec) -> DistillationSpec:
        """What a tiny student learns in half a minute; mode, method, teachers and weights stay."""
        small: dict[str, Any] = {"learning_rate": TWIN_RATE, "batch": TWIN_BATCH, "steps": TWIN_STEPS, "epochs": None}
        small |= {"betas": TWIN_BETAS, "schedule": "cosine", "warmup": TWIN_WARMUP, "precision": "bf16", "optimizer": "adamw"}
        few = {"max_tokens": min(spec.answers.max_tokens, TWIN_LONGEST)}
        return spec.model_copy(
            update={
                "context": min(spec.context, 512),
                "answers": spec.answers.model_copy(update=few),
                "train": spec.train.model_copy(update=small),
                "engine": twin_engine(spec.engine),
                "placement": spec.placement.model_copy(update=TWIN_PLACE),
            }
        )

    def facts(self, case: Case[DistillationSpec]) -> Artifact:
        """Those of the student with what was changed in it."""
        student = _model(case, "student")
        if case.spec.method == "full":
            return replace(student, name=None, dtype=case.spec.train.precision, gated=None)
        return adapter_of(student, case.spec.lora, case.spec.method)

    def check(self, case: Case[DistillationSpec]) -> Iterable[Objection]:
        """Teachers, prompts, tokenizers, batch, engine: whatever can be told from facts."""
        if case.twin:
            return  # it was checked at its real size
        spec, student = case.spec, _model(case, "student")
        yield from _teacher_objections(case)
        yield from (_crossing_objections(case) if spec.mode == "logits" else _responses_objections(spec))
        yield from context_objections(student, spec.context, *case.inputs.values())
        yield from placement_objections(spec.placement, spec.train.batch, "train.batch", spec.train.precision)
        yield from estimates.device_objections(spec.placement, spec.train.precision, "train.precision")
        yield from engine_objections(spec.engine, _config(case), owned=OWNED, gpus=spec.placement.gpus)
        if student.quantized:
            says = f"the student is kept as {student.quantized}, and what is trained on it could not be fused into it"
            yield Objection("student", says, "take it in bf16; `method: qlora` makes four bits of it by itself")
        if spec.method != "full":
            yield from adapter_objections(student, spec.lora, spec.method)
        if spec.answers.max_tokens >= spec.context:
            says = f"answers of {spec.answers.max_tokens:,} tokens leave no room for a prompt in {spec.context:,}"
            yield Objection("answers.max_tokens", says, f"`max_tokens: {spec.context // 2}`, or a longer `context`")
        if spec.train.epochs is not None and spec.train.steps is not None:
            yield Objection("train.steps", "`epochs` and `steps` both say how long it trains", "keep one of them")

    def estimate(self, case: Case[DistillationSpec]) -> Estimate:
        """Bytes and arithmetic of the student's run, and what the teachers compute and hold."""
        training = _training(case)
        told = estimates.estimated(training)
        sizes = [arch.parameters(_model(case, f"teachers.{at}.node")) for at in range(len(case.spec.teachers))]
        weights = [arch.weight_bytes(_model(case, f"teachers.{at}.node")) for at in range(len(case.spec.teachers))]
        if told.work is None or training.steps is None or any(each is None for each in (*sizes, *weights)):
            return told
        tokens = training.steps * training.batch * training.row
        mean = sum(each or 0 for each in sizes) / len(sizes)
        largest = max(each or 0 for each in weights)
        work = told.work._replace(flops=told.work.flops + 2 * mean * tokens)
        if case.spec.mode == "responses":  # each token of a batch of answers reads all weights once
            batches = training.steps * training.batch / min(3, case.spec.train.epochs or 3) / WRITTEN_AT_ONCE
            work = work._replace(moved=work.moved + batches * case.spec.answers.max_tokens * max(each or 0 for each in weights))
        memory, wide, gpu = told.memory or 0, told.wide or 0, told.gpu_memory or 0
        widest = max(largest, 4 * max(each or 0 for each in sizes))  # a teacher, where a processor has no bf16
        if case.spec.mode == "logits":  # both are there at once
            return told._replace(work=work, memory=memory + largest, wide=wide + widest, gpu_memory=gpu + largest)
        memory, wide = max(memory, round(1.2e9 + largest)), max(wide, round(1.2e9 + widest))
        return told._replace(work=work, memory=memory, wide=wide, gpu_memory=max(gpu, round(0.6e9 + largest)))

    def lighter(self, case: Case[DistillationSpec]) -> Iterable[tuple[str, DistillationSpec]]:
        """Another placement first, then another recipe."""
        training = _training(case)
        least = estimates.lightest_placement(training)
        changes = [*estimates.lighter_placements(training)]
        if case.spec.method == "full":
            changes += [{"train.optimizer": "adamw-8bit", **least}, {"method": "lora", **least}]
        if case.spec.mode == "logits":
            changes.append({"mode": "responses", **least})
        changes.append({"context": case.spec.context // 2, **least})
        yield from estimates.variants(case.spec, changes)

    def recipe(self, case: Case[DistillationSpec]) -> Recipe:
        """The spec, and what follows from it; teachers by their numbers."""
        spec = case.spec
        teachers = [
            {
                "model": f"in/teachers/{at}",
                "prompts": f"in/prompts/{at}" if each.prompts is not None else "in/questions",
                "weight": each.weight,
            }
            for at, each in enumerate(spec.teachers)
        ]
        return Recipe(
            values={
                "spec": spec,
                "rehearsal": case.twin,
                "responses": spec.mode == "responses",
                "crossing": spec.mode == "logits" and _crosses(case),
                "teachers": teachers,
                "answers": spec.answers,
                "beta": spec.beta if spec.beta is not None else 0.5,
                "adapter": spec.method != "full",
                "quantized": spec.method == "qlora",
                **packages_of(spec.train.optimizer, spec.engine, quantized=spec.method == "qlora"),
                "kept": "bf16" if spec.method == "qlora" else "fp32",
                **values_for(_model(case, "student"), spec.lora),
                "epochs": 3 if spec.train.epochs is None and spec.train.steps is None else spec.train.epochs,
                "learning_rate": spec.train.learning_rate or RATES.get(spec.method, 2e-4),
                "optimizer": OPTIMIZERS[spec.train.optimizer],
                "dtype": spec.train.precision,
            },
            without=frozenset(() if case.twin else REHEARSING),
        )

    def arrangement(self, case: Case[DistillationSpec]) -> Recipe:
        """What accelerate reads, and what the run is expected to hold."""
        told, place = self.estimate(case), case.spec.placement
        files = sharding_files(place, case.spec.train.precision)
        return Recipe(files={**files, **expected_files(told.memory, told.gpu_memory)})

    def resumes(self, spec: DistillationSpec) -> bool:
        """From its newest whole checkpoint; before the first one, with the answers that are written."""
        return True

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Any micro_batch, and any number of gpus and nodes unless the parts of a sharded state would not fit them."""
        return why_not_carried(old, new)


def _model(case: Case[DistillationSpec], field: str) -> Model:
    found = case.inputs[field]
    assert isinstance(found, Model)
    return found


def _crosses(case: Case[DistillationSpec]) -> bool:
    """Whether student and teacher are known to have different tokenizers."""
    student, teacher = _model(case, "student"), _model(case, "teachers.0.node")
    return None not in (student.tokenizer, teacher.tokenizer) and student.tokenizer != teacher.tokenizer


def _config(case: Case[DistillationSpec]) -> str:
    """The settings of trl that its engine is."""
    if case.spec.mode == "responses":
        return "SFTConfig"
    return "GOLDConfig" if _crosses(case) else "GKDConfig"


def _training(case: Case[DistillationSpec]) -> Training:
    """The student's run, as estimates see it."""
    spec, student = case.spec, _model(case, "student")
    told = [facts for _, facts in sorted(case.inputs.items()) if isinstance(facts, Dataset)]
    found = [estimates.rows_of(each, spec.context, packing=False) for each in told]
    counts = [rows for rows, _ in found if rows is not None]
    steps = spec.train.steps
    if steps is None and len(counts) == len(found) and counts:
        steps = estimates.epochs_in_steps(sum(counts), spec.train.epochs or 3, spec.train.batch)
    learned = arch.parameters(student)
    if spec.method != "full":
        learned = parameters_of(student, spec.lora, spec.method, spec.lora.rank)
    kept = {"qlora": 2.0, "full": arch.BYTES[spec.train.precision]}.get(spec.method, 4.0)
    return Training(
        model=student,
        method=spec.method,
        learned=learned,
        context=spec.context,
        batch=spec.train.batch,
        steps=steps,
        row=max((row for _, row in found), default=float(spec.context)),
        optimizer=spec.train.optimizer,
        precision=spec.train.precision,
        placement=spec.placement,
        result=None if learned is None else round(kept * learned),
        logit=COMPARED if spec.mode == "logits" else 0.0,
    )


# --- what is wrong ---


def _teacher_objections(case: Case[DistillationSpec]) -> Iterable[Objection]:
    """Everyone is asked something that asks something, and shares make a whole."""
    spec = case.spec
    given = [each.weight for each in spec.teachers if each.weight is not None]
    if given and len(given) < len(spec.teachers):
        without = next(at for at, each in enumerate(spec.teachers) if each.weight is None)
        yield Objection(f"teachers.{without}", "one teacher has a weight and this one has none", "give each a weight, or none")
    elif given and abs(sum(given) - 1) > 0.005:
        yield Objection("teachers.0.weight", f"the weights make {sum(given):.0%}", "let them make 100%")
    if spec.prompts is not None and all(each.prompts is not None for each in spec.teachers):
        yield Objection("prompts", "every teacher has prompts of its own", "remove `prompts`")
    for at, each in enumerate(spec.teachers):
        field = f"teachers.{at}.prompts" if each.prompts is not None else "prompts"
        data = case.inputs.get(field)
        if not isinstance(data, Dataset):
            says = "nothing says what this teacher is asked"
            yield Objection(f"teachers.{at}", says, "`{weight: 60%, prompts: DATASET}`, or `prompts` for all of them")
        elif data.format is not None and data.format not in ASKED:
            says = f"the dataset holds {data.format}; teachers are asked {', '.join(ASKED[:-1])} or {ASKED[-1]}"
            yield Objection(field, says, "give the dataset another `format`, or `map` its columns")
        elif data.format in ("messages", "questions"):
            for name, model in (
                ("student", _model(case, "student")),
                (f"teachers.{at}.node", _model(case, f"teachers.{at}.node")),
            ):
                if model.template == "":
                    yield Objection(name, "it has no chat template, and is asked chats", SPEAKS)


def _responses_objections(spec: DistillationSpec) -> Iterable[Objection]:
    """What only learning from probabilities has a use for."""
    for name, there in (("on_policy", spec.on_policy > 0), ("beta", spec.beta is not None)):
        if there:
            yield Objection(name, f"`mode: responses` has no use for `{name}`", "remove it, or `mode: logits`")


def _crossing_objections(case: Case[DistillationSpec]) -> Iterable[Objection]:
    """Probabilities can be compared token by token, or not at all."""
    spec, student, teacher = case.spec, _model(case, "student"), _model(case, "teachers.0.node")
    if len(spec.teachers) > 1:
        yield Objection("teachers.1", "`mode: logits` takes one teacher", "`mode: responses` takes any number")
        return
    if "top_p" in spec.answers.model_fields_set:
        yield Objection("answers.top_p", "`mode: logits` has no use for `top_p`", "remove it")
    if not _crosses(case):
        return
    for who, field, model in (("student", "student", student), ("teacher", "teachers.0.node", teacher)):
        if model.form is not None and model.form != "byte-bpe":
            says = f"student and teacher have different tokenizers, and the {who}'s ({model.form}) does not cut bytes"
            yield Objection(field, says, "`mode: responses` works across any tokenizers")
            return
    if spec.on_policy:
        says = "answers of the student's own cannot be laid beside another tokenizer with the teacher's own template"
        yield Objection("on_policy", says, "remove it: the dataset's answers are learned from")
