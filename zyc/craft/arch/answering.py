"""What answering takes: memory beside weights, seconds for a prompt and an answer, what two models differ in; pure arithmetic."""

from __future__ import annotations

import math

from zyc.craft import arch
from zyc.types import Model

# facts that have to agree before weights can be averaged, in the order in which one would look
MERGED = ("family", "layers", "width", "mlp", "heads", "kv_heads", "head_size", "vocabulary", "tied")


def memory(model: Model, weights: int, context: int) -> int | None:
    """Bytes while a model of so many bytes of weights answers: those, its cache, and what lies between layers."""
    cache, buffer = arch.cache_bytes(model, context), arch.compute_buffer_bytes(model)
    return None if cache is None or buffer is None else weights + cache + buffer


def tokens_per_second(weights: int, bandwidth: float) -> float:
    """At most: every token needs every weight once."""
    return bandwidth / weights if weights else math.inf


def seconds(model: Model, weights: int, prompt: int, new: int, *, bandwidth: float, flops: float) -> float | None:
    """A prompt read at the speed of arithmetic, an answer written at the speed of memory."""
    count = arch.parameters(model)
    return None if count is None else new * weights / bandwidth + prompt * 2 * count / flops


def differences(one: Model, other: Model) -> tuple[tuple[str, object, object], ...]:
    """The facts that keep two models from being averaged: name, and what each has; facts that are not known are left out."""
    told = ((name, getattr(one, name), getattr(other, name)) for name in MERGED)
    return tuple((name, here, there) for name, here, there in told if None not in (here, there) and here != there)


def bits_per_byte(loss: float, tokens: int, size: int) -> float:
    """A loss in nats a token as bits a byte of text: what models with different tokenizers can be compared by."""
    return loss / math.log(2) * tokens / size
