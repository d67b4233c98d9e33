"""What the kinds of an evaluation share: who is asked under which prompt, which engine answers, and what that takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zyc.catalogue import devices
from zyc.craft import arch
from zyc.craft.arch import answering
from zyc.gates import Interval
from zyc.kind import Measure, Objection, Work
from zyc.quantity import in_bytes
from zyc.types import Adapter, Artifact, Gguf, Model, Onnx, Prompt, model_of

ENGINES: dict[type[Artifact], str] = {Gguf: "llama.cpp", Model: "transformers", Onnx: "onnxruntime"}
BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
OWN = 900_000_000  # bytes that an engine and its libraries may hold beside the model
ASKED = 60  # tokens of a question of a person
REACHED = 0.5  # the share of what a memory gives at best that decoding reached where it was slowest


def engine(model: Artifact | None) -> str:
    """What answers for this type of model; empty when nothing here does."""
    return next((name for kind, name in ENGINES.items() if isinstance(model, kind)), "")


def unused(*models: Artifact | None) -> frozenset[str]:
    """The shared modules that no engine of these models needs."""
    return frozenset() if any(isinstance(each, Onnx) for each in models) else frozenset({"onnx_session.py"})


def unanswering(field: str, model: Artifact | None) -> Iterable[Objection]:
    """Why this cannot be asked anything."""
    if model is None or engine(model):
        return
    if isinstance(model, Adapter):
        says = "an adapter does not answer by itself"
        yield Objection(field, says, "name the model that it is fused into: the same name with `.fused`, or `.fused.gguf`")
        return
    says = f"nothing here answers for {model.says}"
    yield Objection(field, says, "take a model, a GGUF or an ONNX model")


def shape_of(model: Artifact | None) -> Model:
    """The facts of the model, whatever its format."""
    if isinstance(model, Model):
        return model
    base = getattr(model, "base", None)
    return model_of(base) if base else Model()


def weights(model: Artifact | None) -> int | None:
    """Bytes of its weights as they are in memory."""
    if isinstance(model, Gguf | Onnx):
        from zyc.craft.arch import gguf

        exact = gguf.tensor_bytes(shape_of(model), model.type) if isinstance(model, Gguf) and model.type in gguf.TYPES else None
        return exact or model.bytes
    return arch.weight_bytes(model, model.dtype or "bf16") if isinstance(model, Model) else None


def memory(model: Artifact | None, context: int) -> Interval | None:
    """Bytes while it answers, with the sum."""
    size, shape = weights(model), shape_of(model)
    cache = arch.cache_bytes(shape, context)
    told = answering.memory(shape, size, context) if size is not None else None
    if size is None or cache is None or told is None:
        return None
    buffer = told - size - cache
    sum_ = f"{in_bytes(size)} of weights, {in_bytes(cache)} of cache at {context:,} tokens, {in_bytes(buffer)} between layers"
    return Interval(told, told + OWN, sum_)


def speeds(model: Artifact | None, on: str, prompt: int, new: int) -> tuple[tuple[str, Interval], ...]:
    """What a class of machines can reach: seconds for an answer and for its first token, tokens a second."""
    size, shape, device = weights(model), shape_of(model), devices.device(on)
    peak = device.peak.get("bf16") or device.peak.get("fp16") or device.peak.get("fp32")
    if size is None or not peak or not device.bandwidth:
        return ()
    times = []
    for at in (device.spread, 1.0):
        reach = {"bandwidth": at * device.bandwidth, "flops": at * peak}
        told = [answering.seconds(shape, size, prompt, tokens, **reach) for tokens in (new, 1)]
        times.append(told)
    (fast, first), (slow, late) = times
    if fast is None or slow is None or first is None or late is None:
        return ()
    rate = answering.tokens_per_second(size, device.bandwidth)
    where = f"on {devices.article(device.says)} {device.says}, {prompt:,} + {new:,} tokens"
    each = f"every token reads {in_bytes(size)} at {in_bytes(device.bandwidth * device.spread)}/s at most"
    return (
        ("first_token", Interval(first, late, where)),
        ("answer_p50", Interval(fast, slow, where)),
        ("answer_p95", Interval(fast, slow, where)),
        ("tokens_per_second", Interval(rate * REACHED, rate * device.spread, each)),
    )


def asked(inputs: Iterable[Artifact]) -> int:
    """Tokens of a question of a person with all that the longest of these prompts puts before it, guessed."""
    return ASKED + max((each.tokens or 0 for each in inputs if isinstance(each, Prompt)), default=0)


def work(model: Artifact | None, answers: int | None, prompt: int, new: int) -> Work | None:
    """What so many answers ask of a processor."""
    size, count = weights(model), arch.parameters(shape_of(model))
    if size is None or count is None or answers is None:
        return None
    moved = float(answers) * new * size
    return Work(2.0 * count * answers * (prompt + new), "generate", "bf16", moved, 5.0, says=f"{answers:,} answers")


# --- what tasks measure ---

# a share of right answers or an end of its interval, of a group or of all
_RIGHT = re.compile(r"(.*\.|)accuracy(?:\.low|\.high)?")
NUMBER = Measure("a measure of one task")
MEASURES: Mapping[str, Mapping[str, Measure]] = {
    "exam": {
        "accuracy": Measure("the share of right answers", "share"),
        "accuracy.low": Measure("the lower end of its interval", "share"),
        "accuracy.high": Measure("the upper end of its interval", "share"),
        "questions": Measure("how many were asked", "count"),
        "cut": Measure("the share of answers that did not end by themselves", "share"),
    },
    "perplexity": {
        "perplexity": Measure("how many tokens seem equally likely, on average"),
        "bits_per_byte": Measure("bits that a byte of the text takes: comparable across tokenizers"),
        "tokens": Measure("tokens that were foretold", "count"),
    },
    "speed": {
        "first_token": Measure("until an answer begins", "time"),
        "answer_p50": Measure("until half of the answers are there", "time"),
        "answer_p95": Measure("until nineteen of twenty are", "time"),
        "tokens_per_second": Measure("tokens of answers a second, of all clients"),
        "prompt_per_second": Measure("tokens of questions a second"),
        "prompt_tokens": Measure("tokens of a question with all that stands before it, on average, where people's are asked"),
        "memory_peak": Measure("memory while it answers", "bytes"),
    },
    "text": {
        "bleu": Measure("BLEU, as a share", "share"),
        "chrf": Measure("chrF, as a share", "share"),
        "rouge": Measure("ROUGE-L, as a share", "share"),
    },
    "harness": {},
    "compare": {
        "win_rate": Measure("the share of questions that the model wins, a tie for half", "share"),
        "ties": Measure("the share of ties", "share"),
        "questions": Measure("how many were compared", "count"),
    },
}
GROUPED = ("accuracy", "accuracy.low", "accuracy.high")


def chance(task: str, measure: str, sign: str) -> str:
    """What a bound on quality asks of a twin: the chance that it is better than untrained by luck; nothing of other bounds."""
    if task == "exam" and (of := _RIGHT.fullmatch(measure)) and sign in (">", ">="):
        return f"{of[1]}p"
    if task == "text" and measure in MEASURES["text"] and sign in (">", ">="):
        return f"{measure}.p"
    return "p" if task == "perplexity" and measure in ("perplexity", "bits_per_byte") and sign in ("<", "<=") else ""
