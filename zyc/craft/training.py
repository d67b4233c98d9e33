"""What kinds that train share: how a run is placed, which settings pass through to the engine, what is checked of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft.engines import OWNED, SETTINGS
from zyc.errors import nearest
from zyc.fields import is_null
from zyc.gates import CHANCE, Gate
from zyc.kind import Fields, Measure, Objection, Placement
from zyc.types import Artifact, Dataset, Model

# harness modules that every script of ours that trains imports
HARNESS = ("failing.py", "keeping.py", "launch.py", "peaks.py", "placing.py", "telling.py", "training_report.py", "watching.py")

Schedule = Literal["cosine", "linear", "constant", "wsd"]
Precision = Literal["bf16", "fp16", "fp32"]
Optimizer = Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "adafactor", "sgd"]
Sharding = Literal["none", "ddp", "fsdp2", "zero2", "zero3"]

OPTIMIZERS: Mapping[str, str] = {  # as transformers calls them
    "adamw": "adamw_torch_fused",
    "adamw-8bit": "adamw_8bit",
    "paged-adamw-8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}
ACCELERATED = ("use_liger_kernel", "tf32")  # settings of the engine that no CPU has
TWIN_BATCH, TWIN_STEPS, TWIN_WARMUP, TWIN_BETAS = 16, 200, 0.05, (0.9, 0.98)
TWIN_RATE, TWIN_RATE_WHOLE = 2e-3, 1.5e-3  # of an adapter, and of all weights: twice as fast, they unlearn how to copy
REHEARSING = ("rehearsing.py", "signed_ranks.py")  # shared modules that only the script of a twin imports
TWIN_LONG = 800  # steps of one whose weights all move: it has a base that has learnt no answers yet


class Trackers(Fields):
    """Where the numbers of a run go besides the step's own folder; log in once (`wandb login`), no key belongs in a spec."""

    wandb: fields.Text | None = None
    """A project of Weights & Biases."""
    mlflow: fields.Text | None = None
    """An experiment of MLflow; a database below `tracking/`, unless MLFLOW_TRACKING_URI says where."""
    tensorboard: fields.Flag = False
    """Event files for TensorBoard, below `tracking/`."""
    trackio: fields.Text | None = None
    """A project of trackio."""


class TrainingPlacement(Placement):
    """Where and how fast a node trains: never part of its key."""

    gpus: fields.Integer | None = Field(None, ge=0, le=1024)  # type: ignore[assignment]
    """Accelerators, on each node; one if there is any when not given. `0` trains on the CPU."""
    device: fields.Device | None = None
    """The class of machine that it is planned for, such as `a100-40`; this machine when not given."""
    nodes: fields.Integer = Field(1, ge=1, le=4096)
    """Machines. `bash run.sh` is started on each, with MASTER_ADDR and NODE_RANK set."""
    sharding: Sharding = "none"
    """How several accelerators share the model: each holds all of it (`ddp`), or a part (`fsdp2`, `zero2`, `zero3`)."""
    micro_batch: fields.Integer | None = Field(None, ge=1)
    """Rows that go through the model at once; the batch is what the spec says whatever this is. Chosen when not given."""
    activation_checkpointing: fields.Flag | None = None
    """Compute activations a second time rather than keep them: less memory, a third slower; on accelerators when not given."""
    attention: Literal["sdpa", "eager", "flash_attention_2", "flex_attention"] = "sdpa"
    """The attention of the engine."""
    compile: fields.Flag = False
    """Compile the model first: faster on long runs with rows of one length."""
    checkpoint_every: fields.Integer | None = Field(None, ge=1)
    """Steps from one checkpoint to the next; when not given, twenty in a run, unless less than half a minute would be lost."""
    workers: fields.Integer = Field(0, ge=0, le=256)
    """Processes that prepare batches beside the one that trains."""
    trackers: Trackers = Trackers()
    """Where its numbers go besides the step's own folder."""


class EarlyStop(Fields):
    """Stop when the test loss falls no further, and keep the step at which it was lowest."""

    patience: fields.Integer = Field(2, ge=1)
    """How many tests in a row may bring nothing."""
    least: fields.Number = Field(0.0, ge=0)
    """What counts as falling."""


class Train(Fields):
    """How it is trained."""

    epochs: fields.Number | None = Field(None, gt=0)
    """How often each row is seen; 3 when neither this nor `steps` is given."""
    steps: fields.Integer | None = Field(None, ge=1)
    """How many batches are seen, in place of `epochs`."""
    batch: fields.Integer = Field(16, ge=1)
    """Rows that each step learns from, over all processes; packed ones where `packing` is on."""
    learning_rate: fields.Number | None = Field(None, gt=0)
    """The highest rate of the schedule; 2e-4 for adapters and 2e-5 for `full` when not given."""
    schedule: Schedule = "cosine"
    """How the rate falls: by a cosine, a line, not at all, or only in the last fifth (`wsd`)."""
    warmup: fields.Share = Field(0.03, ge=0, le=0.5)
    """The share of steps in which the rate rises."""
    precision: Precision = "bf16"
    """What is computed in; `fp16` for accelerators without bf16."""
    seed: fields.Integer = Field(0, ge=0)
    """Which order the rows come in, where the adapter starts, what dropout leaves out."""
    optimizer: Optimizer = "adamw"
    """What turns gradients into steps."""
    betas: tuple[fields.Number, fields.Number] = (0.9, 0.999)
    """How long the optimizer remembers gradients and their squares."""
    weight_decay: fields.Number = Field(0.0, ge=0)
    """How much weights shrink by themselves."""
    clip: fields.Number = Field(1.0, ge=0)
    """The longest gradient; 0 for no bound."""
    tests: fields.Integer = Field(4, ge=1)
    """How often the test loss is measured, the last time after the last step."""
    early_stop: EarlyStop | None = None
    """Stop before the last step when the test loss falls no further."""


# what a twin changes of it: one process on the CPU, and nothing that only long runs need
TWIN_PLACE: Mapping[str, object] = {
    "gpus": 0, "nodes": 1, "sharding": "none", "micro_batch": None, "compile": False, "attention": "sdpa", "workers": 0,
    "activation_checkpointing": False, "checkpoint_every": None, "trackers": Trackers(), "device": None,
}  # fmt: skip


# --- settings that pass through to the engine ---

_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")


def _plain(value: object) -> object:
    """What a scalar of YAML 1.2 says by itself: the engine's own settings have no field that would know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_plain(each) for each in value)
    if is_null(value):
        return None
    if not isinstance(value, str) or not getattr(value, "plain", False):
        return str(value) if isinstance(value, str) else value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if _NUMBER.fullmatch(value):
        digits = value.replace("_", "")
        return int(digits) if re.fullmatch(r"[-+]?\d+", digits) else float(digits)
    return str(value)


Engine = Annotated[dict[fields.Text, Annotated[Any, BeforeValidator(_plain)]], Field(default_factory=dict)]

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "bool": bool, "int": int, "float": (int, float), "str": str, "dict": Mapping, "list": tuple, "None": type(None),
}  # fmt: skip


def packages_of(optimizer: str, engine: Mapping[str, object], *, quantized: bool) -> dict[str, bool]:
    """What a script names among its packages beside those that it always needs."""
    return {"bitsandbytes": quantized or "8bit" in optimizer, "liger": bool(engine.get("use_liger_kernel"))}


def twin_engine(engine: Mapping[str, object]) -> dict[str, object]:
    """The same without what a CPU has not."""
    return {name: value for name, value in engine.items() if name not in ACCELERATED}


def engine_objections(
    engine: Mapping[str, object], *configs: str, owned: Mapping[str, str] | None = None, gpus: int | None = None
) -> Iterator[Objection]:
    """Names and types are held against the pinned engine's; what zyc has a field for is not said twice."""
    fields_of = {**OWNED, **(owned or {})}
    known = {name: words for config in configs for name, words in SETTINGS[config].items()}
    for name, value in engine.items():
        at = f"engine.{name}"
        if name in fields_of:
            where = fields_of[name]
            says = f"`{name}` is set by zyc"
            yield Objection(at, says, f"write `{where}` instead" if where else "it follows from the rest of the spec: remove it")
        elif name not in known:
            close = nearest(name, known)
            says = f"{' and '.join(configs)} has no setting `{name}`"
            yield Objection(at, says, f"did you mean `{close}`?" if close else "the docs of trl list its settings")
        elif not fits(value, known[name]):
            yield Objection(at, f"`{name}` is {known[name]} in {' and '.join(configs)}, not `{value}`", "")
        elif name in ACCELERATED and value and gpus == 0:
            yield Objection(at, f"`{name}` needs an accelerator, and `placement.gpus` is 0", "remove one of them")


def fits(value: object, words: str) -> bool:
    """Whether a value is of a type that is written as `float | None`."""
    for word in (each.strip() for each in words.split("|")):
        kinds = _TYPES.get(word)
        if kinds is None:
            return True  # a type of the engine's own: only the engine can tell
        if isinstance(value, kinds) and (word == "bool" or not isinstance(value, bool)):
            return True
    return False


# --- what is checked of every run ---


def placement_objections(place: TrainingPlacement, batch: int, field: str, precision: str) -> Iterator[Objection]:
    """The batch can be cut as the placement asks, and what is placed on a CPU can run there."""
    world = place.nodes * (place.gpus or 1)
    if batch % world:
        says = f"a batch of {batch} cannot be shared by {world} processes"
        yield Objection(
            field, says, f"`{batch - batch % world or world}` can be, or change `placement.gpus` or `placement.nodes`"
        )
    elif place.micro_batch and (batch // world) % place.micro_batch:
        share = batch // world
        near = max(each for each in range(1, min(place.micro_batch, share) + 1) if share % each == 0)
        says = f"{share} rows in each process are no multiple of {place.micro_batch}"
        yield Objection("placement.micro_batch", says, f"`micro_batch: {near}` divides them")
    if place.gpus == 0 and precision == "fp16":
        says = "fp16 cannot be trained on a CPU: its loss scaling needs an accelerator"
        yield Objection("placement.gpus", says, "`precision: bf16` trains on both; leave `gpus` out to use an accelerator")
    if place.gpus == 0 and place.sharding not in ("none", "ddp"):
        yield Objection(
            "placement.sharding", f"`{place.sharding}` shares a model among accelerators, and `gpus` is 0", "remove it"
        )


def data_objections(data: Dataset, field: str, wanted: tuple[str, ...], what: str) -> Iterator[Objection]:
    """The rows of a dataset are of a format that can be trained on so."""
    if data.format is not None and data.format not in wanted:
        says = f"the dataset holds {data.format}; {what} takes {', '.join(wanted[:-1])} or {wanted[-1]}"
        help_ = {
            "preference": "train it in `alignments` with `method: dpo`, or give the dataset another `format`",
            "unpaired": "train it in `alignments` with `method: kto`, or give the dataset another `format`",
        }.get(data.format, "give the dataset another `format`, or `map` its columns")
        yield Objection(field, says, help_)


def context_objections(model: Model, context: int, *data: Artifact) -> Iterator[Objection]:
    """No row is longer than what the model can see, and what prompts put before a chat leaves room for it."""
    if model.context is not None and context > model.context:
        yield Objection("context", f"the base sees {model.context:,} tokens, not {context:,}", f"`context: {model.context}`")
    for each in data:
        if isinstance(each, Dataset):
            yield from _cut(each, context)


def _cut(data: Dataset, context: int) -> Iterator[Objection]:
    """A chat under its prompt, as a mean, is no longer than the context."""
    before = data.prompted
    if not before:
        return
    mean = round(data.tokens / data.rows) if data.tokens and data.rows else 0
    if max(mean, before + 1) > context:
        says = f"the prompts of the dataset put up to {before:,} tokens before each question"
        says += f", and a chat has about {mean:,}" if mean > before else ""
        near = 1 << max(mean, before + 1).bit_length()
        help_ = f"`context: {near}`, or fewer or shorter passages: `top` and `chunk` of the index"
        yield Objection("context", f"{says}; answers are cut off at {context:,}", help_)


# --- files of placement/ ---

_FSDP2 = """# How accelerate shares the model among processes: each holds a part of every layer, and gathers it when it is needed.
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config:
  fsdp_version: 2
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_reshard_after_forward: true
  fsdp_state_dict_type: FULL_STATE_DICT
  fsdp_cpu_ram_efficient_loading: false
  fsdp_offload_params: false
"""
_ZERO = """# How accelerate hands the run to DeepSpeed, which reads the file beside this one.
compute_environment: LOCAL_MACHINE
distributed_type: DEEPSPEED
deepspeed_config:
  deepspeed_config_file: placement/{name}.json
  zero3_init_flag: {init}
  deepspeed_multinode_launcher: standard
"""


def sharding_files(place: TrainingPlacement, precision: str) -> dict[str, str]:
    """What accelerate reads when the processes share the model."""
    if place.sharding == "fsdp2":
        mixed = {"bf16": "bf16", "fp16": "fp16"}.get(precision, "no")
        return {"fsdp2.yml": f"{_FSDP2}mixed_precision: {json.dumps(mixed)}\nuse_cpu: {json.dumps(place.gpus == 0)}\n"}
    if place.sharding not in ("zero2", "zero3"):
        return {}
    stage = int(place.sharding[-1])
    zero: dict[str, Any] = {"stage": stage, "overlap_comm": True, "contiguous_gradients": True}
    if stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    told = {
        "zero_optimization": zero,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        "gradient_accumulation_steps": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
    }
    return {
        f"{place.sharding}.yml": _ZERO.format(name=place.sharding, init=json.dumps(stage == 3)),
        f"{place.sharding}.json": json.dumps(told, indent=2) + "\n",
    }


def expected_files(memory: int | None, gpu_memory: int | None) -> dict[str, str]:
    """What the run was expected to hold: said again when it was not enough."""
    told = {name: value for name, value in (("memory", memory), ("gpu_memory", gpu_memory)) if value is not None}
    return {"expected.json": json.dumps(told, indent=2) + "\n"} if told else {}


def why_not_carried(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why a state cannot go on under another placement: the parts of a sharded one fit no other number of processes."""
    before, after = old.get("sharding") or "none", new.get("sharding") or "none"
    alike = {"none", "ddp"}
    if before != after and not {before, after} <= alike:
        return f"its state was left by `sharding: {before}`, and `placement.sharding` is {after} now"
    count = [(each.get("nodes") or 1) * (each.get("gpus") or 1) for each in (old, new)]
    if before not in alike and count[0] != count[1]:
        return f"its state is in {count[0]} parts, and there are {count[1]} processes now"
    return ""


MEASURES: Mapping[str, Measure] = {  # of every training
    "mfu": Measure("share of the arithmetic that the accelerators could do: what learning itself takes", "share"),
    "untrained.*.loss": Measure("in a twin: what the same rows cost before the first step, of `train` or `test`"),
    "untrained.*.p": Measure("in a twin: how likely it is by chance that they cost less now: Wilcoxon's signed-rank test"),
}
_LOSSES = re.compile(r"(train|test)\.(?:loss|bits_per_byte)")


def lowered(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """What is asked of a twin where a loss is bounded: that the same rows cost it less than before its first step."""
    told: dict[str, Gate] = {}
    for gate in gates:
        if (of := _LOSSES.fullmatch(gate.measure)) and gate.sign in ("<", "<=") and not gate.against:
            told.setdefault(of[1], Gate(f"untrained.{of[1]}.p", "<", CHANCE, line=gate.line))
    return tuple(told.values())
