"""What a plan thinks of training on an accelerator, held against what an H200 measured of the rendered scripts."""

import pytest

from zyc.catalogue import devices
from zyc.craft import arch
from zyc.craft.estimates import Training, estimated
from zyc.craft.training import TrainingPlacement
from zyc.planning import offers
from zyc.types import Model


def llama(layers, width, mlp, heads, kv_heads, vocabulary, *, tied=False):
    """The shape of a llama."""
    return Model(
        family="llama", layers=layers, width=width, mlp=mlp, heads=heads, kv_heads=kv_heads, head_size=width // heads,
        vocabulary=vocabulary, context=4096, tied=tied, dtype="bf16", quantized="",
    )  # fmt: skip


NANO = llama(8, 512, 1536, 8, 8, 4513)
SMALL = llama(12, 768, 2048, 12, 12, 50304, tied=True)
ONE = llama(16, 2048, 8192, 32, 8, 128256, tied=True)
EIGHT = llama(32, 4096, 14336, 32, 8, 128256)
KEPT = {"activation_checkpointing": False}
RANK_16 = 41_943_040
# name: model, method, rows of a step, tokens of a row, context, placement; tokens a second and bytes that were measured
RUNS = {
    "32M, 64 rows": (NANO, "pretrain", 256, 512, 512, {"micro_batch": 64}, 449_323, 5.24e9),
    "32M, rows of 77 tokens": (NANO, "full", 32, 2454 / 32, 512, {"micro_batch": 32}, 19_623, None),  # shorter rows hold less
    "124M compiled": (SMALL, "pretrain", 32, 1024, 1024, {"micro_batch": 32, "compile": True}, 344_463, 6.3e9),
    "124M kept": (SMALL, "pretrain", 32, 1024, 1024, {"micro_batch": 32, **KEPT}, 229_381, 38.6e9),
    "124M compiled, kept": (SMALL, "pretrain", 32, 1024, 1024, {"micro_batch": 32, "compile": True, **KEPT}, 421_627, 16.2e9),
    "1B kept": (ONE, "pretrain", 4, 2048, 2048, {"micro_batch": 4, **KEPT}, 45_975, 47.1e9),
    "1B compiled, kept": (ONE, "pretrain", 8, 2048, 2048, {"micro_batch": 8, "compile": True, **KEPT}, 60_432, 46.0e9),
    "8B LoRA": (EIGHT, "lora", 2, 4096, 4096, {"micro_batch": 1}, 5_945, 19.4e9),
    "8B QLoRA, kept": (EIGHT, "qlora", 2, 4096, 4096, {"micro_batch": 1, **KEPT}, 8_800, 33.4e9),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_plan_tells_what_an_accelerator_measured(name):
    """Speed and memory lie within a quarter of what was seen, from rows that a GPU waits for to those that it works through."""
    model, method, batch, row, context, place, speed, memory = RUNS[name]
    learned = RANK_16 if "lora" in method else arch.parameters(model)
    told = estimated(Training(model, method, learned, context, batch, 100, row, "adamw", "bf16", TrainingPlacement(**place)))
    seconds = offers.seconds_on(told.work, devices.device("h200")) - told.work.besides
    assert 100 * batch * row / seconds == pytest.approx(speed, rel=0.25)
    if memory is not None:
        assert told.gpu_memory == pytest.approx(memory, rel=0.25)
