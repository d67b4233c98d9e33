"""What training a model holds and computes: bytes by their purpose, floating point operations; pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from zyc.craft import arch
from zyc.types import Model

CHUNK = 256  # tokens whose logits are there at once
WHOLE = 14.0  # bytes of a logit where all are there at once: in 16 bits, in 32, what the loss keeps, and both gradients
COMPARED = 50.0  # the same of two models side by side: what trl's GKDTrainer makes of them one after the other, not measured
BETWEEN = 1000.0  # bytes that move between matrices, for each token, layer and unit of width: forward, and backward
AGAIN = 900.0  # the same for a layer that is computed a second time
ADAPTED = 1.3  # times as much with adapters beside the matrices
FUSED = 0.25  # of it, where a compiler joins what stands between matrices
SCORED = 40.0  # bytes that move for each logit of a token, where none are joined
UNPACKED = 5.0  # bytes that move for each weight of 4 bits, each time that it is needed
CUDA = 0.6e9  # what an accelerator holds before anything is loaded
ENGINE = 1.2e9  # what the engines hold of a machine's memory
SLACK = 1.05
# bytes of a parameter that is trained: its own, its gradient's, its optimizer's; by what it is kept in
STATE: Mapping[str, Mapping[str, float]] = {
    "adamw": {"fp32": 16, "bf16": 8},
    "adamw-8bit": {"fp32": 10, "bf16": 6},
    "paged-adamw-8bit": {"fp32": 8, "bf16": 4},  # its state moves to the machine's memory
    "adafactor": {"fp32": 8.1, "bf16": 4.1},
    "sgd": {"fp32": 8, "bf16": 4},
}
CAST = 2  # bytes a parameter: the copy in 16 bits that is computed with, where all of an fp32 model is trained


class Run(NamedTuple):
    """What decides how much a training run holds."""

    model: Model
    method: str  # lora, dora, qlora, or full
    learned: int  # parameters that are trained
    at_once: int  # tokens that go through the model together
    checkpointing: bool = False
    optimizer: str = "adamw"
    precision: str = "bf16"
    processes: int = 1  # that share what is sharded
    sharding: str = "none"
    compiled: bool = False
    logit: float = 0.0  # bytes of a logit, where those of all tokens are there at once
    held_against: bool = False  # the model as it was stays beside it, in fp32

    @property
    def kept(self) -> str:
        """What the trained parameters are kept in: adapters of 4-bit models that compute in bf16 are, all else is in fp32."""
        return "bf16" if self.method == "qlora" and self.precision == "bf16" else "fp32"


class Held(NamedTuple):
    """Bytes on one device, by purpose."""

    weights: float
    state: float
    activations: float
    logits: float
    besides: float

    @property
    def total(self) -> int:
        """All of them, with what no sum knows."""
        return round(SLACK * sum(self))


def held(run: Run, *, accelerator: bool, native: bool = True) -> Held | None:
    """What one process of a run holds; None while the shape is not known. A processor that is not `native` has no bf16."""
    told, count = arch.shape(run.model), arch.parameters(run.model)
    if told is None or count is None:
        return None
    shared = run.processes if run.sharding in {"fsdp2", "zero3"} else 1
    stated = run.processes if run.sharding in {"fsdp2", "zero2", "zero3"} else 1
    widened = run.precision == "bf16" and not accelerator and not native  # as placing.py has it: then fp32 is computed in
    state = STATE[run.optimizer]["fp32" if widened else run.kept] * run.learned
    if run.method == "full":
        # of the state 4 bytes are the parameters themselves, which zero2 does not share out
        weights = (4.0 + (CAST if run.precision != "fp32" and not widened else 0)) * count / shared
        state = (STATE[run.optimizer]["fp32"] - 4) * count / stated
    elif run.method == "qlora":
        weights = float(arch.four_bit_bytes(run.model) or 0) + (2.0 * (count - arch.linear_values(run.model)) if widened else 0.0)
    else:
        weights = (4.0 if widened else arch.BYTES[run.precision]) * count / shared
    weights += 4.0 * count / shared if run.held_against else 0.0
    size = 2 if run.precision != "fp32" and accelerator else 4  # most processors would only imitate 16 bits
    activations = size / 2 * activation_bytes(told, run.at_once, checkpointing=run.checkpointing)
    logits = told.vocabulary * (run.logit * run.at_once if run.logit else 10.0 * min(CHUNK, run.at_once))
    unpacked = 2.0 * told.width * told.mlp if run.method == "qlora" else 0.0
    return Held(weights, state, activations, logits, unpacked + (CUDA if accelerator else ENGINE))


def activation_bytes(told: arch.Shape, tokens: int, *, checkpointing: bool) -> float:
    """What is kept between forward and backward, in 16 bits: inputs of layers, or all that is inside them."""
    if checkpointing:
        return 2.0 * tokens * told.width * told.layers + 2.0 * tokens * (12 * told.width + 5 * told.mlp)
    return 2.0 * tokens * told.layers * (10 * told.width + 2 * told.kv_heads * told.head_size + 4 * told.mlp)


def flops(run: Run, tokens: float) -> float | None:
    """Forward and backward over so many tokens; a checkpointed layer is computed twice."""
    count = arch.parameters(run.model)
    if count is None:
        return None
    times = 6 if run.method == "full" else 4
    return tokens * (times + (2 if run.checkpointing else 0)) * count


def moved(run: Run, tokens: float) -> float:
    """Bytes through the memory of an accelerator for so many tokens, beside what products of matrices read."""
    told = arch.shape(run.model)
    if told is None:
        return 0.0
    layer = BETWEEN + (AGAIN if run.checkpointing else 0.0)
    layer *= (1.0 if run.method == "full" else ADAPTED) * (FUSED if run.compiled else 1.0)
    unpacked = UNPACKED * (3 if run.checkpointing else 2) * (arch.parameters(run.model) or 0) if run.method == "qlora" else 0.0
    logits = 0.0 if run.compiled else SCORED * told.vocabulary
    return tokens * (layer * told.layers * told.width + logits + unpacked / run.at_once)


def state_bytes(run: Run) -> float:
    """What a checkpoint of the run takes on a disk: what is trained and its optimizer's state, without gradients."""
    optimizer = "adamw-8bit" if run.optimizer == "paged-adamw-8bit" else run.optimizer  # on a disk nothing is paged
    return (STATE[optimizer][run.kept] - (4 if run.kept == "fp32" else 2)) * run.learned
