"""What kinds that train think of a run before it starts: bytes, steps, tokens, arithmetic; and what would make it lighter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from zyc.catalogue import devices
from zyc.craft import arch
from zyc.craft.arch.training import WHOLE, Run, flops, held, moved, state_bytes
from zyc.craft.training import TrainingPlacement
from zyc.gates import Interval
from zyc.kind import Estimate, Objection, Spec, Work
from zyc.quantity import in_bytes, in_share
from zyc.types import Dataset, Model

# tokens that go through at once where the spec says nothing, as placing.py has it
AT_ONCE = {True: 8192, False: 2048}
START = 12.0  # seconds: Python, the engines, the first batch
READING = 1e9  # bytes of weights that are read in a second
COMPILING = 45.0  # seconds that a compiler takes for a model on an accelerator
# seconds that a layer takes an accelerator at least, however few rows go through: forward and backward, a second time, compiled
LAUNCH, RELAUNCH, JOINED = 0.0055, 0.0025, 0.25
STEP = 0.06  # seconds of a step that are the engine's own, beside an accelerator
HOST = 3e9  # bytes of a machine's own memory beside an accelerator's
CHECKPOINTS = 20  # of a run, where nobody says how often, as watching.py has it
AT_A_TIME = 3  # lie on the disk: the two that keeping.py keeps, and the next until it is whole
_OFF = 1.25  # measured memory lies within this factor of what is thought

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Training:
    """One run, as far as memory and time depend on it."""

    model: Model
    method: str  # lora, dora, qlora, full, pretrain
    learned: int | None  # parameters that are trained
    context: int
    batch: int  # rows of a step, over all processes
    steps: int | None
    row: float  # tokens of a row as it goes through, at most `context`
    optimizer: str
    precision: str
    placement: TrainingPlacement
    result: int | None = None  # bytes of what comes out
    together: int = 1  # answers of a row that go through at once
    logit: float = 0.0  # bytes of a logit, where the engine builds those of all tokens
    held_against: bool = False  # the engine loads the base once more

    @property
    def processes(self) -> int:
        """How many share the batch."""
        return self.placement.nodes * (self.placement.gpus or 1)

    def micro(self, *, accelerator: bool) -> int:
        """Rows that go through at once."""
        share = max(1, self.batch // self.processes)
        if self.placement.micro_batch:
            return min(self.placement.micro_batch, share)
        most = max(1, AT_ONCE[accelerator] // self.context)
        return max(each for each in range(1, share + 1) if share % each == 0 and (each <= most or each == 1))

    def checkpointing(self, *, accelerator: bool) -> bool:
        """Whether activations are computed a second time."""
        told = self.placement.activation_checkpointing
        return accelerator if told is None else told

    def run(self, *, accelerator: bool) -> Run | None:
        """What decides how much it holds."""
        if self.learned is None:
            return None
        return Run(
            self.model,
            "full" if self.method == "pretrain" else self.method,
            self.learned,
            self.micro(accelerator=accelerator) * self.context * self.together,
            self.checkpointing(accelerator=accelerator),
            self.optimizer,
            self.precision,
            self.processes,
            self.placement.sharding,
            self.placement.compile,
            WHOLE if self.method == "pretrain" and not self.placement.compile else self.logit,
            self.held_against,
        )

    @property
    def checkpoints(self) -> int:
        """How many lie on the disk at a time: one at least, for whoever stops the run."""
        if self.steps is None:
            return AT_A_TIME
        every = self.placement.checkpoint_every or -(-self.steps // CHECKPOINTS)
        return min(AT_A_TIME, max(1, (self.steps - 1) // every))

    def host(self, count: int) -> int:
        """Bytes of the machine's own memory beside accelerators: each process reads the weights, in 16 bits as far as needed."""
        each = arch.BYTES.get(self.precision, 2.0) * count / 4
        if self.method in ("full", "pretrain"):  # widened to fp32, which no file can be mapped for
            each = 4.0 * count * (2 if self.held_against else 1)
        return round(HOST + each * (self.placement.gpus or 1))

    def launched(self, steps: int, layers: int) -> float:
        """Seconds that an accelerator takes at least, however small what goes through at once is."""
        pieces = -(-self.batch // (self.processes * self.micro(accelerator=True)))
        layer = (LAUNCH + (RELAUNCH if self.checkpointing(accelerator=True) else 0)) * (JOINED if self.placement.compile else 1)
        return steps * (pieces * layers * layer + (STEP if self.method != "pretrain" else 0.0))


def epochs_in_steps(rows: float, epochs: float, batch: int) -> int:
    """How many steps so many epochs are."""
    return max(1, round(rows * epochs / batch))


def rows_of(data: Dataset, context: int, *, packing: bool) -> tuple[float | None, float]:
    """The rows that are trained on, and the tokens of each as it goes through; all of the context where nobody knows."""
    held_out = 1 - (data.test or 0.0)
    tokens = None if data.tokens is None else data.tokens * held_out
    rows = None if data.rows is None else data.rows * held_out
    if packing:
        return (None if tokens is None else max(1.0, tokens / context)), float(context)
    mean = tokens / rows if tokens is not None and rows else float(context)
    return rows, min(float(context), max(1.0, mean))


def estimated(training: Training) -> Estimate:
    """All that arithmetic says of a run."""
    there, here = (training.run(accelerator=each) for each in (True, False))
    count = arch.parameters(training.model)
    if there is None or here is None or count is None:
        return Estimate()
    on_gpu, on_cpu = held(there, accelerator=True), held(here, accelerator=False)
    plain = held(here, accelerator=False, native=False)
    assert on_gpu is not None
    assert on_cpu is not None
    assert plain is not None
    measures = [("memory_peak", _around(on_gpu.total, on_cpu.total, plain.total))]
    work = None
    if training.steps is not None:
        tokens = training.steps * training.batch * training.row
        computed = flops(there, tokens)
        assert computed is not None
        weights = arch.BYTES.get(training.precision, 2.0) * count
        whole = count if training.method in ("full", "pretrain") else count + there.learned
        words = f"{training.steps:,} steps, about {_millions(tokens)} tokens; {there.learned:,} parameters learn"
        words += f", {in_share(there.learned / whole)} of them" if whole != there.learned else ""
        use = training.method if training.method in ("qlora", "full", "pretrain") else "lora"
        besides = START + weights / READING + (COMPILING if training.placement.compile else 0.0)
        least = training.launched(training.steps, there.model.layers or 0)
        across = moved(there, tokens)
        host = training.host(count)
        work = Work(computed, use, training.precision, across, besides, host, training.processes, words, least)
    result = in_bytes(training.result) if training.result is not None else ""
    return Estimate(
        memory=on_cpu.total,
        gpu_memory=on_gpu.total,
        disk=training.result,
        result=result,
        measures=tuple(measures),
        work=work,
        wide=plain.total,
        scratch=round(training.checkpoints * state_bytes(there)),
    )


def _around(*totals: int) -> Interval:
    return Interval(min(totals) / _OFF, max(totals) * _OFF, f"{in_bytes(max(totals))} by arithmetic")


def _millions(count: float) -> str:
    for size, word in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if count >= 0.1 * size:
            return f"{count / size:.2g} {word}"
    return f"{count:,.0f}"


# --- lighter variants ---


def variants(spec: S, changes: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, S]]:
    """A spec with other values in some of its fields, each with the words that one would write."""
    for change in changes:
        yield words_of(change), changed(spec, change)


def changed(model: Any, change: Mapping[str, object]) -> Any:
    """The same group of fields with other values at dotted paths."""
    update: dict[str, object] = {}
    inner: dict[str, dict[str, object]] = {}
    for path, value in change.items():
        head, dot, rest = path.partition(".")
        if dot:
            inner.setdefault(head, {})[rest] = value
        else:
            update[head] = value
    for head, below in inner.items():
        group = getattr(model, head)
        assert isinstance(group, BaseModel)
        update[head] = changed(group, below)
    return model.model_copy(update=update)


def words_of(change: Mapping[str, object]) -> str:
    """`method: qlora, placement: {micro_batch: 1}`, as a spec says it."""
    plain = {path: value for path, value in change.items() if "." not in path}
    groups: dict[str, dict[str, object]] = {}
    for path, value in change.items():
        head, dot, rest = path.partition(".")
        if dot:
            groups.setdefault(head, {})[rest] = value
    told = [f"{name}: {_word(value)}" for name, value in plain.items()]
    for head, below in groups.items():
        told.append(f"{head}: {{{', '.join(f'{name}: {_word(value)}' for name, value in below.items())}}}")
    return ", ".join(told)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def lighter_placements(training: Training) -> Iterator[dict[str, object]]:
    """Other placements, which change nothing of the result: the largest pieces that are smaller, then checkpointing."""
    micro = training.micro(accelerator=True)
    share = max(1, training.batch // training.processes)
    smaller = [each for each in range(micro - 1, 0, -1) if share % each == 0]
    for each in smaller:
        yield {"placement.micro_batch": each}
    if not training.checkpointing(accelerator=True):
        yield {"placement.activation_checkpointing": True}
        for each in smaller:
            yield {"placement.activation_checkpointing": True, "placement.micro_batch": each}


def lightest_placement(training: Training) -> dict[str, object]:
    """The placement that needs least: what other changes are told on top of."""
    told: dict[str, object] = {}
    if not training.checkpointing(accelerator=True):
        told["placement.activation_checkpointing"] = True
    if training.micro(accelerator=True) > 1:
        told["placement.micro_batch"] = 1
    return told


def shared_out(training: Training) -> Iterator[dict[str, object]]:
    """The same run on more accelerators that share the model."""
    for gpus in (2, 4, 8):
        if gpus > (training.placement.gpus or 1) and training.batch % gpus == 0:
            yield {**lightest_placement(training), "placement.gpus": gpus, "placement.sharding": "fsdp2"}


# --- what is checked of a named device ---


def device_objections(place: TrainingPlacement, precision: str, field: str) -> Iterator[Objection]:
    """The class of machine that a run is planned for can compute in its precision."""
    if place.device is None:
        return
    device = devices.device(place.device)
    if precision in device.peak or not device.accelerator:
        return
    instead = device.precision(precision)
    article = "an" if device.says[0] in "AEH" else "a"
    help_ = f"`precision: {instead}` trains there, and is another recipe, with a key of its own"
    wheels = f"; {device.wheels}" if device.wheels else ""
    yield Objection(field, f"{article} {device.says} has no {precision}", help_ + wheels)
